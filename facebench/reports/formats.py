"""A report in its formats, as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Literal, get_args

from facebench.base.version import __version__
from facebench.records.record import Record
from facebench.reports.cells import ReportCell, heading_text
from facebench.reports.html import report_html
from facebench.reports.index import index_html, index_lines, index_markdown
from facebench.reports.latex import report_latex
from facebench.reports.missing import not_yet, on_photographs, orders_of
from facebench.reports.table import ReportTable, ReportTableRow
from facebench.tables import exports, html, latex, markdown
from facebench.tables.exports import Value, safe
from facebench.tables.markdown import plain
from facebench.tables.records import views_of

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
    return report_csv(tables) if format == "csv" else report_latex(tables)


def render_index(
    format: Literal["md", "html"],
    reports: Sequence[tuple[str, Sequence[ReportTable]]],
    files: Sequence[tuple[str, str]],
    group: str,
    data: str | None = None,
) -> str:
    """The list of a group's tables; see `facebench.reports.index`. Titles lead to files of
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


_NO_LABEL = "no data"


def report_csv(tables: Sequence[ReportTable]) -> str:
    """One line per cell; ``data_kind`` and ``notice`` label synthetic faces; empty: unknown."""
    lines = [
        _flat(table, row, cell) for table in tables for row in table.rows for cell in row.cells
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["report"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({field: safe(value) for field, value in line.items()} for line in lines)
    return text.getvalue()


def _flat(table: ReportTable, row: ReportTableRow, cell: ReportCell) -> dict[str, Value]:
    record, measured, paired = cell.record, cell.measured, cell.paired
    interval = measured.interval if measured else None
    versus = paired.interval if paired else None
    letters = {*row.letters.split(","), *cell.letters.split(",")}
    return {
        "report": table.card.name,
        "data_kind": record.data.kind if record else (table.kind or _NO_LABEL),
        "row": row.row.label,
        "model": row.row.model,
        "column": cell.column.key,
        "protocol": cell.column.protocol,
        "statistic": cell.column.statistic,
        "value": cell.value,
        "spread": measured.spread if measured else None,
        "spread_kind": measured.spread_kind if measured else None,
        "low": interval[0] if interval else None,
        "high": interval[1] if interval else None,
        "interval": measured.interval_kind if measured else None,
        "resolvable": measured.resolvable if measured else None,
        "reached": measured.reached if measured else None,
        "paper": cell.paper.value if cell.paper else None,
        "paper_spread": cell.paper.spread if cell.paper else None,
        "paper_source": _source(table, cell),
        "difference": cell.difference,
        "reference": table.card.reference_of(row.row),
        "versus": paired.difference if paired else None,
        "versus_low": versus.low if versus else None,
        "versus_high": versus.high if versus else None,
        "p_value": paired.p_value if paired else None,
        "p_holm": paired.adjusted if paired else None,
        "significant": paired.significant if paired else None,
        "missing": cell.missing,
        "remark": cell.remark,
        "differs": "; ".join(text for letter, text in table.footnotes if letter in letters),
        "data": record.data.fingerprint if record else None,
        "notice": table.notice,
        "digest": record.digest() if record else None,
        "signature": record.signature if record else None,
    }


def _source(table: ReportTable, cell: ReportCell) -> str | None:
    if cell.paper is None:
        return None
    return cell.paper.source or (table.card.source.text if table.card.source else "")


def report_markdown(tables: Sequence[ReportTable], data: str | None = None) -> str:
    """Tables with notice, caption, footnotes, signatures, and what is missing with its commands.

    data: the --data of the commands for real faces.
    """
    return "\n".join(_table(table, data) for table in tables)


def _table(table: ReportTable, data: str | None) -> str:
    lines = [f"### {plain(table.title)}", ""]
    if table.notice:
        lines += [f"> **NOTICE: {plain(table.notice)}**", ""]
    lines.append(_line(["", *(plain(heading_text(column)) for column in table.columns)]))
    lines.append(_line([":---"] + ["---:"] * len(table.columns)))
    lines += [_line(_row(row)) for row in table.rows]
    lines.append("")
    lines += [f"- {letter}: {plain(text)}" for letter, text in table.footnotes]
    lines += [f"- {plain(text)}" for text in (*table.caption, *table.remarks)]
    lines += _missing(table, data) + _signatures(table)
    return "\n".join(lines) + "\n"


def _row(row: ReportTableRow) -> list[str]:
    return [f"{plain(row.row.label)}{_raised(row.letters)}", *(_cell(cell) for cell in row.cells)]


def _cell(cell: ReportCell) -> str:
    parts = [plain(cell.value_text)]
    if cell.mark:
        parts[0] += f" {cell.mark}"
    parts[0] += _raised(cell.letters)
    if cell.value is not None and cell.interval_text:
        parts.append(f"<sub>{plain(cell.interval_text)}</sub>")
    if cell.paper_text:
        difference = f" ({plain(cell.difference_text)})" if cell.difference_text else ""
        parts.append(f"paper {plain(cell.paper_text)}{difference}")
        if cell.value is None and not cell.missing:
            parts = parts[1:]
    return "<br>".join(parts)


def _raised(letters: str) -> str:
    return f" <sup>{letters}</sup>" if letters else ""


def _missing(table: ReportTable, data: str | None) -> list[str]:
    orders, others = orders_of([table], data), not_yet([table])
    lines = []
    if orders:
        lines += ["", "Missing, and made by:", "", "```sh"]
        lines += [*(order.command for order in orders), "```"]
        if where := on_photographs(table, data):
            lines += ["", plain(where)]
    if others:
        lines += ["", "Missing for now:", "", *(f"- {plain(line)}" for line in others)]
    return lines


def _signatures(table: ReportTable) -> list[str]:
    records = {r.digest(): r for row in table.rows for r in row.records}
    if not records:
        return []
    lines = ["", "<details><summary>Signatures</summary>", ""]
    lines += [f"- {plain(record.signature)}" for record in records.values()]
    return [*lines, "", "</details>"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
