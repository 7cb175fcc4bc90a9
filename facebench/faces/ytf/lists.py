"""The lists of YouTube Faces: pairs of videos in ten splits, and the box of the face per frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import read_rows, wrong_line
from facebench.faces.lfw.lists import number_of

_COLUMNS = "split number, pair number, first name, second name, is same"
_LONGEST = 200  # characters in a name
_COLUMN_WORD = re.compile(r"\b(split|fold|pair|number|name|video|person|same)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class VideoPair:
    """One comparison: both videos (``Person/0``), its label, its fold (from 1), both people."""

    left: str
    right: str
    mated: bool
    fold: int
    left_person: str
    right_person: str


@dataclass(frozen=True)
class VideoPairs:
    """Comparisons of videos in the order of the list."""

    pairs: tuple[VideoPair, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    def videos(self) -> list[str]:
        """Every video that the list names, sorted, once each."""
        return sorted({video for pair in self.pairs for video in (pair.left, pair.right)})

    def people(self) -> list[str]:
        """Every person of the list, sorted, once each."""
        return sorted({person_of(video) for video in self.videos()})


@dataclass(frozen=True, slots=True)
class Box:
    """Where a face is in its frame: the centre, width and height, in pixels."""

    x: float
    y: float
    width: float
    height: float


def person_of(video: str) -> str:
    """``Person`` of ``Person/0``."""
    return video.partition("/")[0]


def video_of(frame: str) -> str:
    """``Person/0`` of ``Person/0/0.1.jpg``."""
    return frame.rpartition("/")[0]


def read_splits(path: str | Path) -> VideoPairs:
    """Parse ``splits.txt``: comma-separated split, number, video, video, and 1 for the same person.

    The official file's header line may be absent; a first line that is neither a header nor a pair
    is refused. Splits are numbered from 1 without a gap, no number within a split appears twice,
    and labels agree with the names. UserError with file and line for anything else.
    Source: Wolf, Hassner, Maoz 2011; the README of the official distribution.
    """
    path = Path(path)
    pairs: list[VideoPair] = []
    numbers: set[tuple[int, int]] = set()
    rows, last = list(_rows(path)), 1
    if rows and _is_header(rows[0][1]):
        del rows[0]
    for line, fields in rows:
        if len(fields) != 5:
            raise wrong_line(path, line, f"expected 5 columns ({_COLUMNS}), found {len(fields)}")
        fold, number = number_of(path, line, fields[0]), number_of(path, line, fields[1])
        if (fold, number) in numbers:
            raise wrong_line(path, line, f"pair {number} of split {fold} was there already")
        numbers.add((fold, number))
        pairs.append(_pair(path, line, fields, fold))
        last = line
    _require_folds(path, last, pairs)
    return VideoPairs(tuple(pairs))


def read_boxes(path: Path, person: str) -> dict[str, Box]:
    """The face boxes of ``Person.labeled_faces.txt`` by key, ``Person/video/video.frame.jpg``.

    Its rows are ``Person\\video\\frame.jpg,0,x,y,width,height,0,0``; x, y are the *centre* of the
    face (README of the official distribution), in pixels. UserError with file and line.
    """
    boxes: dict[str, Box] = {}
    for line, fields in _rows(path):
        if len(fields) != 8:
            form = "file,0,x,y,width,height,0,0"
            raise wrong_line(path, line, f"expected 8 columns ({form}), found {len(fields)}")
        key = fields[0].replace("\\", "/")
        if key.count("/") != 2 or person_of(key) != person:
            raise wrong_line(
                path, line, f"{key[:60]!r} is no frame of {person} (Person\\video\\frame.jpg)"
            )
        try:
            x, y, width, height = (float(text) for text in fields[2:6])
        except ValueError:
            raise wrong_line(path, line, "x, y, width and height must be numbers") from None
        if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
            raise wrong_line(path, line, "the box must be finite, with a width and height above 0")
        box = Box(x, y, width, height)
        if boxes.setdefault(key, box) != box:
            raise wrong_line(path, line, f"{key} has a row with another box already")
    return boxes


def find_splits(*folders: Path) -> Path | None:
    """``splits.txt`` in the first of the folders, or their ``meta_data``, that has it, or None."""
    inside = [folder / "meta_data" for folder in folders]
    for folder in dict.fromkeys((*folders, *inside)):
        if (folder / "splits.txt").is_file():
            return folder / "splits.txt"
    return None


def _is_header(fields: list[str]) -> bool:
    """Words for columns, and nothing that a damaged row still has: a number, or a video."""
    named = sum(_COLUMN_WORD.search(field) is not None for field in fields)
    return named > 1 and not any(
        field.isdecimal() or re.search(r"[/\\]", field) for field in fields
    )


def _pair(path: Path, line: int, fields: list[str], fold: int) -> VideoPair:
    left, right = _video(path, line, fields[2]), _video(path, line, fields[3])
    if fields[4] not in ("0", "1"):
        raise wrong_line(
            path, line, f"the last column must be 1 (same person) or 0, not {fields[4][:20]!r}"
        )
    if left == right:
        raise wrong_line(path, line, f"{left} is compared with itself")
    mated, first, second = fields[4] == "1", person_of(left), person_of(right)
    if mated != (first == second):
        says = "the same person" if mated else "different people"
        raise wrong_line(path, line, f"{left} and {right} are labelled {says}, against their names")
    return VideoPair(left, right, mated, fold, first, second)


def _require_folds(path: Path, line: int, pairs: list[VideoPair]) -> None:
    if not pairs:
        raise UserError(f"{path} holds no pair; expected rows of {_COLUMNS}")
    folds = {pair.fold for pair in pairs}
    if gaps := set(range(1, max(folds) + 1)) - folds:
        raise wrong_line(
            path,
            line,
            f"the list ends without a pair of split {min(gaps)}; splits are numbered from 1 to "
            f"{max(folds)} without a gap",
        )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with the numbers of their lines, cut at commas."""
    for number, line in read_rows(path):
        fields = [field.strip() for field in line.split(",")]
        while fields and not fields[-1]:  # spreadsheets end all rows alike
            fields.pop()
        yield number, fields


def _video(path: Path, line: int, text: str) -> str:
    name = text.replace("\\", "/")
    parts = name.split("/")
    good = len(parts) == 2 and all(part and not part.startswith(".") for part in parts)
    if not good or not name.isprintable() or len(name) > _LONGEST:
        raise wrong_line(path, line, f"{text[:40]!r} is not a video (Person/number)")
    return name
