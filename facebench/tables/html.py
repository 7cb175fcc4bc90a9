"""Tables as one self-contained page: no script, no address outside it, every name is text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.text import printable
from facebench.figures.curves.caption import curve_caption
from facebench.figures.curves.curves import curve_names, drawable
from facebench.figures.curves.layout import COLOURS
from facebench.figures.curves.svg import roc_svg
from facebench.tables.records import TableView

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(views: Sequence[TableView], version: str) -> str:
    """The page with one section per table: notice, table, curves, folds and signatures."""
    return (
        environment()
        .get_template("page.html")
        .render(
            views=views,
            roc_svg=roc_svg,
            drawable=drawable,
            curve_names=curve_names,
            curve_caption=curve_caption,
            colours=COLOURS,
            version=version,
            policy=_POLICY,
        )
    )


def environment() -> Environment:
    """Templates of pages; whatever is put into them stays text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        finalize=lambda value: printable(value) if type(value) is str else value,
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
