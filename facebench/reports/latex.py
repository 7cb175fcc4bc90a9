"""Tables of a report as LaTeX with booktabs; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.reports.cells import ReportCell, heading_text
from facebench.reports.table import ReportTable, ReportTableRow
from facebench.tables.latex import HEAD, escape, line


def report_latex(tables: Sequence[ReportTable]) -> str:
    """One ``table`` per data set: ours with ±, the paper's value and the difference apart."""
    return HEAD + "\n".join(_table(table, number) for number, table in enumerate(tables, 1))


def _table(table: ReportTable, number: int) -> str:
    papers = [any(row.cells[n].paper for row in table.rows) for n in range(len(table.columns))]
    spans, second = [], []
    for column, paper in zip(table.columns, papers, strict=True):
        heading = escape(heading_text(column))
        spans.append(rf"\multicolumn{{3}}{{c}}{{{heading}}}" if paper else heading)
        second += ["here", "paper", r"$\Delta$"] if paper else [""]
    label = escape(f"{table.card.name}-{number}").replace(r"\_", "-")
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escape(table.title)}}}",
        rf"\label{{tab:{label}}}",
    ]
    if table.notice:
        lines.append(rf"\textbf{{NOTICE: {escape(table.notice)}}}\par\medskip")
    lines += [
        rf"\begin{{tabular}}{{l{'r' * len(second)}}}",
        r"\toprule",
        line(["", *spans]),
        *_rules(papers),
        line(["", *second]),
        r"\midrule",
        *(_row(row, papers) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    notes = [rf"\textsuperscript{{{letter}}} {escape(text)}." for letter, text in table.footnotes]
    notes += [f"{escape(text)}." for text in (*table.caption, *table.remarks)]
    if notes:
        lines.append(r"\par\medskip\begin{minipage}{\linewidth}\footnotesize")
        lines += [rf"{note}\par" for note in notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _rules(papers: Sequence[bool]) -> list[str]:
    rules, column = [], 2
    for paper in papers:
        if paper:
            rules.append(rf"\cmidrule(lr){{{column}-{column + 2}}}")
        column += 3 if paper else 1
    return ["".join(rules)] if rules else []


def _row(row: ReportTableRow, papers: Sequence[bool]) -> str:
    cells = [f"{escape(row.row.label)}{_raised(row.letters)}"]
    for cell, paper in zip(row.cells, papers, strict=True):
        cells += _cell(cell, paper)
    return line(cells)


def _cell(cell: ReportCell, paper: bool) -> list[str]:
    value = escape(f"{cell.value_text} {cell.mark}".rstrip()) + _raised(cell.letters)
    if not paper:
        return [value]
    return [value, escape(cell.paper_text), escape(cell.difference_text)]


def _raised(letters: str) -> str:
    return rf"\textsuperscript{{{letters}}}" if letters else ""
