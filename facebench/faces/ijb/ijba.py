"""IJB-A's official folders: ten splits of templates to compare, and to search (Klare et al. 2015).

``IJB-A_11_sets/splitN/`` holds ``train_N.csv``, ``verify_metadata_N.csv`` (a row for every face of
every template) and ``verify_comparisons_N.csv`` (two template numbers a line, no header);
``IJB-A_1N_sets/splitN/`` holds ``train_N.csv``, ``search_gallery_N.csv``, ``search_probe_N.csv``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.opening import read_csv, wrong_line
from facebench.faces.ijb.ijbc import read_number_rows
from facebench.faces.ijb.templates import (
    Boxes,
    TemplatePairs,
    TemplateSearch,
    TemplateSet,
    refuse_self_comparison,
    template_set,
)

VERIFICATION, SEARCH = "IJB-A_11_sets", "IJB-A_1N_sets"


@dataclass(frozen=True, eq=False)
class IjbaVerification:
    """The splits of the 1:1 protocol; boxes: of every face, x, y, width, height in its image."""

    splits: tuple[TemplatePairs, ...]
    boxes: Boxes


@dataclass(frozen=True, eq=False)
class IjbaSearch:
    """The splits of the 1:N protocol, each with a gallery of its own; boxes: of every face."""

    splits: tuple[TemplateSearch, ...]
    boxes: Boxes


def read_ijba_verification(folder: Path, splits: int) -> IjbaVerification:
    """The lists of ``IJB-A_11_sets``: metadata and comparisons of splits 1 to ``splits``.

    UserError with file and line: what is absent or malformed, a comparison of a template that the
    metadata do not have, a template compared with itself, a split with comparisons of one kind.
    What stands twice counts as listed: `facebench.faces.lfw.remarks` tells how much that is.
    """
    folders = _split_folders(folder, VERIFICATION, splits)
    lists = [read_face_rows(path / f"verify_metadata_{n}.csv") for n, path in folders.items()]
    boxes: Boxes = {}
    faces = faces_of_images(lists)
    found = []
    for rows, (number, path) in zip(lists, folders.items(), strict=True):
        templates = templates_of(rows, boxes, faces)
        found.append(_comparisons(templates, path / f"verify_comparisons_{number}.csv"))
    return IjbaVerification(tuple(found), boxes)


def read_ijba_search(folder: Path, splits: int) -> IjbaSearch:
    """The lists of ``IJB-A_1N_sets``: gallery and probes of splits 1 to ``splits``.

    UserError with file and line: what is absent or malformed, a gallery with two templates of one
    person (two galleries in one: they are to be searched apart), a split without mated or without
    non-mated probes.
    """
    folders = _split_folders(folder, SEARCH, splits)
    names = ("search_gallery", "search_probe")
    lists = [read_face_rows(path / f"{s}_{n}.csv") for n, path in folders.items() for s in names]
    boxes: Boxes = {}
    faces = faces_of_images(lists)
    sets = [templates_of(rows, boxes, faces) for rows in lists]
    found = [TemplateSearch(*pair) for pair in zip(sets[::2], sets[1::2], strict=True)]
    for search in found:
        require_searches(search)
    return IjbaSearch(tuple(found), boxes)


def has_ijba_lists(folder: Path, sets: str) -> bool:
    """Whether a folder holds ``sets`` (one of the two), with a first split."""
    return (folder / sets / "split1").is_dir()


def _split_folders(folder: Path, sets: str, splits: int) -> dict[int, Path]:
    found = {number: folder / sets / f"split{number}" for number in range(1, splits + 1)}
    for path in found.values():
        if not path.is_dir():
            raise UserError(
                f"there is no folder {path}; --data must hold {sets}/split1 to split{splits}"
            )
    return found


def _comparisons(templates: TemplateSet, path: Path) -> TemplatePairs:
    pairs = read_number_rows(path, 2, "two template numbers")
    left, right = (templates.positions(side, path) for side in pairs.T)
    refuse_self_comparison(path, left, right)
    assert templates.subjects is not None
    mated = templates.subjects[left] == templates.subjects[right]
    if mated.all() or not mated.any():
        kind = "mated" if mated.all() else "non-mated"
        raise UserError(f"{path}: all {len(mated)} comparisons are {kind}; both kinds are needed")
    return TemplatePairs(templates, left, right, np.asarray(mated))


def require_searches(search: TemplateSearch) -> None:
    """UserError: a gallery with two templates of one person, or probes of one kind."""
    people, probes = search.gallery.subjects, search.probes.subjects
    assert people is not None and probes is not None
    numbers, counts = np.unique(people, return_counts=True)
    if (counts > 1).any():
        raise UserError(
            f"{search.gallery.path}: subject {numbers[counts > 1][0]} has {counts.max()} templates "
            "in the gallery; two galleries are searched apart, never merged"
        )
    mated = np.isin(probes, people)
    if mated.all() or not mated.any():
        whose = "every probe's person is" if mated.all() else "no probe's person is"
        raise UserError(
            f"{search.probes.path}: {whose} in {search.gallery.path.name}; both kinds are needed"
        )


# The official order begins so; attributes of the photograph follow, which nothing here depends on.
OFFICIAL_COLUMNS = (
    *("TEMPLATE_ID", "SUBJECT_ID", "FILE", "MEDIA_ID", "SIGHTING_ID", "FRAME"),
    *("FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT"),
    *("RIGHT_EYE_X", "RIGHT_EYE_Y", "LEFT_EYE_X", "LEFT_EYE_Y", "NOSE_BASE_X", "NOSE_BASE_Y"),
)
_NUMBERS = ("TEMPLATE_ID", "SUBJECT_ID", "MEDIA_ID")
_BOX = ("FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT")
NEEDED = ("TEMPLATE_ID", "SUBJECT_ID", "FILE", "MEDIA_ID", *_BOX)
_FIRST = 2  # the line of the first row
ImageFaces = dict[str, list[tuple[float, float, float, float]]]  # boxes of the faces of an image


@dataclass(frozen=True, eq=False)
class FaceRows:
    """The rows of one list: numbers int64 R×3 (template, subject, medium), files, boxes R×4.

    A box is x, y, width, height in pixels of the image, NaN where the list leaves it blank.
    """

    path: Path
    numbers: NDArray[np.int64]
    files: tuple[str, ...]
    boxes: NDArray[np.float64]


def read_face_rows(path: Path) -> FaceRows:
    """The faces of a list; columns are found by name, in whatever order, and others are ignored.

    UserError with file and line: absent or empty, not UTF-8 text, no header, a column missing, a
    number that is none, a row without an image, a box without an area.
    """
    lines = read_csv(path, expected="a header and a row for every face")
    _, header = next(lines)
    columns = _columns(path, header)
    numbers: list[tuple[int, ...]] = []
    files: list[str] = []
    boxes: list[tuple[float, ...]] = []
    for number, row in lines:
        if len(row) <= max(columns.values()):
            raise wrong_line(path, number, f"{len(row)} fields where the header has {len(header)}")
        numbers.append(
            tuple(whole_number(path, number, name, row[columns[name]]) for name in _NUMBERS)
        )
        files.append(row[columns["FILE"]])
        if not files[-1]:
            raise wrong_line(
                path, number, f"template {numbers[-1][0]} has a row without an image (FILE)"
            )
        boxes.append(_box(path, number, [row[columns[name]] for name in _BOX]))
    if not files:
        raise UserError(f"{path} has a header and no row; expected a row for every face")
    return FaceRows(path, np.array(numbers, np.int64), tuple(files), np.array(boxes, np.float64))


def templates_of(rows: FaceRows, boxes: Boxes, faces: ImageFaces) -> TemplateSet:
    """The templates of a list, whose faces' boxes are added to ``boxes``.

    faces: of the images of this list and of those that are read with it, by `faces_of_images`.
    """
    keys = []
    for file, box in zip(rows.files, rows.boxes.tolist(), strict=True):
        known = faces[file]
        face = known[int(np.argmax([_overlap(other, box) for other in known]))]
        keys.append(file if len(known) == 1 else face_key(file, face))
        boxes[keys[-1]] = face
    template, subject, medium = rows.numbers.T
    return template_set(rows.path, template, subject, medium, keys, _FIRST)


def faces_of_images(lists: Sequence[FaceRows]) -> ImageFaces:
    """The faces of every image, as the boxes that the lists name first.

    One face may have several boxes: the official lists write one box with nine decimals in one
    split and with ten in another, and frame 30091_00000 has two boxes of one face, 2.3 pixels
    apart. So what overlaps by more than half is one face; of several, it is the one that a box
    overlaps most.
    """
    found: ImageFaces = {}
    for rows in lists:
        for file, (x, y, width, height) in zip(rows.files, rows.boxes.tolist(), strict=True):
            known = found.setdefault(file, [])
            if all(_overlap(other, (x, y, width, height)) <= 0.5 for other in known):
                known.append((x, y, width, height))
    return found


def face_key(file: str, box: Sequence[float]) -> str:
    """``file#x,y,width,height``: one face of an image that has several."""
    return f"{file}#{','.join(f'{value:.10g}' for value in box)}"


