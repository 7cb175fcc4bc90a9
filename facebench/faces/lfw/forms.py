"""Lists of pairs in the other forms that circulate: without a header, or with files for names.

=====================  ==========================================================================
rows                   who publishes them so
=====================  ==========================================================================
``name i j``           RFW: those of LFW's ``pairs.txt``, without its header
``a.jpg 1``            CALFW, CPLFW: two rows a pair, with its label on both; 0 is non-mated
``Ann/Ann_0001.jpg``   SLLFW: two rows a pair, mated where both are in one folder
``a.jpg b.jpg 1``      MLFW: a row a pair, and its label
=====================  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from facebench.base.opening import wrong_line
from facebench.faces.images import is_image
from facebench.faces.lfw.lists import (
    FOLDS,
    ListRow,
    Pair,
    PairList,
    fields_of_rows,
    in_folds,
    is_number,
    lfw_pair,
)

NO_PEOPLE = (
    "the list does not say who is in its images, and their names contradict its labels; its people "
    "are taken as unknown"
)
_NUMBERS = re.compile(r"(?:_\d+)+\Z")  # of Ann_Example_0001, and of MLFW's Ann_Example_0001_0002


def read_forms(path: Path, folds: int = FOLDS) -> PairList | None:
    """The pairs of a list in one of these forms; None: its first row has another one.

    folds: of the protocol. The list has those where its mated and non-mated runs alternate as
    often, as LFW's do; otherwise its pairs are cut in their order (`in_folds`). UserError with file
    and line: a later row of another form, half of a pair, two rows whose labels differ.
    """
    rows = fields_of_rows(path)
    first = next(rows, None)
    read = None if first is None else _form_of([field for field in first[1] if field])
    if first is None or read is None:
        return None
    pairs = list(read(path, _chained(first, rows)))
    if read is not _headerless:
        pairs, named = with_people(pairs)
        remarks = () if named else (NO_PEOPLE,)
    else:
        remarks = ()
    return replace(_in_runs(pairs, folds), remarks=remarks)


def with_people(pairs: Sequence[Pair]) -> tuple[list[Pair], bool]:
    """The pairs with the people that their images' names tell, and whether these tell any.

    An image's person is its folder; where it has none, or folders contradict the labels, its name
    without the numbers at its end. Where that contradicts them, too, every mated pair has a person
    of its own, as in `.bin` files.
    """
    for person_of in (_folder, _unnumbered):
        people = [(person_of(pair.left_key), person_of(pair.right_key)) for pair in pairs]
        if all(
            left and right and (left == right) is pair.mated
            for (left, right), pair in zip(people, pairs, strict=True)
        ):
            named = zip(pairs, people, strict=True)
            return [replace(p, left_person=one, right_person=two) for p, (one, two) in named], True
    return [
        replace(p, left_person=p.left_key, right_person=p.left_key if p.mated else p.right_key)
        for p in pairs
    ], False


def _folder(key: str) -> str:
    folder = str(PurePosixPath(key).parent)
    return "" if folder == "." else folder


def _unnumbered(key: str) -> str:
    return _NUMBERS.sub("", PurePosixPath(key).stem)


_ListRows = Iterator[ListRow]


def _form_of(fields: list[str]) -> Callable[[Path, _ListRows], Iterator[Pair]] | None:
    numbers, images = list(map(is_number, fields)), list(map(is_image, fields))
    if numbers in ([False, True, True], [False, True, False, True]):
        return _headerless
    if images == [True, False] and fields[1].isdecimal():
        return _labelled_halves
    if images == [True] and "/" in fields[0]:
        return _halves_in_folders
    if images == [True, True, False] and fields[2].isdecimal():
        return _rows_of_files
    return None


def _headerless(path: Path, rows: _ListRows) -> Iterator[Pair]:
    for line, fields in rows:
        fields = [field for field in fields if field]
        yield lfw_pair(path, line, fields, len(fields) == 3, 0)


def _labelled_halves(path: Path, rows: _ListRows) -> Iterator[Pair]:
    for (line, left), (second, right) in _in_twos(path, rows):
        for number, fields in ((line, left), (second, right)):
            if len(fields) != 2 or not is_image(fields[0]) or not fields[1].isdecimal():
                raise wrong_line(path, number, "expected an image and its pair's label (a.jpg 1)")
        if left[1] != right[1]:
            raise wrong_line(
                path,
                second,
                f"the two images of a pair have the labels {left[1]} and {right[1]}; is a line "
                "missing?",
            )
        yield _of_files(path, second, left[0], right[0], int(left[1]) > 0)


def _halves_in_folders(path: Path, rows: _ListRows) -> Iterator[Pair]:
    for (line, left), (second, right) in _in_twos(path, rows):
        for number, fields in ((line, left), (second, right)):
            if len(fields) != 1 or not is_image(fields[0]) or "/" not in fields[0]:
                raise wrong_line(path, number, "expected an image in its person's folder (A/a.jpg)")
        same = _folder(left[0]) == _folder(right[0])
        yield _of_files(path, second, left[0], right[0], same)


def _rows_of_files(path: Path, rows: _ListRows) -> Iterator[Pair]:
    for line, fields in rows:
        fields = [field for field in fields if field]
        if list(map(is_image, fields)) != [True, True, False] or not fields[2].isdecimal():
            raise wrong_line(path, line, "expected two images and their label (a.jpg b.jpg 1)")
        yield _of_files(path, line, fields[0], fields[1], int(fields[2]) > 0)


def _of_files(path: Path, line: int, left: str, right: str, mated: bool) -> Pair:
    if left == right:
        raise wrong_line(path, line, f"a pair of the image {left} with itself")
    return Pair(left, right, mated, 0, "", "")


def _in_twos(path: Path, rows: _ListRows) -> Iterator[tuple[ListRow, ListRow]]:
    for line, fields in rows:
        half = (line, [field for field in fields if field])
        other = next(rows, None)
        if other is None:
            raise wrong_line(path, line, "half of a pair: every pair has two lines")
        yield half, (other[0], [field for field in other[1] if field])


def _in_runs(pairs: list[Pair], folds: int) -> PairList:
    """A mated pair after a non-mated one begins a fold, where that gives as many as there are."""
    begins = [True, *(pair.mated and not before.mated for before, pair in pairwise(pairs))]
    if sum(begins) != folds or not pairs[0].mated:
        return in_folds(pairs, folds)
    fold = -1
    found = []
    for pair, begun in zip(pairs, begins, strict=True):
        fold += begun
        found.append(replace(pair, fold=fold))
    return PairList(tuple(found))


def _chained(first: ListRow, rows: Iterable[ListRow]) -> _ListRows:
    yield first
    yield from rows
