"""Two halves of the people of a list, so that nobody is fitted on and judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.statistics.checks import BoolArray, IntArray
from facebench.statistics.intervals.bootstrap import Units


@dataclass(frozen=True, eq=False)
class PeopleHalves:
    """one, other: bool[n], the comparisons among the people of each half; by: what was halved,
    people, or folds where nobody is in two of them; dropped: comparisons across the halves.
    """

    one: BoolArray
    other: BoolArray
    by: Literal["people", "folds"]

    @property
    def dropped(self) -> int:
        """How many comparisons are of a person of each half, and in neither."""
        return int(np.count_nonzero(~(self.one | self.other)))


def halves(units: Units, folds: ArrayLike | None = None, seed: int = 0) -> PeopleHalves:
    """Half the people against the other half, drawn by a seed.

    Folds, int[n], are halved where nobody is in two: no comparison is lost then. Else people are,
    and comparisons of a person of each half are dropped. ValueError: nobody knows who is in
    the comparisons; a half without a comparison of each kind.
    """
    if units.kind != "subjects":
        raise ValueError("halves: nobody knows who is in the comparisons")
    rng = np.random.default_rng(seed)
    whole = None if folds is None else _people_of_folds(units, np.asarray(folds))
    if whole is None:
        first = _drawn(units.count, rng)
    else:
        labels, of_fold = whole
        first = _drawn(labels, rng)[of_fold]
    sides = first[units.first], first[units.second]
    found = PeopleHalves(
        sides[0] & sides[1], ~sides[0] & ~sides[1], "people" if whole is None else "folds"
    )
    for half in (found.one, found.other):
        if not units.mated[half].any() or units.mated[half].all():
            raise ValueError(
                f"halves: a half of the {units.count} people has comparisons of one kind only"
            )
    return found


def connected(left: NDArray[np.integer], right: NDArray[np.integer], count: int) -> IntArray:
    """int64[count]: a number from 0 for everybody, the same for all whom comparisons of people
    left and right, int[n], join, directly or by others.
    """
    # Late: slow to import.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int64)


def _drawn(count: int, rng: np.random.Generator) -> BoolArray:
    """bool[count]: half of them, rounded down."""
    found = np.zeros(count, dtype=np.bool_)
    found[rng.permutation(count)[: count // 2]] = True
    return found


def _people_of_folds(units: Units, folds: IntArray) -> tuple[int, IntArray] | None:
    """How many folds, and int[count], each person's; None: a person in two, or one fold."""
    labels, fold = np.unique(folds, return_inverse=True)
    lowest = np.full(units.count, labels.size)
    highest = np.full(units.count, -1)
    for side in (units.first, units.second):
        np.minimum.at(lowest, side, fold)
        np.maximum.at(highest, side, fold)
    return (labels.size, lowest) if labels.size > 1 and (lowest == highest).all() else None