def _overlap(box: Sequence[float], other: Sequence[float]) -> float:
    """The share that both cover of the area that they cover together; 1 where both are blank."""
    if tuple(box) == tuple(other):
        return 1.0
    if math.isnan(box[0]) or math.isnan(other[0]):
        return float(math.isnan(box[0]) and math.isnan(other[0]))
    (x, y, width, height), (u, v, across, down) = box, other
    shared = max(0.0, min(x + width, u + across) - max(x, u))
    shared *= max(0.0, min(y + height, v + down) - max(y, v))
    return shared / (width * height + across * down - shared)


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    found = {name.strip().upper(): number for number, name in enumerate(header)}
    if "FILE" not in found and "FILENAME" in found:  # as IJB-B and IJB-C call it
        found["FILE"] = found["FILENAME"]
    if not found.keys() & set(OFFICIAL_COLUMNS):
        shown = ",".join(header)
        raise wrong_line(
            path,
            1,
            f"the first line must be the header {','.join(OFFICIAL_COLUMNS[:4])},... "
            f"(separated by commas), not {shown[:60]!r}",
        )
    for name in NEEDED:
        if name not in found:
            hint = nearest(name, found)
            raise wrong_line(
                path,
                1,
                f"the header has no column {name}{hint} (columns: {', '.join(found) or 'none'})",
            )
    return {name: found[name] for name in NEEDED}


def whole_number(path: Path, line: int, name: str, text: str) -> int:
    """A number of 0 to 2³¹ − 1 in a column of a list; UserError with file and line: another."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 31:
        raise wrong_line(path, line, f"{name} is {text!r}; it must be a whole number")
    return value


def _box(path: Path, line: int, fields: list[str]) -> tuple[float, ...]:
    if not any(field.strip() for field in fields):
        return (math.nan,) * 4
    try:
        box = tuple(float(field) for field in fields)
    except ValueError:
        box = (math.nan,) * 4
    if not all(map(math.isfinite, box)) or min(box[2:]) <= 0:
        raise wrong_line(
            path,
            line,
            f"the face box is {','.join(fields)}; expected x, y, width and height in pixels",
        )
    return box
