"""Tables as one self-contained page: no script, no address outside it, every name is text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facebench.reporting.roc_layout import COLOURS, drawable, layout_of
from facebench.reporting.roc_svg import roc_svg
from facebench.reporting.view import TableView

_TEMPLATES = Path(__file__).parent / "templates"


def to_html(views: Sequence[TableView], version: str) -> str:
    """The page with one section per table: notice, table, ROC, per-fold values and signatures."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    return template.render(
        views=views,
        roc_svg=roc_svg,
        drawable=drawable,
        curve_name=lambda records: layout_of(records).words.name,
        colours=COLOURS,
        version=version,
    )
