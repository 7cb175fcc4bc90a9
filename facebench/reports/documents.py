"""The tables and figures of README and docs, written from the committed records.

A document holds its figures between comments, and each is of a report card, in ``docs/tables`` or
in ``reports``::

    <!-- table zoo -->                              the whole table, of photographs
    <!-- table zoo synthetic -->                    of rendered faces
    <!-- figure zoo sparse_074 accuracy -->         one cell; a third word: ``synthetic``
    <!-- against zoo sparse_074 accuracy -->        the difference from the row's reference
    <!-- spearman zoo accuracy -->                  of a column's values, photographs and rendered
    <!-- rows ablation -->                          ``ablation.csv``, as ``ablation.toml`` says

each followed by what is written here, and by ``<!-- end -->``. ``python -m
facebench.reports.documents PAGES`` writes them again; with ``--check`` it only says
which are out of date.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from scipy.stats import spearmanr

from facebench.base.errors import UserError, in_one_line, nearest
from facebench.base.opening import read_text, reading
from facebench.base.storage import write_atomically
from facebench.base.text import percent, points
from facebench.base.validation import Strict, Text, read_toml, validated
from facebench.records.find import Finder
from facebench.reports.build import fill_card
from facebench.reports.card import load_report, read_report
from facebench.reports.cells import FilledCard, FilledCell
from facebench.reports.table import meaning_of, report_columns, shown, writers_of
from facebench.tables.markdown import grid, plain
from facebench.tables.table import DASH, Cell, Column, Table, TableRow
from facebench.tables.text import points_text

PLACE = re.compile(r"<!-- (table|figure|against|spearman|rows) ([^>]+?) -->(.*?)<!-- end -->", re.S)
_SYNTHETIC = "synthetic"
_FORMS: dict[str, Callable[..., str]] = {
    "text": str,
    "count": lambda text: f"{int(text):,}",
    "percent": lambda text: percent(float(text)),
    "share": lambda text: f"{float(text):.3f}",
    "points": lambda *texts: "{} [{}, {}]".format(*(points(float(text)) for text in texts)),
}


class RowsColumn(Strict):
    """A column of a page, of fields of a CSV file: one, or of points a difference and its ends."""

    heading: Text
    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    form: Literal["text", "count", "percent", "share", "points"] = "text"


class RowsCard(Strict):
    """What a page shows of a CSV file; needs: the field without which a row is left out."""

    needs: str
    columns: Annotated[tuple[RowsColumn, ...], Field(min_length=1)]


class Documents:
    """Writes what the places of documents ask for; cards are read and filled once."""

    def __init__(self, cards: Path) -> None:
        self.cards, self.finder = cards, Finder.of(cache=False)
        self._cards: dict[str, dict[str, FilledCard]] = {}

    def renewed(self, text: str) -> str:
        """The document with all its places as the records have them.

        UserError: a place that asks for what there is not.
        """
        return PLACE.sub(self._place, text)

    def _place(self, found: re.Match[str]) -> str:
        what, words = found[1], found[2].split()
        kind = "real"
        if words[-1] == _SYNTHETIC:
            kind = words.pop()
        needed = {"table": 1, "figure": 3, "against": 3, "spearman": 2, "rows": 1}[what]
        if len(words) != needed:
            raise UserError(f"{what} {found[2]}: needs {needed} words, a card's name first")
        value = getattr(self, f"_{what}")(kind, *words)
        return f"<!-- {what} {found[2]} -->{value}<!-- end -->"

    def _table(self, kind: str, name: str) -> str:
        filled = self._of(name, kind)
        writers = writers_of(filled)
        rows = (TableRow((Cell(r.row.label), *map(_cell, r.cells, writers))) for r in filled.rows)
        table = Table("", report_columns(filled), tuple(rows), details="below")
        notes = "; ".join([*meaning_of(filled), *filled.card.notes])
        notice = f"\n**{plain(filled.notice)}**\n" if filled.notice else ""
        told = f"\n<sub>{plain(notes)}.</sub>\n" if notes else ""
        return f"\n{notice}\n" + "\n".join(grid(table)) + f"\n{told}\n"

    def _figure(self, kind: str, name: str, row: str, column: str) -> str:
        return shown(self._cell_of(name, kind, row, column)).text

    def _against(self, kind: str, name: str, row: str, column: str) -> str:
        return _against(self._cell_of(name, kind, row, column))

    def _spearman(self, kind: str, name: str, column: str) -> str:
        both = [self._column(name, one, column) for one in ("real", _SYNTHETIC)]
        rows = [row for row in both[0] if row in both[1]]
        found = spearmanr(*([values[row] for row in rows] for values in both))
        return f"{found.statistic:.2f}"

    def _rows(self, kind: str, name: str) -> str:
        path = self.cards / f"{name}.toml"
        card = validated(RowsCard, read_toml(path), str(path))
        beside = path.with_suffix(".csv")
        text = read_text(beside, "the table")
        with reading(beside, "cannot be read as CSV"):
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
        asked = [card.needs, *(field for one in card.columns for field in one.fields)]
        if unknown := next((field for field in asked if any(field not in row for row in rows)), ""):
            raise UserError(f"{path}: {name}.csv has no field {unknown!r}")
        rows = [row for row in rows if row[card.needs]]
        columns = tuple(Column(one.heading, left=one.form == "text") for one in card.columns)
        with reading(beside, f"a field is not of the form that {path.name} says"):
            cells = [TableRow(tuple(_field(row, one) for one in card.columns)) for row in rows]
        return "\n\n" + "\n".join(grid(Table("", columns, tuple(cells)))) + "\n\n"

    def _column(self, name: str, kind: str, key: str) -> dict[str, float]:
        found = {}
        for row in self._of(name, kind).rows:
            cell = next(cell for cell in row.cells if cell.column.key == key)
            if cell.number is not None:
                found[row.row.label] = cell.number
        return found

    def _cell_of(self, name: str, kind: str, row: str, column: str) -> FilledCell:
        rows = {r.row.model: r for r in self._of(name, kind).rows if r.row.model}
        if row not in rows:
            raise UserError(f"table {name!r} has no model {row!r}{nearest(row, list(rows))}")
        cells = {cell.column.key: cell for cell in rows[row].cells}
        if column not in cells:
            raise UserError(
                f"table {name!r} has no column {column!r}{nearest(column, list(cells))}"
            )
        return cells[column]

    def _of(self, name: str, kind: str) -> FilledCard:
        if name not in self._cards:
            own = self.cards / f"{name}.toml"
            card = read_report(own) if own.is_file() else load_report(name)
            made: dict[str, FilledCard] = {}
            for filled in fill_card(card, self.finder):
                made.setdefault(filled.kind or "real", filled)
            self._cards[name] = made
        if kind not in self._cards[name]:
            raise UserError(f"no records of {kind} faces for table {name!r}")
        return self._cards[name][kind]


def _cell(cell: FilledCell, write: Callable[[float], str]) -> Cell:
    """The value; below it the difference from the reference, or else its own interval."""
    found = shown(cell, write)
    below = _against(cell) if cell.paired else "" if cell.reference else found.detail
    return Cell(found.text, below, paper=found.paper)


def _field(row: dict[str, str], column: RowsColumn) -> Cell:
    texts = [row[name] for name in column.fields]
    return Cell(_FORMS[column.form](*texts) if all(texts) else DASH)


def _against(cell: FilledCell) -> str:
    """``−0.25 [−0.68, +0.18] ▼``: the difference in points, its interval, its mark."""
    if cell.paired is None:
        return "–"
    parts = (points(cell.paired.difference), points_text(cell.paired.interval), cell.mark)
    return " ".join(filter(None, parts))


def main(arguments: Sequence[str]) -> int:
    """Write the documents named again, or with ``--check`` say which would change."""
    check = "--check" in arguments
    paths = [Path(argument) for argument in arguments if argument != "--check"]
    documents, changed = Documents(Path("docs") / "tables"), 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        with in_one_line(str(path)):
            new = documents.renewed(text)
        if new != text:
            changed += 1
            print(f"{path}: {'out of date; `make tables` renews it' if check else 'renewed'}")
            if not check:
                write_atomically(path, new.encode())
    return int(check and changed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
