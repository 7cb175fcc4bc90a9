"""Reports as LaTeX tables with booktabs; every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facebench.tables.records import TableView

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
    return rf"{' & '.join(cells)} \\"


def views_latex(views: Sequence[TableView]) -> str:
    """The tables of `facebench eval` as LaTeX."""
    return HEAD + "\n".join(_view(view, number) for number, view in enumerate(views, 1))


def _view(view: TableView, number: int) -> str:
    lines = [r"\begin{table}", r"\centering\small", rf"\caption{{{escape(view.title)}}}"]
    lines.append(rf"\label{{tab:facebench-{number}}}")
    if view.notice:
        lines.append(rf"\textbf{{NOTICE: {escape(view.notice)}}}\par\medskip")
    lines += [
        rf"\begin{{tabular}}{{l{'r' * (len(view.headings) - 1)}}}",
        r"\toprule",
        line([escape(heading) for heading in view.headings]),
        r"\midrule",
        *(
            line([escape(f"{cell.text} {cell.detail}".rstrip()) for cell in row.cells])
            for row in view.rows
        ),
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\medskip\begin{minipage}{\linewidth}\footnotesize",
        *(rf"{escape(line)}.\par" for line in view.caption),
        r"\end{minipage}",
    ]
    return "\n".join([*lines, r"\end{table}"]) + "\n"
