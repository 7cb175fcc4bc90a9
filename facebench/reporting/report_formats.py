"""A report in its formats, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from facebench import __version__
from facebench.reporting import exports, html, latex, markdown
from facebench.reporting.record import Record
from facebench.reporting.report_csv import report_csv
from facebench.reporting.report_html import report_html
from facebench.reporting.report_markdown import report_markdown
from facebench.reporting.report_table import ReportTable
from facebench.reporting.view import views_of

ReportFormat = Literal["md", "html", "csv", "latex"]
FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
ENDINGS: dict[ReportFormat, str] = {"md": ".md", "html": ".html", "csv": ".csv", "latex": ".tex"}


def render_report(
    format: ReportFormat, tables: Sequence[ReportTable], title: str, data: str | None = None
) -> str:
    """The tables of one card. data: the --data in the commands for real faces."""
    if format == "md":
        return report_markdown(tables, data)
    if format == "html":
        return report_html(tables, title, __version__, data)
    return report_csv(tables) if format == "csv" else latex.report_latex(tables)


def render_records(format: ReportFormat, records: Sequence[Record]) -> str:
    """The tables of records, as `facebench eval` makes them; grouped by protocol and data."""
    if format == "csv":
        return exports.to_csv(records)
    views = views_of(records)
    if format == "md":
        return markdown.to_markdown(views)
    return html.to_html(views, __version__) if format == "html" else latex.views_latex(views)
