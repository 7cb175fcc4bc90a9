"""Tables as plain text: rows where every word fits a line, else rows as columns, in blocks.

A line takes what ``COLUMNS`` or the terminal allows; in a pipe or a file, without ``COLUMNS``, what
it needs. A word is broken only where it alone is longer than a line, and nothing is ever cut.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TextIO

# All else of rich takes a tenth of the time in which a list of models is shown.
from rich.cells import cell_len, chop_cells

from facebench.base.text import plain_signs, printable
from facebench.tables.table import Cell, Column, Table

Style = Literal["framed", "ruled", "bare", "facts"]
_FOLDED = "how to read this, signatures: --format md or html"
_CODES = {"bold": 1, "dim": 2, "yellow": 33}
_EDGES = {"framed": ("│ ", " │ ", " │"), "ruled": ("", "  ", ""), "bare": ("", " ", "")}
_WHOLE = 100_000  # characters of a line that nothing limits
_USUAL = 80  # of a terminal that does not tell
# Where a line may break: between words, and within paths; among numbers not beside one, so that
# ``8.9 MB`` and ``[96.35, 97.37]`` stay whole.
_BETWEEN_WORDS = re.compile(r"(?<!±)(?= [^%])")
_BESIDE_NO_NUMBER = re.compile(r"(?<=[^\W\d_])(?= [^\W\d_])")
_IN_A_PATH = re.compile(r"(?<=/)(?=[^/])")
_FOLDERS = 3  # slashes that make a path of a word, other than ``1/256``


@dataclass
class Console:
    """What is at the other end of a stream. styled: bold and dim are shown; coloured: yellow."""

    width: int
    encoding: str = "utf-8"
    styled: bool = False
    coloured: bool = False

    def drawn(self, text: str, style: str) -> str:
        """The text in a style: ``bold``, ``dim`` or ``yellow``."""
        wanted = self.coloured if style == "yellow" else self.styled
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if wanted and style and text else text

    def shown(self, text: str) -> str:
        """Foreign text fit to print, in signs that there are."""
        return plain_signs(printable(text), self.encoding)


def console_for(stream: TextIO | None = None) -> Console:
    """As wide and as coloured as what is at the other end of a stream takes; None: of a file."""
    if stream is None:
        return Console(_width_of(None))
    able = os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    styled = able and (bool(os.environ.get("FORCE_COLOR")) or stream.isatty())
    encoding = stream.encoding or "utf-8"
    return Console(_width_of(stream), encoding, styled, styled and not os.environ.get("NO_COLOR"))


def _width_of(stream: TextIO | None) -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return _WHOLE if stream is None else os.get_terminal_size(stream.fileno()).columns or _USUAL
    except (OSError, ValueError, AttributeError):  # no terminal, or no file at all
        return _WHOLE


def tables_text(tables: Sequence[Table], console: Console, style: Style = "framed") -> str:
    """Tables with titles, notices, verdicts and notes, as text with the console's colours.

    framed: of results; ruled, bare: lists, with a line below the headings or without; facts: a name
    and a value in every row, without headings.
    """
    text = "\n".join(_table(table, console, style) for table in tables)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def notice_text(notice: str, console: Console) -> str:
    """The notice that must not be overlooked, in a frame."""
    text = console.shown(notice)
    room = console.width - 4 if console.width < _WHOLE else cell_len(text)
    lines = list(_lines(text, room, words=True))

    def edge(signs: str) -> str:
        return console.drawn(plain_signs(signs, console.encoding), "yellow")

    middle = (
        f"{edge('┃')} {console.drawn(line, 'bold')}{' ' * (room - cell_len(line))} {edge('┃')}"
        for line in lines
    )
    above, below = " NOTICE ".center(room + 2, "━"), "━" * (room + 2)
    return "".join(f"{line}\n" for line in (edge(f"┏{above}┓"), *middle, edge(f"┗{below}┛")))


def _table(table: Table, console: Console, style: Style) -> str:
    first, aside = table.parts
    parts = [_line(table.title, "dim" if table.verdict else "bold", console)] if table.title else []
    if table.notice:
        parts.append(notice_text(table.notice, console))
    styles = ("bold", "", *("dim" for _ in table.verdict))
    parts += [_line(*pair, console) for pair in zip(table.verdict, styles, strict=False)]
    parts += _bodies(first, console, style)
    if aside is not None:
        parts += _bodies(aside, console, style)
    parts += [_line(note, "dim", console) for note in table.notes]
    if table.reading or table.signatures:
        parts.append(_line(_FOLDED, "dim", console))
    return "".join(parts)


def _bodies(table: Table, console: Console, style: Style) -> Iterator[str]:
    """The table; one that is too wide with its rows as columns, where a grid holds all of them,
    else with its columns in several grids.
    """
    whole = _Grid.of(table, style, console)
    if whole.fits or style == "facts" or not table.rows:
        yield whole.drawn()
        return
    turned, parts = list(whole.side_by_side()), _column_parts(table, style, console)
    told = f"rows stand as columns; as rows they need lines of {whole.least} characters"
    if len(turned) > 1 and parts is not None:
        turned = parts
        told = f"columns stand in {len(parts)} tables; in one they need {whole.least} characters"
    yield from (some.drawn() for some in turned)
    yield _line(told, "dim", console)


def _column_parts(table: Table, style: Style, console: Console) -> list[_Grid] | None:
    """The columns in grids that fit, each behind the names of the rows; None: one does not."""
    units: list[list[int]] = []
    for number, column in enumerate(table.columns[1:], 1):
        if column.beside and units:
            units[-1].append(number)
        else:
            units.append([number])
    parts: list[list[int]] = []
    for unit in units:
        more = [*parts[-1], *unit] if parts else []
        if more and _Grid.of(table.only(more), style, console).fits:
            parts[-1] = more
        else:
            parts.append([0, *unit])
    grids = [_Grid.of(table.only(part), style, console) for part in parts]
    return grids if all(grid.fits for grid in grids) else None


def _line(text: str, style: str, console: Console, width: int | None = None) -> str:
    """A text of its own, between words in lines that fit."""
    lines = _lines(console.shown(text), width or console.width, words=True)
    return "".join(f"{console.drawn(line, style)}\n" for line in lines)


def _parts(text: str, words: bool) -> Iterator[str]:
    """What of a text is not to be broken, with the space before it. words: it is no number."""
    for part in (_BETWEEN_WORDS if words else _BESIDE_NO_NUMBER).split(text):
        yield from _IN_A_PATH.split(part) if part.count("/") >= _FOLDERS else [part]


def _lines(text: str, width: int, words: bool) -> Iterator[str]:
    line = ""
    for part in _parts(text, words):
        if cell_len(line + part) <= width:
            line += part
            continue
        if line:
            yield line
        *full, line = chop_cells(part.lstrip(), width) or [""]
        yield from full
    yield line


@dataclass(frozen=True)
class _Field:
    """What stands in a cell: paragraphs and their styles. words: they are no numbers."""

    paragraphs: tuple[tuple[str, str], ...]
    left: bool
    words: bool

    @classmethod
    def of(cls, cell: Cell, column: Column, console: Console) -> _Field:
        paper = f"paper {cell.paper}" if cell.paper else ""
        text = f"{cell.text} {cell.mark}".rstrip() if cell.shows_value else ""
        told = ((text, ""), (cell.detail, "dim"), (paper, "dim"))
        paragraphs = tuple((console.shown(text), style) for text, style in told if text)
        return cls(paragraphs, column.left, column.left)

    @property
    def whole(self) -> int:
        """Characters of its longest line where none is broken."""
        return max((cell_len(text) for text, _ in self.paragraphs), default=0)

    @property
    def least(self) -> int:
        """Characters of the longest part that is not to be broken."""
        parts = (part for text, _ in self.paragraphs for part in _parts(text, self.words))
        return max((cell_len(part.lstrip()) for part in parts), default=0)

    def broken(self, width: int) -> list[tuple[str, str]]:
        """Lines of so many characters, and their styles."""
        return [
            (line, style)
            for text, style in self.paragraphs
            for line in _lines(text, width, self.words)
        ]


@dataclass(frozen=True)
class _Grid:
    """Headings and rows of fields, as wide as a console at most."""

    headings: Sequence[_Field]
    rows: Sequence[Sequence[_Field]]
    style: Style
    console: Console

    @classmethod
    def of(cls, table: Table, style: Style, console: Console) -> _Grid:
        headings = [_Field.of(Cell(column.heading), column, console) for column in table.columns]
        rows = [
            [_Field.of(*pair, console) for pair in zip(row.cells, table.columns, strict=True)]
            for row in table.rows
        ]
        return cls([replace(heading, words=True) for heading in headings], rows, style, console)

    @property
    def least(self) -> int:
        """Characters of a line in which no word is broken."""
        return self._between + sum(max(f.least for f in column) for column in self._columns)

    @property
    def fits(self) -> bool:
        return self.least <= self.console.width

    def drawn(self) -> str:
        """Its lines, with words whole where they fit."""
        widths = self._widths()
        lines = list(self._lines_of(self.headings, widths, "bold")) if self._headed else []
        bars = ["─" * width for width in widths]
        if self.style == "framed":
            lines = [f"╭─{'─┬─'.join(bars)}─╮", *lines, f"├─{'─┼─'.join(bars)}─┤"]
        elif self.style == "ruled":
            lines.append("──".join(bars))
        for row in self.rows:
            lines += self._lines_of(row, widths)
        if self.style == "framed":
            lines.append(f"╰─{'─┴─'.join(bars)}─╯")
        return "".join(f"{plain_signs(line, self.console.encoding)}\n" for line in lines)

    def _lines_of(
        self, fields: Sequence[_Field], widths: Sequence[int], style: str = ""
    ) -> Iterator[str]:
        """Those of a row; headings, which have a style, stand at the foot of theirs."""
        left, between, right = _EDGES.get(self.style, _EDGES["ruled"])
        broken = [field.broken(width) for field, width in zip(fields, widths, strict=True)]
        high = max(map(len, broken))
        for number in range(high):
            parts = []
            for field, lines, width in zip(fields, broken, widths, strict=True):
                at = number - (high - len(lines)) * bool(style)
                text, own = lines[at] if 0 <= at < len(lines) else ("", "")
                space, text = " " * (width - cell_len(text)), self.console.drawn(text, own or style)
                parts.append(f"{text}{space}" if field.left else f"{space}{text}")
            yield f"{left}{between.join(parts)}{right}"

    def side_by_side(self) -> Iterator[_Grid]:
        """The rows as columns: as many in a grid as need not be broken, at least one."""
        some: list[Sequence[_Field]] = []
        for row in self.rows:
            more = self._turned([*some, row])
            if some and sum(max(f.whole for f in c) for c in more._columns) > more._room:
                yield self._turned(some)
                some = []
            some.append(row)
        yield self._turned(some)

    def _turned(self, rows: Sequence[Sequence[_Field]]) -> _Grid:
        names, *fields = zip(self.headings, *rows, strict=True)
        filled = [line for line in fields if any(field.paragraphs for field in line)]
        labelled = [(replace(line[0], left=True), *line[1:]) for line in filled]
        return _Grid(names, labelled, "framed", self.console)

    @property
    def _headed(self) -> bool:
        return self.style != "facts"

    @property
    def _columns(self) -> list[tuple[_Field, ...]]:
        headed = [self.headings] if self._headed else []
        return list(zip(*headed, *self.rows, strict=True))

    @property
    def _between(self) -> int:
        """Characters of a line that are not of a column."""
        number = len(self.headings)
        framed = 3 * number + 1
        return {"framed": framed, "bare": number - 1}.get(self.style, 2 * (number - 1))

    @property
    def _room(self) -> int:
        return self.console.width - self._between

    def _widths(self) -> list[int]:
        """Of the columns: the widest give way first."""
        widths = [max(field.whole for field in column) for column in self._columns]
        least = [max(field.least for field in column) for column in self._columns]
        if not self.fits:  # then a word is broken
            least = [1] * len(least)
        while sum(widths) > self._room:
            at = max(range(len(widths)), key=lambda n: (widths[n] > least[n], widths[n]))
            if widths[at] <= least[at]:
                break
            widths[at] -= 1
        return [max(width, 1) for width in widths]
