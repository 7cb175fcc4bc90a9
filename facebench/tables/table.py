"""The table: what every command shows, before any format; builders make it, writers take it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from facebench.base.errors import UserError, nearest

if TYPE_CHECKING:
    from facebench.figures.pages.drawings import Contrast
    from facebench.records.record import Record

Details = Literal["beside", "below", "small"]
HOW_TO_READ = "How to read this"
DASH = "–"  # nothing was measured, and nothing is missing


@dataclass(frozen=True)
class Cell:
    """A value as text, and what belongs to it.

    detail: its interval or a remark; value: the number or the words behind the text, to sort by;
    mark: ``▲ ▼ ≈`` against the reference; letters: of its footnotes; paper: what the paper says,
    and difference: how far the value is from that; told: of the mark, or, where there is none, why
    the value is missing.
    """

    text: str = ""
    detail: str = ""
    value: float | str | None = None
    mark: str = ""
    letters: str = ""
    paper: str = ""
    difference: str = ""
    told: str = ""

    @property
    def shows_value(self) -> bool:
        """Whether its text stands in pages: not a dash in place of which the paper has a value."""
        return self.text != DASH or not self.paper

    @property
    def sort_key(self) -> str:
        """What rows are sorted by: the number in full, or the words; nothing sorts last."""
        if self.value is None:
            return ""
        return self.value if isinstance(self.value, str) else repr(self.value)


@dataclass(frozen=True)
class Column:
    """A heading. left: it holds words, not numbers; aside: it stands apart from the first ones,
    in a table of its own that is folded where a format can fold; beside: it says something of the
    column before it, from which no format parts it.
    """

    heading: str
    left: bool = False
    aside: bool = False
    beside: bool = False


@dataclass(frozen=True)
class TableRow:
    """A cell per column, the first of which names the row; records: behind it; notes: on it."""

    cells: tuple[Cell, ...]
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table. notice: what must not be overlooked, above all else; verdict: what the table comes
    to, two sentences that stand before it, and any further ones, quieter; notes: what its signs
    mean, and what is unusual, below; reading: how to read it, folded; footnotes: (letter, text),
    with it.

    details: where a cell's detail stands in Markdown, small ones below the value and not in LaTeX.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    notice: str | None = None
    verdict: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    footnotes: tuple[tuple[str, str], ...] = ()
    signatures: tuple[str, ...] = ()
    details: Details = "beside"
    contrasts: tuple[Contrast, ...] = ()

    @property
    def headings(self) -> tuple[str, ...]:
        """Of all columns."""
        return tuple(column.heading for column in self.columns)

    @property
    def parts(self) -> tuple[Table, Table | None]:
        """The rows with the columns to be seen first, and those of the columns aside, if any."""
        first = [n for n, column in enumerate(self.columns) if not column.aside]
        aside = [0, *(n for n, column in enumerate(self.columns) if column.aside)]
        return self.only(first), self.only(aside) if len(aside) > 1 else None

    def only(self, numbers: Sequence[int]) -> Table:
        """The same rows with some of the columns."""
        columns = tuple(self.columns[n] for n in numbers)
        rows = tuple(replace(row, cells=tuple(row.cells[n] for n in numbers)) for row in self.rows)
        return replace(self, columns=columns, rows=rows)

    @property
    def records(self) -> list[Record]:
        """The records behind the rows."""
        return [record for row in self.rows for record in row.records]


@dataclass(frozen=True)
class Choice:
    """Which columns and rows of a table are shown, in the order of their names; none: all.

    A name is of every heading or row that holds it, in capitals or not; ``*`` stands for anything.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def require(self, tables: Sequence[Table]) -> None:
        """UserError where a name is in none of the tables."""
        names = [_row_name(row) for table in tables for row in table.rows]
        headings = [heading for table in tables for heading in table.headings[1:]]
        for option, wanted, known in (
            ("--columns", self.columns, headings),
            ("--rows", self.rows, names),
        ):
            for name in wanted:
                if not any(_is_named(one, name) for one in known):
                    listed = ", ".join(dict.fromkeys(known)) or "none"
                    raise UserError(f"{option} {name!r}: is none of {listed}{nearest(name, known)}")

    def of(self, table: Table) -> Table:
        """The table with what was chosen; whole where it has none of the columns, or of the rows.

        Columns that are named stand beside each other, those that stood aside, too.
        """
        rows = [row for name in self.rows for row in table.rows if _is_named(_row_name(row), name)]
        if rows:
            table = replace(table, rows=tuple({id(row): row for row in rows}.values()))
        found = dict.fromkeys(
            number
            for name in self.columns
            for number, heading in enumerate(table.headings)
            if number and _is_named(heading, name)
        )
        if not found:
            return table
        columns = tuple(replace(column, aside=False) for column in table.columns)
        return replace(table, columns=columns).only([0, *found])


EVERYTHING = Choice()


def _row_name(row: TableRow) -> str:
    return row.cells[0].text


def _is_named(text: str, name: str) -> bool:
    return fnmatchcase(text.casefold(), f"*{name.casefold()}*")


def columns_of(*headings: str) -> tuple[Column, ...]:
    """Columns of numbers behind one that names the rows."""
    return tuple(Column(heading, left=not number) for number, heading in enumerate(headings))


def list_of(
    headings: Sequence[str | Column], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()
) -> Table:
    """A list of what there is, without a title: words, except in columns that are given as such."""
    columns = (h if isinstance(h, Column) else Column(h, left=True) for h in headings)
    cells = (tuple(map(Cell, row)) for row in rows)
    return Table("", tuple(columns), rows_of(*cells), tuple(notes))


def facts_of(facts: Iterable[tuple[str, object]], title: str = "") -> Table:
    """Names and what they stand for."""
    rows = ((Cell(name), Cell(str(value))) for name, value in facts)
    return Table(title, (Column("", left=True), Column("", left=True)), rows_of(*rows))


def rows_of(*rows: tuple[Cell, ...]) -> tuple[TableRow, ...]:
    """Rows of nothing but cells."""
    return tuple(map(TableRow, rows))
