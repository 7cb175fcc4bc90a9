"""A report in its formats, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from facebench import __version__
from facebench.reporting import exports, html, latex, markdown
from facebench.reporting.record import Record
from facebench.reporting.report_csv import report_csv
from facebench.reporting.report_html import report_html
from facebench.reporting.report_index import index_html, index_lines, index_markdown
from facebench.reporting.report_markdown import report_markdown
from facebench.reporting.report_table import ReportTable
from facebench.reporting.view import views_of

ReportFormat = Literal["md", "html", "csv", "latex"]
FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
ENDINGS: dict[ReportFormat, str] = {"md": ".md", "html": ".html", "csv": ".csv", "latex": ".tex"}


def render_report(
    format: ReportFormat,
    tables: Sequence[ReportTable],
    title: str,
    data: str | None = None,
    index: str | None = None,
) -> str:
    """The tables of one card. data: the --data in the commands for real faces; index: the file
    beside the page that lists all tables.
    """
    if format == "md":
        return report_markdown(tables, data)
    if format == "html":
        return report_html(tables, title, __version__, data, index)
    return report_csv(tables) if format == "csv" else latex.report_latex(tables)


def render_index(
    format: Literal["md", "html"],
    reports: Sequence[tuple[str, Sequence[ReportTable]]],
    files: Sequence[tuple[str, str]],
    group: str,
    data: str | None = None,
) -> str:
    """The list of a group's tables; see `facebench.reporting.report_index`. Titles lead to files of
    the same format.
    """
    ordered = sorted(files, key=lambda file: file[0] != format)
    lines = index_lines(reports, ordered)
    tables = [table for _, made in reports for table in made]
    render = index_html if format == "html" else index_markdown
    return render(lines, tables, f"Reports of the group “{group}”", __version__, data)


def render_records(format: ReportFormat, records: Sequence[Record]) -> str:
    """The tables of records, as `facebench eval` makes them; grouped by protocol and data."""
    if format == "csv":
        return exports.to_csv(records)
    views = views_of(records)
    if format == "md":
        return markdown.to_markdown(views)
    return html.to_html(views, __version__) if format == "html" else latex.views_latex(views)
