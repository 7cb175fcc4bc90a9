"""The pages of a site as text: each is whole in itself, and loads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from facebench.base.text import count_text, percent, points, printable, size_text
from facebench.base.version import __version__
from facebench.figures.curves.caption import curve_caption
from facebench.figures.curves.curves import curve_names, drawable
from facebench.figures.curves.svg import roc_svg
from facebench.figures.styles import SCHEMES
from facebench.records.statistics import statistics_in
from facebench.reports.html import policy_for
from facebench.reports.site.folios import ModelFolio, ProtocolFolio, Site
from facebench.reports.site.front import front_svg
from facebench.reports.site.pairs import inline_pairs
from facebench.reports.site.words import (
    commands_of,
    definition_of,
    facts_of,
    lineage_of,
    published_of,
    traps_of,
    verdict_of,
    verify_of,
)
from facebench.tables.html import TEMPLATES, environment
from facebench.tables.paired.comparison import MARKS
from facebench.tables.text import interval_text, p_text, points_text, statistic_heading

if TYPE_CHECKING:
    from jinja2 import Environment

OWN = Path(__file__).parent / "templates"


def pages_of(site: Site, title: str) -> Iterator[tuple[str, str]]:
    """(path in the site, HTML) of every page, one after the other."""
    example = site.kept[0]
    common: dict[str, Any] = {
        "site": site,
        "site_title": title,
        "kept_of": {kept.standing: kept for kept in site.kept},
        "verify": verify_of(example),
    }
    yield "index.html", _page("index.html", "", common, groups=groups_in(site))
    yield "compare.html", _page("compare.html", "", common, "compare.js", pairs=inline_pairs(site))
    for model in site.models:
        yield model.page, _page("model.html", "../", common, **_of_model(site, model))
    for protocol in site.protocols:
        yield protocol.page, _page("protocol.html", "../", common, **_of_protocol(protocol))


def _of_model(site: Site, model: ModelFolio) -> dict[str, object]:
    return {
        "model": model,
        "verdict": verdict_of(site, model),
        "lineage": lineage_of(site, model),
        "facts": facts_of(model),
        "commands": commands_of(model),
    }


def _of_protocol(protocol: ProtocolFolio) -> dict[str, object]:
    return {
        "protocol": protocol,
        "definition": definition_of(protocol),
        "published": published_of(protocol),
        "traps": traps_of(protocol),
    }


def groups_in(site: Site) -> list[str]:
    """``skin: dark`` and so on: the groups of all records, by column."""
    sections = (section for kept in site.kept for section in kept.record.groups)
    found = {f"{section.column}: {name}": None for section in sections for name in section.names}
    return list(found)


def _page(
    template: str, root: str, common: dict[str, Any], own: str = "", /, **values: object
) -> str:
    """A template filled; root: the way from the page to the site's folder; own: a script of its
    own, after that of all pages.
    """
    script = "".join(_script(name) for name in ("site.js", own) if name)
    text: str = (
        _environment()
        .get_template(template)
        .render(
            root=root,
            script=Markup(script),
            policy=policy_for(script),
            version=__version__,
            **SCHEMES,
            **common,
            **values,
        )
    )
    return text


@lru_cache(maxsize=2)
def _script(name: str) -> str:
    return (OWN / name).read_text(encoding="utf-8")


def _breaking(name: str) -> Markup:
    """A name that may break behind its underscores."""
    return Markup("_<wbr>").join(printable(name).split("_"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    found = environment(OWN, TEMPLATES)
    found.filters["url"] = lambda path: quote(path, safe="/")
    found.filters["breaking"] = _breaking
    found.globals.update(
        percent=percent,
        points=points,
        count_text=count_text,
        size_text=size_text,
        interval_text=interval_text,
        points_text=points_text,
        p_text=p_text,
        marks=MARKS,
        statistics_in=statistics_in,
        heading_of=statistic_heading,
        verify_of=verify_of,
        front_svg=front_svg,
        roc_svg=roc_svg,
        drawable=drawable,
        curve_names=curve_names,
        curve_caption=curve_caption,
    )
    return found
