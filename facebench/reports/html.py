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
from facebench.figures.curves.layout import COLOURS
from facebench.figures.curves.svg import roc_svg
from facebench.figures.sizes import size_svg
from facebench.reports.cells import ReportCell, heading_text
from facebench.reports.missing import not_yet, on_photographs, orders_of
from facebench.reports.points import rate_column, size_points
from facebench.reports.table import ReportTable
from facebench.tables.html import TEMPLATES, environment

_MARKS = {"▲": "significantly better than", "▼": "significantly worse than"}


@dataclass(frozen=True)
class Figure:
    """A drawing and what it shows."""

    svg: Markup
    caption: str


def report_html(
    tables: Sequence[ReportTable],
    title: str,
    version: str,
    data: str | None = None,
    index: str | None = None,
) -> str:
    """The page: per table its rows (each opens), caption, figures, and what is missing.

    data: the --data of the commands for real faces; index: a page beside it that it links to.
    """
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("report.html")
        .render(
            tables=tables,
            title=title,
            version=version,
            index=index,
            heading=heading_text,
            sort_key=sort_key,
            mark_words=lambda mark: _MARKS.get(mark, "not significantly different from"),
            figures=figures_of,
            orders=lambda table: orders_of([table], data),
            on_photographs=lambda table: on_photographs(table, data),
            not_yet=lambda table: not_yet([table]),
            colours=COLOURS,
            script=Markup(script),
            policy=policy_for(script),
        )
    )


def policy_for(script: str) -> str:
    """A content security policy under which this script runs and nothing is loaded."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def sort_key(cell: ReportCell) -> str:
    """What a column is sorted by: the measured value, or words; nothing sorts last."""
    return (
        ""
        if cell.value is None
        else repr(cell.value)
        if cell.number is not None
        else str(cell.value)
    )


def figures_of(table: ReportTable) -> list[Figure]:
    """Accuracy against size, the curves of every protocol, and bars of diagnostics."""
    figures = []
    rate = rate_column(table)
    if table.card.plot and rate is not None and (points := size_points(table)):
        shown = heading_text(table.columns[rate])
        drawn = size_svg(points, shown, synthetic=table.kind == "synthetic")
        bars = " Bars are 95% intervals." if any(point.interval for point in points) else ""
        figures.append(Figure(drawn, f"{shown} against size: {table.title}.{bars}"))
    for protocol in table.card.protocols:
        records = table.records_of(protocol)
        for name in curve_names(records[0]) if records and drawable(records) else ():
            title = f"{records[0].protocol.title}, {records[0].data.fingerprint}"
            figures.append(Figure(roc_svg(records, name), curve_caption(records, name, title)))
    for row in table.rows:
        for cell in row.cells:
            if cell.bars:
                caption = f"{row.row.label}: {cell.column.heading}."
                figures.append(Figure(bars_svg(cell.bars, caption), caption))
    return figures
