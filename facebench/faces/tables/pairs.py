"""Tables of pairs: ``image_a, image_b, same`` and, where known, ``fold, subject_a, subject_b``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path

from facebench.base.errors import UserError
from facebench.faces.lfw.forms import NO_PEOPLE, with_people
from facebench.faces.lfw.lists import FOLDS, Pair, PairList
from facebench.faces.tables.columns import TextTable, read_columns
from facebench.faces.tables.cutting import cut_by_people

IMAGES, SAME, FOLD, SUBJECTS = ("image_a", "image_b"), "same", "fold", ("subject_a", "subject_b")
COLUMNS = (*IMAGES, SAME, FOLD, *SUBJECTS)
_NEEDS = "a table of pairs needs image_a, image_b and same (1: one person, 0: two)"


def read_pair_table(
    path: Path,
    renamed: Mapping[str, str] | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> PairList:
    """The pairs of a table in CSV or Parquet; all other columns are kept as they are.

    Images are paths below the folder of the data. Without ``subject_a, subject_b`` the names of
    folders or files say who is in an image, as far as they agree with the labels. Without ``fold``
    the pairs are cut by people (`cut_by_people`), and a remark says how many were dropped.
    renamed: our name of a column → the file's; folds, seed: of that cut. UserError names the row:
    a cell that is empty or wrong, an image of two people, labels that contradict the subjects or
    one another.
    """
    return pairs_of(read_columns(path, renamed), folds, seed)


def pairs_of(table: TextTable, folds: int = FOLDS, seed: int = 0) -> PairList:
    """As `read_pair_table`, of columns that were read."""
    table.require(*IMAGES, SAME, what=_NEEDS)
    left, right = (table.filled(name) for name in IMAGES)
    mated, remarks = table.flags(SAME), list[str]()
    _require_one_label(table, left, right, mated)
    people = _subjects(table, left, right, mated)
    pairs = [
        Pair(a, b, same, 0, one, two)
        for a, b, same, (one, two) in zip(left, right, mated, people, strict=True)
    ]
    known = SUBJECTS[0] in table
    if not known:
        pairs, known = with_people(pairs)
        remarks += [] if known else [NO_PEOPLE]
    others = {name: column for name, column in table.columns.items() if name not in COLUMNS}
    if FOLD in table:
        numbers = _folds(table)
        found = [replace(pair, fold=fold) for pair, fold in zip(pairs, numbers, strict=True)]
        return PairList(
            tuple(found), False, tuple(remarks), {n: tuple(c) for n, c in others.items()}
        )
    cut, said = _cut(table, pairs, known, folds, seed)
    kept = [fold >= 0 for fold in cut]
    found = [replace(p, fold=fold) for p, fold in zip(pairs, cut, strict=True) if fold >= 0]
    columns = {name: tuple(compress(column, kept)) for name, column in others.items()}
    return PairList(tuple(found), False, (*remarks, said), columns)


def _require_one_label(
    table: TextTable, left: Sequence[str], right: Sequence[str], mated: Sequence[bool]
) -> None:
    seen: dict[tuple[str, str], tuple[bool, int]] = {}
    for row, (a, b, same) in enumerate(zip(left, right, mated, strict=True)):
        if a == b:
            raise table.wrong(row, f"a pair of the image {a} with itself")
        before, first = seen.setdefault((a, b) if a < b else (b, a), (same, row))
        if before is not same:
            where = f"{table.counted} {table.lines[first]}"
            raise table.wrong(
                row, f"the pair of {a} and {b} is {_word(same)} here and {_word(before)} in {where}"
            )


def _word(same: bool) -> str:
    return "one person" if same else "two people"


def _subjects(
    table: TextTable, left: Sequence[str], right: Sequence[str], mated: Sequence[bool]
) -> list[tuple[str, str]]:
    """The people of every pair, empty names where there are no such columns."""
    named = [name for name in SUBJECTS if name in table]
    if not named:
        return [("", "")] * len(table)
    if len(named) == 1:
        table.require(*SUBJECTS, what=f"{named[0]} needs it beside it")
    one, two = (table.filled(name) for name in SUBJECTS)
    owner: dict[str, tuple[str, int]] = {}
    for row, same in enumerate(mated):
        for image, person in ((left[row], one[row]), (right[row], two[row])):
            before, first = owner.setdefault(image, (person, row))
            if before != person:
                raise table.wrong(
                    row,
                    f"the image {image} is of {person!r} here and of {before!r} in "
                    f"{table.counted} {table.lines[first]}",
                )
        if (one[row] == two[row]) is not same:
            raise table.wrong(
                row, f"same is {int(same)}, and the subjects are {one[row]!r} and {two[row]!r}"
            )
    return list(zip(one, two, strict=True))


def _folds(table: TextTable) -> list[int]:
    """The fold of every row, from 0 in the order of their numbers."""
    numbers = []
    for row, text in enumerate(table.columns[FOLD]):
        if not text:
            to_do = "give every pair its fold, or leave the column out"
            raise table.wrong(row, f"fold is empty; {to_do}")
        if not text.isascii() or not text.isdecimal() or len(text) > 6:
            raise table.wrong(row, f"fold is {text!r:.40}, not a whole number")
        numbers.append(int(text))
    order = {number: rank for rank, number in enumerate(sorted(set(numbers)))}
    return [order[number] for number in numbers]


def _cut(
    table: TextTable, pairs: Sequence[Pair], known: bool, folds: int, seed: int
) -> tuple[list[int], str]:
    """The fold of every pair, -1 where it is dropped, and what records say of the cut."""
    left, right = [p.left_person for p in pairs], [p.right_person for p in pairs]
    if not known:
        left, right = _joined(pairs)
    try:
        cut = cut_by_people(left, right, [pair.mated for pair in pairs], folds, seed)
    except ValueError as error:
        raise UserError(
            f"{table.path} has no column fold, and {error}; name folds in that column"
        ) from None
    who = "people" if known else "images that mated pairs join"
    dropped = (
        f"{cut.dropped:,} of {len(pairs):,} pairs, which were across them, were dropped"
        if cut.dropped
        else "no pair was dropped"
    )
    return cut.folds.tolist(), (
        f"the list names no folds; they were cut by {who} (seed {seed}) into {cut.parts}, so that "
        f"nobody is in two, and {dropped}"
    )


def _joined(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    """An image for every image: the first by name of all that mated pairs join it with."""
    above: dict[str, str] = {}

    def top(image: str) -> str:
        while above.setdefault(image, image) != image:
            above[image] = above[above[image]]
            image = above[image]
        return image

    for pair in pairs:
        if pair.mated:
            one, two = sorted((top(pair.left_key), top(pair.right_key)))
            above[two] = one
    return [top(p.left_key) for p in pairs], [top(p.right_key) for p in pairs]
