"""Reports as Markdown for a pull request: one line per model, the paper's value below ours."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.reporting.markdown import plain
from facebench.reporting.report_cell import ReportCell, heading_text
from facebench.reporting.report_missing import not_yet, on_photographs, orders_of
from facebench.reporting.report_table import ReportTable, ReportTableRow


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
