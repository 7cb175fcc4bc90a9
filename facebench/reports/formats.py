"""A report in its formats, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from facebench.records.record import Record
from facebench.reports.cells import FilledCard
from facebench.reports.html import report_html
from facebench.reports.index import index_html, index_lines, index_markdown
from facebench.reports.missing import missing_markdown, on_photographs
from facebench.reports.table import report_table
from facebench.tables.csv import to_csv
from facebench.tables.exports import records_csv
from facebench.tables.html import to_html
from facebench.tables.latex import to_latex
from facebench.tables.markdown import plain, table_markdown, to_markdown
from facebench.tables.records import record_tables
from facebench.tables.table import Choice

ReportFormat = Literal["md", "html", "csv", "latex"]
FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
ENDINGS: dict[ReportFormat, str] = {"md": ".md", "html": ".html", "csv": ".csv", "latex": ".tex"}


def render_report(
    format: ReportFormat,
    filled: Sequence[FilledCard],
    title: str,
    data: str | None = None,
    index: str | None = None,
) -> str:
    """One card on its data sets. data: the --data in the commands for real faces; index: the file
    beside the page that lists all tables.
    """
    if format == "md":
        return "\n".join(report_markdown(one, data) for one in filled)
    if format == "html":
        return report_html(filled, title, data, index)
    if format == "csv":
        return report_csv(filled)
    return to_latex(list(map(report_table, filled)), filled[0].card.name)


def render_index(
    format: Literal["md", "html"],
    reports: Sequence[tuple[str, Sequence[FilledCard]]],
    files: Sequence[tuple[str, str]],
    group: str,
    data: str | None = None,
) -> str:
    """The list of a group's tables; see `facebench.reports.index`. Titles lead to files of
    the same format.
    """
    ordered = sorted(files, key=lambda file: file[0] != format)
    lines = index_lines(reports, ordered)
    filled = [one for _, of_card in reports for one in of_card]
    render = index_html if format == "html" else index_markdown
    return render(lines, filled, f"Reports of the group “{group}”", data)


def render_records(format: ReportFormat, records: Sequence[Record], choice: Choice) -> str:
    """The tables of records, as `facebench eval` makes them; grouped by protocol and data.

    choice: of columns and rows; UserError where it names what none has.
    """
    if format == "csv":
        return records_csv(records)
    tables = record_tables(records)
    choice.require(tables)
    tables = list(map(choice.of, tables))
    if format == "md":
        return to_markdown(tables)
    if format == "html":
        return to_html(tables, "; ".join(table.title for table in tables))
    return to_latex(tables)


def report_markdown(filled: FilledCard, data: str | None = None) -> str:
    """The table with what is missing and its commands, and signatures.

    data: the --data of the commands for real faces.
    """
    lines = missing_markdown([filled], data, on_photographs(filled, data))
    lines += _signatures(filled)
    return table_markdown(report_table(filled)) + "".join(f"{line}\n" for line in lines)


def _signatures(filled: FilledCard) -> list[str]:
    records = {record.digest(): record for record in filled.records}
    if not records:
        return []
    lines = ["", "<details><summary>Signatures</summary>", ""]
    lines += [f"- {plain(record.signature)}" for record in records.values()]
    return [*lines, "", "</details>"]


def report_csv(filled: Sequence[FilledCard]) -> str:
    """One line per cell; ``data_kind`` and ``notice`` label synthetic faces; empty: unknown."""
    return to_csv([line for one in filled for line in one.lines()], ["report"])
