"""A table of a user's, CSV or Parquet, as columns of text whose rows can be named in errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError, nearest
from facebench.base.opening import LIST, read_csv, reading, require_plain, wrong_line

PARQUET = (".parquet", ".pq")
_OTHER_MARKS = re.compile("[;\t]")  # between fields, as spreadsheets of many countries write
_TRUE, _FALSE = ("1", "true", "1.0"), ("0", "false", "0.0")


@dataclass(frozen=True, eq=False)
class TextTable:
    """TextTable by name, text without blanks around it, empty where there is nothing.

    lines: of every row, in a CSV file; of Parquet rows are counted from 1.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    counted: str = "line"

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def wrong(self, row: int, what: str) -> UserError:
        """The one line about a row, counted from 0."""
        if self.counted == "line":
            return wrong_line(self.path, self.lines[row], what)
        return UserError(f"{self.path}, {self.counted} {self.lines[row]}: {what}")

    def require(self, *names: str, what: str) -> None:
        """UserError where a column is not there; what: needs it, in words."""
        for name in names:
            if name not in self.columns:
                there = ", ".join(self.columns)
                raise UserError(
                    f"{self.path} has no column {name!r}{nearest(name, self.columns)} (it has "
                    f"{there}); {what}"
                )

    def filled(self, name: str) -> Sequence[str]:
        """A column without gaps; UserError names the first row that has nothing there."""
        column = self.columns[name]
        if "" in column:
            raise self.wrong(column.index(""), f"{name} is empty")
        return column

    def flags(self, name: str) -> list[bool]:
        """A column of 1 and 0, or true and false; UserError: something else."""
        found = []
        for row, text in enumerate(self.filled(name)):
            low = text.lower()
            if low not in (*_TRUE, *_FALSE):
                raise self.wrong(row, f"{name} is {text!r:.40}, neither 1 (one person) nor 0 (two)")
            found.append(low in _TRUE)
        return found


def is_table(path: Path, *names: str) -> bool:
    """Whether a file is a table by its ending and, of CSV, by one of the names in its heading."""
    if path.suffix.lower() in PARQUET:
        return True
    if path.suffix.lower() != ".csv":
        return False
    heading = next(read_csv(path, "the table", "a heading and rows"), (1, []))[1]
    fields = [part.strip() for field in heading for part in _OTHER_MARKS.split(field)]
    return bool({field.lower() for field in fields} & set(names))


def read_columns(path: Path, renamed: Mapping[str, str] | None = None) -> TextTable:
    """Read a CSV file with a heading, or a Parquet file.

    renamed: our name of a column → its name in the file. Names are in small letters. UserError:
    no table, no row, a row that is longer or shorter than the heading, a column twice.
    """
    table = _parquet(path) if path.suffix.lower() in PARQUET else _csv(path)
    ours = {theirs.lower(): name for name, theirs in (renamed or {}).items()}
    columns = {ours.get(name, name): column for name, column in table.columns.items()}
    if not len(table):
        raise UserError(f"{path} has no row below its heading")
    return TextTable(path, columns, table.lines, table.counted)


def _csv(path: Path) -> TextTable:
    rows = read_csv(path, "the table", "a heading and rows")
    line, heading = next(rows)
    if len(heading) == 1 and (mark := _OTHER_MARKS.search(heading[0])):
        word = "semicolons" if mark[0] == ";" else "tabs"
        raise wrong_line(
            path,
            line,
            f"{word} stand between the fields; save the table with commas between them, and with "
            "points in its numbers (0.5, not 0,5)",
        )
    names = [field.lower() for field in heading]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise wrong_line(path, line, f"the heading names the column {twice!r} twice")
    columns: list[list[str]] = [[] for _ in names]
    lines, known = [], dict[str, str]()  # one string for all that are equal: a million rows
    for line, fields in rows:
        if not any(fields):
            continue
        if len(fields) != len(names):
            raise wrong_line(path, line, f"{len(fields)} fields under a heading of {len(names)}")
        lines.append(line)
        for column, field in zip(columns, fields, strict=True):
            column.append(known.setdefault(field, field))
    return TextTable(path, dict(zip(names, columns, strict=True)), lines)


def _parquet(path: Path) -> TextTable:
    try:
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            f"{path}: Parquet is read by pyarrow, which is not installed; install "
            "facebench[parquet], or save the table as CSV"
        ) from None
    require_plain(path, "the table", LIST)
    with reading(path, "cannot be read as Parquet"), path.open("rb") as file:
        values: dict[str, list[Any]] = parquet.read_table(file).to_pydict()
    columns = {str(name).lower(): list(map(_text, column)) for name, column in values.items()}
    length = len(next(iter(columns.values()), []))
    return TextTable(path, columns, range(1, length + 1), "row")


def _text(value: object) -> str:
    """Text of a value; nothing of null and of NaN, which pandas writes for it."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
