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
from facebench.figures.sizes import SizePoint, size_svg
from facebench.reports.cells import FilledCard, FilledCell, FilledRow
from facebench.reports.missing import not_yet, on_photographs, orders_of
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


def rate_column(filled: FilledCard) -> int | None:
    """Which column is drawn: the first share of a protocol, or else the first share there is."""
    shares = [n for n, column in enumerate(filled.columns) if column.unit == "percent"]
    return min(shares, key=lambda n: filled.columns[n].protocol is None, default=None)


def size_points(filled: FilledCard) -> list[SizePoint]:
    """Points of `rate_column` against the compression ratio, ours before the paper's; none where
    nothing was measured or a column is lacking.
    """
    rate = rate_column(filled)
    ratios = [n for n, c in enumerate(filled.columns) if c.statistic == "compression_ratio"]
    if rate is None or not ratios:
        return []
    ours = [p for row in filled.rows if (p := _ours(row, row.cells[rate], row.cells[ratios[0]]))]
    if not ours:
        return []
    papers = (_papers(row, row.cells[rate], row.cells[ratios[0]]) for row in filled.rows)
    return [*ours, *(point for point in papers if point)]


def _ours(row: FilledRow, rate: FilledCell, ratio: FilledCell) -> SizePoint | None:
    if rate.number is None or not ratio.number:
        return None
    found = rate.measured.interval if rate.measured else None
    ends = (found.low, found.high) if found else None
    return SizePoint(row.row.model or row.row.label, ratio.number, rate.number, ends, False)


def _papers(row: FilledRow, rate: FilledCell, ratio: FilledCell) -> SizePoint | None:
    value = rate.paper.number if rate.paper else None
    share = ratio.paper.number if ratio.paper else None
    if value is None or not share:
        return None
    return SizePoint(row.row.model or row.row.label, share, value, None, True)
