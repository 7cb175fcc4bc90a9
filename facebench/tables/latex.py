"""Tables as LaTeX with booktabs; every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from facebench.tables.table import Cell, Details, Table

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
# Points of a column of 3.25 inches and a page of 6.75, or of the narrower ones of ``article``.
NARROW, WIDE = 229.5, 469.0
_GAP = 3.0  # \tabcolsep
_EDGE = 1.04  # widths are those of Computer Modern, near enough; other fonts are a little wider
_WORDS = 105.0  # a column of words is broken into lines beyond this
# Widths in Computer Modern at 10 points, of what is not in it 7.8.
_WIDTHS = {
    **dict.fromkeys("ijl.,:;'!|[]I", 2.8),
    **dict.fromkeys("frst()-/", 3.9),
    **dict.fromkeys("acegzovxykq0123456789?", 5.1),
    **dict.fromkeys("bdhnpu_*", 5.6),
    " ": 3.4,
    **dict.fromkeys("m%", 8.4),
    "M": 9.2,
    "W": 10.4,
}
_AT_8, _RAISED = 0.86, 0.6  # \footnotesize, and what is raised in it, of 10 points


def escape(text: str) -> str:
    """Text in which LaTeX acts on nothing, in one line; control characters become spaces."""
    one_line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _ACTED_ON.sub(lambda match: _SPECIAL[match[0]], one_line)


def line(cells: Sequence[str]) -> str:
    """A row of cells that are LaTeX already."""
    return rf"{' & '.join(cells)} \\"


def to_latex(tables: Sequence[Table], name: str = "facebench") -> str:
    """A float each, labelled by name and number: ``table`` where it fits a column of two, else
    ``table*``, whose columns stand in several parts where they are too many for a page.

    The paper's values stand in columns of their own, with ± here, the paper's and the difference
    apart.
    """
    return HEAD + "\n".join(_float(table, f"{name}-{n}") for n, table in enumerate(tables, 1))


@dataclass(frozen=True)
class _CellText:
    """A cell: text, and what is raised behind it."""

    text: str
    raised: str = ""

    @property
    def latex(self) -> str:
        raised = rf"\textsuperscript{{{self.raised}}}" if self.raised else ""
        return escape(self.text) + raised

    @property
    def width(self) -> float:
        return _wide(self.text) + _RAISED * _wide(self.raised)


@dataclass(frozen=True)
class _ColumnBlock:
    """A column of the table: one of LaTeX, or three with the paper's value and the difference."""

    heading: str
    left: bool
    aside: bool
    cells: tuple[tuple[_CellText, ...], ...]

    @property
    def parts(self) -> int:
        return len(self.cells[0]) if self.cells else 1

    @cached_property
    def widths(self) -> tuple[float, ...]:
        """Of its columns in LaTeX, in points."""
        own = [max((row[n].width for row in self.cells), default=0.0) for n in range(self.parts)]
        longest = max(map(_wide, self.heading.split()), default=0.0)
        if self.parts > 1:
            own = [max(width, _wide(word)) for width, word in zip(own, _HERE, strict=True)]
            own[-1] += max(0.0, longest - sum(own) - 2 * _GAP * (self.parts - 1))
            return tuple(own)
        if self.left and own[0] > _WORDS:
            words = [word for (cell,) in self.cells for word in cell.text.split()]
            own[0] = max(_WORDS, *map(_wide, words))
        return (max(own[0], longest),)

    @property
    def total(self) -> float:
        return sum(self.widths) + 2 * _GAP * self.parts

    @property
    def broken(self) -> bool:
        """Whether its words run over several lines."""
        return self.left and any(cell.width > self.widths[0] for (cell,) in self.cells)

    @property
    def sides(self) -> str:
        if self.broken:
            return rf"p{{{self.widths[0]:.1f}pt}}"
        return ("l" if self.left else "r") * self.parts

    def headed(self) -> str:
        """The heading in lines that are no wider than what stands below it."""
        lines = _broken(self.heading, sum(self.widths) + 2 * _GAP * (self.parts - 1))
        side = "c" if self.parts > 1 else "l" if self.left else "r"
        text = r" \\ ".join(map(escape, lines))
        text = rf"\shortstack[{side}]{{{text}}}" if len(lines) > 1 else text
        return rf"\multicolumn{{{self.parts}}}{{c}}{{{text}}}" if self.parts > 1 else text

    def row(self, number: int) -> list[str]:
        cells = [cell.latex for cell in self.cells[number]]
        return [rf"\raggedright {cells[0]}"] if self.broken else cells


_LINE, _HIGH = 10.0, 520.0  # points of a line, and of what a float may take of a page
_NOTED = 3.4  # points of a letter of a note, with what is lost at the ends of lines
_HERE = ("here", "paper", "∆")  # the last about as wide as the Greek letter


