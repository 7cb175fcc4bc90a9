"""Resampling of subjects: how often each comparison counts in each draw of the bootstrap.

Comparisons that share a person are not independent, so persons are drawn, not comparisons. In one
draw the S subjects of the list are drawn S times with replacement; w[s] is how often s came up. A
mated comparison of s then counts w[s] times, and a non-mated one of s and t counts w[s] * w[t]
times: every copy of s meets every copy of t.

Sources: Bolle, Ratha, Pankanti 2004, "Error analysis of pattern recognition systems: the subsets
bootstrap" (resample by person, since scores of one person depend on each other); Snijders and
Borgatti 1999 (the vertex bootstrap: draw the vertices, take every edge between them); Owen 2007,
"The pigeonhole bootstrap" (product weights for data with two crossed factors). As Owen shows,
product weights do not under-state the variance but can over-state it: if the non-mated comparisons
shared no person at all, the variance of their share would be three times too large. Intervals of
statistics that rest on non-mated comparisons are therefore on the cautious, wide side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.base.storage import kept
from facebench.statistics.checks import BoolArray, IntArray

BLOCK = 2**18  # weights per block: 2 MB, which stays in the cache between the steps
MOST_REDRAWS = 100  # per wanted draw


@dataclass(frozen=True, eq=False)
class Units:
    """What is drawn: subjects, or comparisons where the protocol does not say who is in them.

    first, second: int[n], positions of each comparison's units in 0..count-1; second equals first
    where the comparison has one unit (mated, or comparisons as units). kind: "subjects" or
    "comparisons".
    """

    first: IntArray
    second: IntArray
    mated: BoolArray
    count: int
    kind: str

    @classmethod
    def of(
        cls,
        mated: BoolArray,
        subjects_a: ArrayLike | None,
        subjects_b: ArrayLike | None,
        where: str,
    ) -> Units:
        """Check and number the subjects, any two arrays [n] of names or numbers, or None for both.

        ValueError: one of them missing, a length other than n, a mated comparison of two people or
        a non-mated one of the same person.
        """
        n = mated.size
        if subjects_a is None and subjects_b is None:
            each = np.arange(n)
            return cls(each, each, mated, n, "comparisons")
        if subjects_a is None or subjects_b is None:
            raise ValueError(f"{where}: give both subjects_a and subjects_b, or neither")
        a, b = np.asarray(subjects_a), np.asarray(subjects_b)
        if any(array.flags.writeable for array in (mated, a, b)):
            return cls._numbered(mated, a, b, where)
        return _of_shared(_Held(mated), _Held(a), _Held(b), where)

    @classmethod
    def _numbered(cls, mated: BoolArray, a: NDArray[Any], b: NDArray[Any], where: str) -> Units:
        n = mated.size
        for name, array in (("subjects_a", a), ("subjects_b", b)):
            if array.shape != (n,):
                raise ValueError(
                    f"{where}: {name} has shape {array.shape} but there are {n} scores; "
                    "pass one subject per comparison"
                )
        names, position = np.unique(np.concatenate((a, b)), return_inverse=True)
        first, second = position[:n].astype(np.int64), position[n:].astype(np.int64)
        wrong = np.flatnonzero((first == second) != mated)
        if wrong.size:
            i = int(wrong[0])
            kind = "mated" if mated[i] else "non-mated"
            raise ValueError(
                f"{where}: comparison {i} is {kind} but its subjects are {a[i]} and {b[i]}; "
                "check that labels and subjects are in the same order"
            )
        return cls(first, second, mated, names.size, "subjects")

    def weights(self, drawn: IntArray) -> IntArray:
        """int[b, n]: weights of the comparisons where each unit was drawn int[b, count] times."""
        out = np.take(drawn, self.first, axis=1)
        nonmated = np.flatnonzero(self.first != self.second)
        out[:, nonmated] *= np.take(drawn, self.second[nonmated], axis=1)
        return out

    def draw(self, draws: int, rng: np.random.Generator, where: str) -> Iterator[IntArray]:
        """Blocks int[b, n] of weights, `draws` rows in all; see `draw_units`."""

        def weighed(drawn: IntArray) -> tuple[BoolArray, IntArray]:
            block = self.weights(drawn)
            genuine = block @ self.mated.astype(np.int64)
            return (genuine > 0) & (genuine < block.sum(axis=1)), block

        return draw_units(self.count, self.kind, self.mated.size, draws, rng, where, weighed)


@dataclass(frozen=True, eq=False)
class _Held:
    """An array as a key: it is that array, whatever it holds."""

    array: NDArray[Any]

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.array is other.array


@kept
def _of_shared(mated: _Held, a: _Held, b: _Held, where: str) -> Units:
    """Of arrays that nobody may write to, which records of one list of comparisons share."""
    return Units._numbered(mated.array, a.array, b.array, where)


def draw_units(
    count: int,
    kind: str,
    comparisons: int,
    draws: int,
    rng: np.random.Generator,
    where: str,
    weighed: Callable[[IntArray], tuple[BoolArray, IntArray]],
) -> Iterator[IntArray]:
    """Blocks of ``draws`` resamples in all: the bootstrap's one loop, the same for a seed.

    In each of b draws of a block ``count`` units are drawn with replacement; weighed takes how
    often each came up, int[b, count], and gives which draws are usable, bool[b], and what is made
    of them, int[b, ...]. A draw that is not usable (it has one kind of comparison only) is drawn
    again; ValueError when that happens more than 100 times per wanted draw, for the units, whose
    kind is named, are then too few, or where draws is below 1. comparisons: how many of them a
    draw has weights for, so that blocks stay small; draws do not hang on it.
    """
    if draws < 1:
        raise ValueError(f"{where}: draws is {draws}; at least 1 is needed")
    rows = max(1, BLOCK // max(comparisons, count))
    left, redraws = draws, 0
    while left:
        b = min(rows, left)
        picks = rng.integers(0, count, size=(b, count)) + count * np.arange(b)[:, None]
        drawn = np.bincount(picks.ravel(), minlength=b * count).reshape(b, count)
        usable, block = weighed(drawn)
        if not usable.all():
            redraws += int(b - usable.sum())
            if redraws > MOST_REDRAWS * draws:
                raise ValueError(
                    f"{where}: most resamples of the {count} {kind} have only one kind of "
                    "comparison; they are too few for a bootstrap, use draws=0"
                )
            block = block[usable]
        left -= len(block)
        if len(block):
            yield block
