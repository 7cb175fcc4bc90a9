"""The lists of the official LFW format: who is compared with whom, and who is in which fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import read_csv, read_rows, wrong_line
from facebench.faces.types import FaceSource

ListRow = tuple[int, list[str]]  # number of the line, fields
FOLDS = 10  # that a list without any is cut into
LONGEST_NAME = 200  # bytes; with its number and .jpg it stays below the 255 of file systems


@dataclass(frozen=True, slots=True)
class Pair:
    """One comparison: keys of both images, its label, its fold (from 0), and both people."""

    left_key: str
    right_key: str
    mated: bool
    fold: int
    left_person: str
    right_person: str


@dataclass(frozen=True)
class PairList:
    """Comparisons in the order of the list.

    cut: the list has one fold, and these are ours; remarks: what else records must say of how it
    was read; columns: further columns of a table, text by name, a row for every comparison.
    """

    pairs: tuple[Pair, ...]
    cut: bool = False
    remarks: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len({pair.fold for pair in self.pairs})

    def keys(self) -> list[str]:
        """Every image that the list names, sorted, once each."""
        return sorted({key for pair in self.pairs for key in (pair.left_key, pair.right_key)})

    def people(self) -> dict[str, str]:
        """The person of every image, by the image's key."""
        named: dict[str, str] = {}
        for pair in self.pairs:
            named[pair.left_key] = pair.left_person
            named[pair.right_key] = pair.right_person
        return named


@dataclass(frozen=True)
class Person:
    """One person of ``people.txt``: name, number of images, fold (from 0)."""

    name: str
    images: int
    fold: int

    def keys(self) -> list[str]:
        """Keys of all images of this person."""
        return [image_key(self.name, number) for number in range(1, self.images + 1)]


def image_key(name: str, number: int) -> str:
    """``Name/Name_0001.jpg``."""
    return f"{name}/{name}_{number:04d}.jpg"


