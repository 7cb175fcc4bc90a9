"""Tables as LaTeX with booktabs; every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facebench.tables.table import Details, Table, TableRow

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "±": r"$\pm$",
    "−": r"$-$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "‡": r"\ddag{}",
    "→": r"$\rightarrow$",
    "λ": r"$\lambda$",
    "·": r"\textperiodcentered{}",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "\u202f": r"\,",
    "\u00a0": "~",
}
_ACTED_ON = re.compile("|".join(re.escape(character) for character in _SPECIAL))
HEAD = r"""% Needs \usepackage{booktabs,amssymb,textcomp} and \usepackage[T1]{fontenc}.
"""


def escape(text: str) -> str:
    """Text in which LaTeX acts on nothing, in one line; control characters become spaces."""
    one_line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _ACTED_ON.sub(lambda match: _SPECIAL[match[0]], one_line)


def line(cells: Sequence[str]) -> str:
    """A row of cells that are LaTeX already."""
    return rf"{' & '.join(cells)} \\"


def to_latex(tables: Sequence[Table], name: str = "facebench") -> str:
    """A ``table`` each, labelled by name and number; the paper's values stand in columns of their
    own, with ± here, the paper's and the difference apart.
    """
    return HEAD + "\n".join(_table(table, f"{name}-{n}") for n, table in enumerate(tables, 1))


def _table(table: Table, name: str) -> str:
    papers = [any(row.cells[n].paper for row in table.rows) for n in range(len(table.columns))]
    label = escape(name).replace(r"\_", "-")
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escape(table.title)}}}",
        rf"\label{{tab:{label}}}",
    ]
    if table.notice:
        lines.append(rf"\textbf{{NOTICE: {escape(table.notice)}}}\par\medskip")
    sides = [
        ("l" if column.left else "r") * (3 if paper else 1)
        for column, paper in zip(table.columns, papers, strict=True)
    ]
    lines += [
        rf"\begin{{tabular}}{{{''.join(sides)}}}",
        r"\toprule",
        *_headings(table, papers),
        r"\midrule",
        *(_row(row, papers, table.details) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    notes = [rf"\textsuperscript{{{letter}}} {escape(text)}." for letter, text in table.footnotes]
    notes += [f"{escape(text)}." for text in table.notes]
    if notes:
        lines.append(r"\par\medskip\begin{minipage}{\linewidth}\footnotesize")
        lines += [rf"{note}\par" for note in notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _headings(table: Table, papers: Sequence[bool]) -> list[str]:
    """One line, or two with rules between where the paper's values have columns."""
    headings = [escape(heading) for heading in table.headings]
    if not any(papers):
        return [line(headings)]
    spans: list[str] = []
    second: list[str] = []
    rules: list[str] = []
    for heading, paper in zip(headings, papers, strict=True):
        spans.append(rf"\multicolumn{{3}}{{c}}{{{heading}}}" if paper else heading)
        if paper:
            rules.append(rf"\cmidrule(lr){{{len(second) + 1}-{len(second) + 3}}}")
        second += ["here", "paper", r"$\Delta$"] if paper else [""]
    return [line(spans), "".join(rules), line(second)]


def _row(row: TableRow, papers: Sequence[bool], details: Details) -> str:
    cells: list[str] = []
    for cell, paper in zip(row.cells, papers, strict=True):
        text = escape(f"{cell.text} {cell.mark}".rstrip())
        if cell.detail and details != "small":
            text = f"{text} {escape(cell.detail)}".lstrip()
        letters = rf"\textsuperscript{{{cell.letters}}}" if cell.letters else ""
        cells.append(text + letters)
        cells += [escape(cell.paper), escape(cell.difference)] if paper else []
    return line(cells)