def _wide(text: str) -> float:
    return _AT_8 * sum(_WIDTHS.get(character, 7.8) for character in text)


def _broken(text: str, width: float) -> list[str]:
    """Text in lines of a width, as few as words allow."""
    lines: list[str] = []
    for word in text.split():
        if lines and _wide(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _blocks(table: Table) -> list[_ColumnBlock]:
    blocks = []
    for n, column in enumerate(table.columns):
        cells = [row.cells[n] for row in table.rows]
        apart = any(cell.paper for cell in cells)
        blocks.append(
            _ColumnBlock(
                column.heading,
                column.left,
                column.aside,
                tuple(_texts(cell, table.details, apart=apart) for cell in cells),
            )
        )
    return blocks


def _texts(cell: Cell, details: Details, *, apart: bool) -> tuple[_CellText, ...]:
    text = f"{cell.text} {cell.mark}".rstrip()
    if cell.detail and details != "small":
        text = f"{text} {cell.detail}".lstrip()
    own = _CellText(text, cell.letters)
    return (own, _CellText(cell.paper), _CellText(cell.difference)) if apart else (own,)


def _panels(blocks: Sequence[_ColumnBlock], width: float) -> list[list[_ColumnBlock]]:
    """The columns in parts that fit a width, each behind the column that names the rows; those
    that stand aside begin a part.
    """
    first, *others = blocks
    parts: list[list[_ColumnBlock]] = [[first]]
    for block in others:
        own = parts[-1][1:]
        full = own and _EDGE * sum(one.total for one in (first, *own, block)) > width
        if full or (own and block.aside and not own[-1].aside):
            parts.append([first])
        parts[-1].append(block)
    return parts


def _float(table: Table, name: str) -> str:
    blocks = _blocks(table)
    narrow = all(
        _EDGE * sum(block.total for block in part) <= NARROW for part in _panels(blocks, NARROW)
    ) and len(_panels(blocks, NARROW)) <= len(_panels(blocks, WIDE))
    kind, width = ("table", NARROW) if narrow else ("table*", WIDE)
    parts = [_tabular(part, len(table.rows)) for part in _panels(blocks, width)]
    label = escape(name).replace(r"\_", "-")
    notes = [rf"\textsuperscript{{{letter}}} {escape(text)}." for letter, text in table.footnotes]
    notes += [f"{escape(text)}." for text in table.notes]
    told = sum(map(len, notes)) / (width / _NOTED) * _LINE
    together = sum(len(part) * _LINE for part in parts) + told <= _HIGH
    floats = [parts] if together else [[part] for part in parts]
    lines: list[str] = []
    for n, stacked in enumerate(floats):
        caption = (
            " ".join([f"{table.title}.", *table.verdict[:2]]) if table.verdict else table.title
        )
        lines += [
            rf"\begin{{{kind}}}",
            rf"\centering\footnotesize\sloppy\setlength{{\tabcolsep}}{{{_GAP:g}pt}}",
            rf"\caption{{{escape(f'{table.title} (continued)' if n else caption)}}}",
            r"\medskip",
            rf"\label{{tab:{label}{f'-{n + 1}' if n else ''}}}",
        ]
        if table.notice:
            lines.append(rf"\textbf{{NOTICE: {escape(table.notice)}}}\par\medskip")
        lines += [text for m, part in enumerate(stacked) for text in (*_between(m), *part)]
        if notes and n == len(floats) - 1:
            lines.append(r"\par\medskip\begin{minipage}{\linewidth}\raggedright\scriptsize")
            lines += [*notes, r"\end{minipage}"]
        lines.append(rf"\end{{{kind}}}")
    return "\n".join(lines) + "\n"


def _between(part: int) -> list[str]:
    return [r"\par\medskip"] if part else []


def _tabular(blocks: Sequence[_ColumnBlock], rows: int) -> list[str]:
    return [
        rf"\begin{{tabular}}{{@{{}}{''.join(block.sides for block in blocks)}@{{}}}}",
        r"\toprule",
        *_headings(blocks),
        r"\midrule",
        *(line([text for block in blocks for text in block.row(n)]) for n in range(rows)),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _headings(blocks: Sequence[_ColumnBlock]) -> list[str]:
    """One line, or two with rules between where the paper's values have columns."""
    first = line([block.headed() for block in blocks])
    if all(block.parts == 1 for block in blocks):
        return [first]
    second: list[str] = []
    rules: list[str] = []
    for block in blocks:
        if block.parts > 1:
            rules.append(rf"\cmidrule(lr){{{len(second) + 1}-{len(second) + block.parts}}}")
        second += ["here", "paper", r"$\Delta$"] if block.parts > 1 else [""]
    return [first, "".join(rules), line(second)]
