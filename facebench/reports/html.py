"""Reports as one self-contained page: its own small script and nothing else may run in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from facebench.figures.bars import bars_svg
from facebench.figures.curves.caption import curve_caption
from facebench.figures.curves.curves import curve_names, drawable
from facebench.figures.curves.svg import roc_svg
from facebench.figures.sizes import size_svg
from facebench.reports.cells import FilledCard
from facebench.reports.missing import not_yet, on_photographs, orders_of
from facebench.reports.points import rate_column, size_points
from facebench.reports.table import heading_text, report_table
from facebench.tables.html import TEMPLATES, page
from facebench.tables.table import Table


@dataclass(frozen=True)
class Figure:
    """A drawing and what it shows."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class ReportSection:
    """What the page has of one data set. commands: that make what is missing; where: on what faces;
    others: what no command makes.
    """

    table: Table
    figures: tuple[Figure, ...]
    commands: tuple[str, ...]
    where: str
    others: tuple[str, ...]


def report_html(
    filled: Sequence[FilledCard], title: str, data: str | None = None, index: str | None = None
) -> str:
    """The page: per table its rows (each opens), notes, figures, and what is missing.

    data: the --data of the commands for real faces; index: a page beside it that it links to.
    """
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return page(
        "report.html",
        policy=policy_for(script),
        sections=[_section(one, data) for one in filled],
        title=title,
        index=index,
        script=Markup(script),
    )


def policy_for(script: str) -> str:
    """A content security policy under which this script runs and nothing is loaded."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _section(filled: FilledCard, data: str | None) -> ReportSection:
    return ReportSection(
        report_table(filled),
        tuple(figures_of(filled)),
        tuple(order.command for order in orders_of([filled], data)),
        on_photographs(filled, data),
        tuple(not_yet([filled])),
    )


def figures_of(filled: FilledCard) -> list[Figure]:
    """Accuracy against size, the curves of every protocol, and bars of diagnostics."""
    figures = []
    rate = rate_column(filled)
    if filled.card.plot and rate is not None and (points := size_points(filled)):
        shown = heading_text(filled.columns[rate])
        drawn = size_svg(points, shown, synthetic=filled.kind == "synthetic")
        bars = " Bars are 95% intervals." if any(point.interval for point in points) else ""
        figures.append(Figure(drawn, f"{shown} against size: {filled.title}.{bars}"))
    for protocol in filled.card.protocols:
        records = filled.records_of(protocol)
        for name in curve_names(records[0]) if records and drawable(records) else ():
            title = f"{records[0].protocol.title}, {records[0].data.fingerprint}"
            figures.append(Figure(roc_svg(records, name), curve_caption(records, name, title)))
    for row in filled.rows:
        for cell in row.cells:
            if cell.bars:
                caption = f"{row.row.label}: {cell.column.heading}."
                figures.append(Figure(bars_svg(cell.bars, caption), caption))
    return figures