def read_pairs(path: str | Path) -> PairList:
    """Parse ``pairs.txt``: ``folds<TAB>n``, then per fold n mated and n non-mated lines.

    Mated: ``name i j``; non-mated: ``name i name j`` (Huang et al. 2007). A header of one number
    is a list of one fold (``pairsDevTest.txt``), which is cut into ten: see `in_folds`. A ``.csv``
    is read as Kaggle's edition has it: see `_csv_pairs`. UserError with file and line for anything
    else.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return in_folds(_csv_pairs(path))
    rows = fields_of_rows(path)
    line, header = next(rows, (1, []))
    header = [field for field in header if field]
    if len(header) not in (1, 2) or not all(map(is_number, header)):
        raise wrong_line(
            path,
            line,
            "expected the header of the format of LFW, the number of folds and of pairs of each "
            f"kind in a fold, such as `10 300`, found {_short(' '.join(header))}; write the list "
            "in that format (docs/formats/lists.md)",
        )
    numbers = list(map(int, header))
    folds, count = numbers if len(numbers) == 2 else [1, *numbers]
    pairs: list[Pair] = []
    for fold in range(folds):
        for mated in (True, False):
            for _ in range(count):
                pairs.append(
                    lfw_pair(path, *_next(path, rows, _expected(mated, fold)), mated, fold)
                )
    _end(path, rows, f"{folds} folds of {count} mated and {count} non-mated pairs")
    return in_folds(pairs)


def in_folds(pairs: Sequence[Pair], most: int = FOLDS) -> PairList:
    """A list of pairs; of one fold, its mated and its non-mated pairs are each cut into ten runs.

    For a threshold is never chosen on the pairs that it is tested on. There are fewer folds where
    a kind has fewer pairs, and the one where it has one. most: other than ten.
    """
    kinds = [[i for i, pair in enumerate(pairs) if pair.mated is mated] for mated in (True, False)]
    folds = min(most, *map(len, kinds))
    if len({pair.fold for pair in pairs}) != 1 or folds < 2:
        return PairList(tuple(pairs))
    fold_of = {row: n * folds // len(rows) for rows in kinds for n, row in enumerate(rows)}
    return PairList(tuple(replace(pair, fold=fold_of[i]) for i, pair in enumerate(pairs)), cut=True)


_MATCH, _MISMATCH = "matchpairs", "mismatchpairs"


def _csv_pairs(path: Path) -> list[Pair]:
    """Pairs of a CSV with the heading ``name,imagenum1,imagenum2,``: mated ``name,i,j`` and
    non-mated ``name,i,name,j`` (``pairs.csv``). A mated pair after a non-mated one begins a fold.

    ``matchpairsDevTest.csv`` and ``mismatchpairsDevTest.csv`` are one list of one fold, whichever
    is named.
    """
    name = path.name.lower()
    parts = [path]
    if name.startswith((_MATCH, _MISMATCH)):
        own = path.name[len(_MATCH if name.startswith(_MATCH) else _MISMATCH) :]
        parts = [path.with_name(f"{start}{own}") for start in (_MATCH, _MISMATCH)]
    pairs: list[Pair] = []
    for part in parts:
        rows = read_csv(part, "the list of pairs", "rows of name,imagenum1,imagenum2")
        line, heading = next(rows)
        if [field.lower() for field in heading[:2]] != ["name", "imagenum1"]:
            raise wrong_line(
                part,
                line,
                "expected the heading name,imagenum1,imagenum2 (of Kaggle's pairs.csv); a list in "
                "the form of LFW's pairs.txt is called so",
            )
        for line, fields in rows:
            fields = [field for field in fields if field]
            if not fields:
                continue
            mated = len(fields) == 3
            fold = pairs[-1].fold if pairs else 0
            fold += bool(mated and pairs and not pairs[-1].mated)
            pairs.append(lfw_pair(part, line, fields, mated, fold))
    if len({(pair.fold, pair.mated) for pair in pairs}) != 2 * (pairs[-1].fold + 1 if pairs else 1):
        raise UserError(f"{path}: every fold needs mated pairs (name,i,j) and non-mated ones")
    return pairs


def read_people(path: str | Path) -> list[Person]:
    """Parse ``people.txt``: number of folds, then per fold a number and ``name<TAB>images`` lines.

    UserError with file and line for anything else.
    """
    path = Path(path)
    rows = fields_of_rows(path)
    folds = _count_line(path, *_next(path, rows, "the number of folds"))
    people = []
    for fold in range(folds):
        for _ in range(_count_line(path, *_next(path, rows, f"the people of fold {fold + 1}"))):
            line, fields = _next(path, rows, f"a person of fold {fold + 1}")
            fields = _of_length(2, fields)
            if len(fields) != 2:
                raise wrong_line(path, line, "expected a name and a number of images")
            people.append(
                Person(_name(path, line, fields[0]), number_of(path, line, fields[1]), fold)
            )
    _end(path, rows, f"{folds} folds")
    return people


def missing_images(pairs: PairList, source: FaceSource) -> list[str]:
    """Keys that the list names and the source does not have, sorted."""
    check: Callable[[Sequence[str]], list[str]] | None = getattr(source, "missing", None)
    keys = pairs.keys()
    return check(keys) if check is not None else sorted(set(keys) - set(source.keys()))


def require_images(pairs: PairList, source: FaceSource) -> None:
    """UserError with the first few and their number where the source lacks images of the list."""
    if missing := missing_images(pairs, source):
        raise UserError(
            f"{some(missing)} of {len(pairs.keys())} images that the list names are not in "
            f"{getattr(source, 'root', source.name)}; complete the folder, or count them as "
            "failures to acquire with --on-missing count"
        )


def some(names: Sequence[str], most: int = 3) -> str:
    """``12 (a, b, c, ...)``: how many there are, and the first few."""
    more = ", ..." if len(names) > most else ""
    return f"{len(names)} ({', '.join(names[:most])}{more})"


def fields_of_rows(path: Path) -> Iterator[ListRow]:
    """Rows with the numbers of their lines, cut at tabs, or at spaces where there is no tab."""
    for number, line in read_rows(path):
        text = line.rstrip()
        yield number, [field.strip() for field in text.split("\t" if "\t" in text else None)]


def _of_length(count: int, fields: list[str]) -> list[str]:
    """The fields, without empty ones where they are not ``count``: a tab that stands twice."""
    return fields if len(fields) == count else [field for field in fields if field]


def lfw_pair(path: Path, line: int, fields: list[str], mated: bool, fold: int) -> Pair:
    fields = _of_length(3 if mated else 4, fields)
    if len(fields) != (3 if mated else 4):
        raise wrong_line(
            path, line, f"expected {_expected(mated, fold)}, found {len(fields)} fields"
        )
    left = _name(path, line, fields[0])
    right = left if mated else _name(path, line, fields[2])
    first, second = number_of(path, line, fields[1]), number_of(path, line, fields[-1])
    if mated and first == second:
        raise wrong_line(path, line, "a mated pair of an image with itself")
    if not mated and left == right:
        raise wrong_line(path, line, f"a non-mated pair of {left} with the same person")
    return Pair(image_key(left, first), image_key(right, second), mated, fold, left, right)


def _expected(mated: bool, fold: int) -> str:
    form = "mated pair (name i j)" if mated else "non-mated pair (name i name j)"
    return f"a {form} of fold {fold + 1}"


def _next(path: Path, rows: Iterator[ListRow], expected: str) -> ListRow:
    row = next(rows, None)
    if row is None:
        raise UserError(f"{path} ends where {expected} was expected; the list is not complete")
    return row


def _end(path: Path, rows: Iterator[ListRow], expected: str) -> None:
    row = next(rows, None)
    if row is not None:
        raise wrong_line(path, row[0], f"more lines than its header announces ({expected})")


def _count_line(path: Path, line: int, fields: list[str]) -> int:
    fields = _of_length(1, fields)
    if len(fields) != 1:
        raise wrong_line(path, line, "expected one number")
    return number_of(path, line, fields[0])


def number_of(path: Path, line: int, text: str) -> int:
    """The number from 1 up that is written in a line of a list; UserError where none is."""
    if not is_number(text):
        raise wrong_line(
            path, line, f"{_short(text) if text else 'an empty field'} is not a number from 1 up"
        )
    return int(text)


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) > 0


def _name(path: Path, line: int, text: str) -> str:
    if not text or not text.isprintable() or "/" in text or "\\" in text or text.startswith("."):
        raise wrong_line(path, line, f"{_short(text)} is not a person's name")
    if len(text.encode()) > LONGEST_NAME:
        raise wrong_line(path, line, f"the name {_short(text)} is longer than {LONGEST_NAME} bytes")
    return text


def _short(text: str) -> str:
    """Quoted, control characters escaped, cut where it would fill the screen."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
