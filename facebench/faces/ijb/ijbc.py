"""IJB-B and IJB-C in the form that circulates: two lists of templates, and loosely cropped faces.

``meta/ijbc_face_tid_mid.txt`` (image, template, medium), ``meta/ijbc_template_pair_label.txt`` (two
templates, 1 for mated), ``meta/ijbc_name_5pts_score.txt`` (image, x y of five points, detector's
score) and the images in ``loose_crop/`` (Whitelam et al. 2017; Maze et al. 2018).
"""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import plain_file, read_list, wrong_line
from facebench.faces.align.template import usable
from facebench.faces.ijb.templates import (
    TemplatePairs,
    TemplateSet,
    refuse_self_comparison,
    template_set,
)

IMAGES = "loose_crop"
_POINTS = 11  # ten coordinates and a score
_DIGITS = 10  # of a number below 2³¹


@dataclass(frozen=True, eq=False)
class FacePoints:
    """What the detector said of every face: five points, float64 5×2 by key, and its score."""

    landmarks: dict[str, NDArray[np.float64]]
    scores: dict[str, float]


def face_list(dataset: str) -> str:
    """The list of all faces, in ``meta``."""
    return f"{dataset}_face_tid_mid.txt"


def meta_folder(folder: Path, dataset: str) -> Path | None:
    """The ``meta`` folder of ``ijbb`` or ``ijbc`` in a folder or its ``IJBB``/``IJBC``, or None."""
    for root in (folder, folder / dataset.upper()):
        if (root / "meta" / face_list(dataset)).is_file():
            return root / "meta"
    return None


def read_ijbc(meta: Path, dataset: str) -> TemplatePairs:
    """Templates and comparisons; ids are numbers, people are unknown, labels are the list's.

    UserError with file and line: malformed rows, a template of the comparisons that has no face, a
    label that is neither 0 nor 1, a template compared with itself, comparisons of one kind.
    """
    templates = read_template_faces(meta / face_list(dataset))
    path = meta / f"{dataset}_template_pair_label.txt"
    rows = read_number_rows(path, 3, "two template numbers and a label")
    if (wrong := np.flatnonzero(rows[:, 2] > 1)).size:
        line = int(wrong[0])
        raise wrong_line(path, line + 1, f"the label is {rows[line, 2]}; it must be 0 or 1")
    mated = rows[:, 2] == 1
    left = templates.positions(rows[:, 0], path)
    right = templates.positions(rows[:, 1], path)
    del rows
    refuse_self_comparison(path, left, right)
    if mated.all() or not mated.any():
        kind = "mated" if mated.all() else "non-mated"
        raise UserError(f"{path}: all {len(mated)} comparisons are {kind}; both kinds are needed")
    return TemplatePairs(templates, left, right, mated)


def read_face_points(path: Path) -> FacePoints | None:
    """The detector's points and scores, or None where the list is absent.

    UserError with file and line: a row without ten coordinates and a score, or a face twice.
    """
    if not path.is_file():
        return None
    lines = _lines(path, "an image, ten coordinates and a score")
    names, numbers = [], []
    for number, line in enumerate(lines, 1):
        name, _, rest = line.partition(" ")
        if rest.count(" ") != _POINTS - 1:
            raise _bad_points(path, number, line)
        names.append(name)
        numbers.append(rest)
    try:
        values = np.array(" ".join(numbers).split(" "), dtype=np.float64)
    except ValueError:
        values = np.concatenate([_floats(path, n, row) for n, row in enumerate(numbers, 1)])
    table = values.reshape(-1, _POINTS)
    points = table[:, :10].reshape(-1, 5, 2)
    good = usable(points) & np.isfinite(table[:, 10])
    if not good.all():
        line_number = int(np.argmin(good))
        raise _bad_points(path, line_number + 1, lines[line_number])
    if len(set(names)) < len(names):
        seen: set[str] = set()
        for number, name in enumerate(names, 1):
            if name in seen:
                raise wrong_line(path, number, f"the face {name} has a row already")
            seen.add(name)
    scores = dict(zip(names, table[:, 10].tolist(), strict=True))
    return FacePoints(dict(zip(names, points, strict=True)), scores)


def read_template_faces(path: Path) -> TemplateSet:
    """All templates of ``face_tid_mid.txt``, whose people are not known; errors as `read_ijbc`."""
    faces: list[str] = []
    numbers: list[str] = []
    for number, line in enumerate(_lines(path, "an image, a template and a medium"), 1):
        fields = line.split()
        if len(fields) != 3 or not all(n.isdecimal() and len(n) <= _DIGITS for n in fields[1:]):
            raise wrong_line(
                path,
                number,
                f"expected an image, a template number and a medium number, not {line[:60]!r}",
            )
        faces.append(fields[0])
        numbers += fields[1:]
    table = np.array(numbers, dtype=f"U{_DIGITS}").astype(np.int64).reshape(-1, 2)
    if (wrong := np.flatnonzero(table.max(axis=1) >= 1 << 31)).size:
        raise wrong_line(path, int(wrong[0]) + 1, "the number is too large for a template")
    return template_set(path, table[:, 0], None, table[:, 1], faces, first=1)


def _lines(path: Path, what: str) -> list[str]:
    return [line.strip() for line in read_list(path, expected=f"rows of {what}")]


def _floats(path: Path, number: int, row: str) -> NDArray[np.float64]:
    try:
        return np.array(row.split(" "), dtype=np.float64)
    except ValueError:
        raise _bad_points(path, number, row) from None


def _bad_points(path: Path, number: int, line: str) -> UserError:
    return wrong_line(
        path, number, f"expected an image, x y of five points and a score, not {line[:60]!r}"
    )


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
            old_ends = None  # whether lines end with \r alone
            while chunk := file.read(_CHUNK):
                if old_ends is None:
                    old_ends = b"\r" in chunk and b"\n" not in chunk
                if old_ends:
                    chunk = chunk.replace(b"\r", b"\n")
                whole, newline, left = (rest + chunk).rpartition(b"\n")
                rest = left if newline else whole + left
                if len(rest) > _LONGEST:
                    raise wrong_line(path, rows + 1, f"expected {what}, not a line without end")
                if newline:
                    parts.append(_parse(path, whole + newline, columns, what, rows))
                    rows += len(parts[-1])
            if rest.strip():
                parts.append(_parse(path, rest + b"\n", columns, what, rows))
    except OSError as error:
        raise UserError(f"cannot read the list {path}: {error.strerror or error}") from error
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
            raise wrong_line(path, number, f"expected {what}, not {shown!r}") from None
        rows.append(values)
    return np.array(rows, dtype=np.int32).reshape(-1, columns)
