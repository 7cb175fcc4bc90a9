"""Long lists of whole numbers, three to a line, at the speed of a disk."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.opening import plain_file

_CHUNK = 1 << 25  # bytes that are parsed at a time
_LONGEST = 1 << 20  # bytes of a line
_SPACE, _NEWLINE, _ZERO = 32, 10, 48
_MOST = 1 << 31


def read_number_rows(path: Path, columns: int, what: str) -> NDArray[np.int32]:
    """The rows of a text file as int32 n×columns; row i is line i + 1 (blank lines end the file).

    The usual form (digits, one space between, one newline) is checked and parsed as a block;
    anything else is read line by line. what: of a row, for messages. UserError names file and line
    where a row has another number of fields, or one that is not a whole number of 0 to 2³¹ − 1, and
    where the file is empty, absent, or not text.
    """
    parts: list[NDArray[np.int32]] = []
    rows = 0
    try:
        with plain_file(path) as file:
            rest = file.read(len(BOM_UTF8)).removeprefix(BOM_UTF8)
            while chunk := file.read(_CHUNK):
                whole, newline, left = (rest + chunk).rpartition(b"\n")
                rest = left if newline else whole + left
                if len(rest) > _LONGEST:
                    raise UserError(f"{path}:{rows + 1}: expected {what}, not a line without end")
                if newline:
                    parts.append(_parse(path, whole + newline, columns, what, rows))
                    rows += len(parts[-1])
            if rest.strip():
                parts.append(_parse(path, rest + b"\n", columns, what, rows))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if not rows and not parts:
        raise UserError(f"{path} is empty; expected rows of {what}")
    return np.concatenate(parts)


def _parse(path: Path, text: bytes, columns: int, what: str, before: int) -> NDArray[np.int32]:
    letters = np.frombuffer(text, np.uint8)
    between = letters[letters < _ZERO]
    pattern = np.array([_SPACE] * (columns - 1) + [_NEWLINE], np.uint8)
    usual = (
        between.size % columns == 0
        and bool((between.reshape(-1, columns) == pattern).all())
        and int(letters.max()) <= _ZERO + 9
        and int(letters[0]) >= _ZERO
        and not bool(((letters[1:] < _ZERO) & (letters[:-1] < _ZERO)).any())  # no empty field
    )
    if usual:
        values = np.fromstring(text.decode("ascii"), dtype=np.int64, sep=" ")
        if values.size == between.size and int(values.max()) < _MOST:
            return values.astype(np.int32).reshape(-1, columns)
    return _parse_lines(path, text, columns, what, before)


def _parse_lines(
    path: Path, text: bytes, columns: int, what: str, before: int
) -> NDArray[np.int32]:
    """Line by line: tabs, commas and Windows line ends are read too; tells the first wrong line."""
    rows: list[list[int]] = []
    lines = text.rstrip().split(b"\n")
    for number, line in enumerate(lines, before + 1):
        fields = line.replace(b",", b" ").split()
        try:
            if len(fields) != columns or not all(field.isdigit() for field in fields):
                raise ValueError
            values = [int(field) for field in fields]
            if max(values) >= _MOST:
                raise ValueError
        except ValueError:
            shown = line[:60].decode("utf-8", "replace").strip()
            raise UserError(f"{path}:{number}: expected {what}, not {shown!r}") from None
        rows.append(values)
    return np.array(rows, dtype=np.int32).reshape(-1, columns)
