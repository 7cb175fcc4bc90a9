"""Bands around a ROC or DIR curve: percentiles of TAR at fixed FARs over resampled people.

One draw resamples the people of all parts together (`bootstrap`), weights their comparisons, and
reads TAR at every FAR from the curve of that draw, its thresholds anew; the mean over the parts is
the draw's curve. So the band at a FAR is the bootstrap interval of TAR at that FAR, and says
nothing about the curve as a whole (it is pointwise, not simultaneous).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facebench.base.threads import over_cores
from facebench.statistics.checks import (
    BoolArray,
    FloatArray,
    IntArray,
    checked_comparisons,
    checked_level,
)
from facebench.statistics.intervals.bootstrap import BLOCK, draw_units
from facebench.statistics.roc import exact_target
from facebench.statistics.weighted import SortedComparisons

_WHERE = "tar_bands"
_MOST_KEPT = 2**24  # numbers of one table of draws, mostly bytes, that is kept for the next curve


@dataclass(frozen=True, eq=False)
class BandPart:
    """The comparisons of one draw or split: scores float[n], -inf for a failure to acquire; mated
    bool[n].

    left, right: int[n], people. right None: a search, which has its probe's person only; both None:
    unknown, then comparisons are resampled.
    """

    scores: ArrayLike
    mated: ArrayLike
    left: ArrayLike | None = None
    right: ArrayLike | None = None


def tar_bands(
    parts: Sequence[BandPart],
    fars: Sequence[float],
    *,
    draws: int = 1000,
    seed: int,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Low and high float64[fars]: percentiles at ``level`` of the mean TAR over parts at each FAR.

    fars: shares in (0, 1], as in `facebench.statistics.roc.tar_at_far`. A part of which a draw
    lacks a kind takes no part in its mean; a draw without any such part is left out. ValueError: no
    parts, draws below 1, level outside (0, 1), a FAR outside (0, 1], that every draw is left out.
    Source: Bolle, Ratha, Pankanti 2004; Macskassy and Provost 2004 (pointwise bands at fixed FARs).
    """
    checked_level(level, _WHERE)
    if not parts:
        raise ValueError(f"{_WHERE}: no parts; at least 1 is needed")
    shares = [exact_target(far) for far in fars]
    numerators = np.array([share.numerator for share in shares], dtype=np.int64)
    denominators = np.array([share.denominator for share in shares], dtype=np.int64)
    units = _units_of(parts)
    count = 1 + max(int(unit.highest) for unit in units)
    size = max(unit.size for unit in units)

    def mean(drawn: IntArray) -> FloatArray:
        total = np.zeros((len(drawn), len(shares)))
        usable = np.zeros(len(drawn))
        for unit in units:
            both, tars = unit.tars(drawn, numerators, denominators)
            usable += both
            total[both] += tars
        return np.asarray(total[usable > 0] / usable[usable > 0, None])

    values = np.concatenate(list(over_cores(mean, _blocks(count, size, draws, seed))))
    if not len(values):
        raise ValueError(f"{_WHERE}: no resample has both kinds of comparison; people are too few")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _blocks(count: int, size: int, draws: int, seed: int) -> Iterator[IntArray]:
    """How often each of ``count`` people came up, int[b, count]: ``draws`` rows in all."""
    if count * draws > _MOST_KEPT:
        rng = np.random.default_rng(seed)
        yield from draw_units(count, "people", size, draws, rng, _WHERE, _all_usable)
        return
    drawn, rows = _kept_draws(count, draws, seed), max(1, BLOCK // max(size, count))
    yield from (drawn[first : first + rows] for first in range(0, draws, rows))


@lru_cache(maxsize=2)
def _kept_draws(count: int, draws: int, seed: int) -> IntArray:
    """All draws in as few bytes as hold them: a page's curves are mostly of the same people."""
    rng = np.random.default_rng(seed)
    blocks = draw_units(count, "people", count, draws, rng, _WHERE, _all_usable)
    return np.concatenate([block.astype(np.min_scalar_type(block.max())) for block in blocks])


def _all_usable(drawn: IntArray) -> tuple[BoolArray, IntArray]:
    """No draw is drawn again: a part of which it lacks a kind takes no part in its mean."""
    return np.ones(len(drawn), dtype=np.bool_), drawn


@dataclass(frozen=True, eq=False)
class _Unit:
    """A part's people by descending score. mated: int[M]; first, second: int[N] of the non-mated,
    second None where each has one; true, false: int[g], how many of each are accepted at the
    operating points.
    """

    mated: IntArray
    first: IntArray
    second: IntArray | None
    true: IntArray
    false: IntArray

    @property
    def size(self) -> int:
        return int(max(self.mated.size, self.first.size))

    @property
    def highest(self) -> int:
        named = [self.mated, self.first] + ([] if self.second is None else [self.second])
        return max(int(people.max()) for people in named)

    def tars(
        self, drawn: IntArray, numerators: IntArray, denominators: IntArray
    ) -> tuple[BoolArray, FloatArray]:
        """bool[b], which rows have both kinds, and float64[rows with both, fars]."""
        most = int(drawn.max())
        narrow = most * most * max(self.size, 1) < 2**31
        kind: type[np.signedinteger[Any]] = np.int32 if narrow else np.int64
        false = np.take(drawn, self.first, axis=1).astype(kind)
        if self.second is not None:
            false *= np.take(drawn, self.second, axis=1)
        true = np.cumsum(np.take(drawn, self.mated, axis=1), axis=1, dtype=kind)
        # One ascending run through all rows, so that one search serves them all.
        run = np.cumsum(false.ravel(), dtype=np.int64).reshape(false.shape)
        before = np.concatenate(([0], run[:-1, -1]))[:, None]
        total = run[:, -1:] - before
        allowed = numerators * total // denominators + before
        # How many of the non-mated, by descending score, the row's FARs accept at most; then the
        # last operating point that accepts no more, as ties are accepted together.
        firsts = self.first.size * np.arange(len(drawn))[:, None]
        within = np.searchsorted(run.ravel(), allowed, side="right") - firsts
        point = np.searchsorted(self.false, np.minimum(within, self.first.size), side="right") - 1
        accepted = self.true[point]
        hits = np.where(accepted > 0, np.take_along_axis(true, accepted - 1, axis=1), 0)
        both = np.asarray((true[:, -1] > 0) & (total[:, 0] > 0))
        return both, hits[both] / true[both, -1:]


def _units_of(parts: Sequence[BandPart]) -> list[_Unit]:
    """The parts' people, numbered together; comparisons, where people are unknown."""
    known = all(part.left is not None for part in parts)
    lefts = [np.asarray(part.left) for part in parts]
    rights = [lefts[n] if p.right is None else np.asarray(p.right) for n, p in enumerate(parts)]
    if not known:
        ends = np.cumsum([0] + [np.asarray(part.scores).size for part in parts])
        lefts = rights = [np.arange(a, b) for a, b in pairwise(ends)]
    sizes = [side.size for side in (*lefts, *rights)]
    _, position = np.unique(np.concatenate([*lefts, *rights]), return_inverse=True)
    numbered = np.split(position.astype(np.int64), np.cumsum(sizes)[:-1])
    return [
        _unit(part, numbered[n], numbered[len(parts) + n], single=not known or part.right is None)
        for n, part in enumerate(parts)
    ]


def _unit(part: BandPart, left: IntArray, right: IntArray, *, single: bool) -> _Unit:
    scores, mated = checked_comparisons(part.scores, part.mated, _WHERE)
    ordered = SortedComparisons.of(scores, mated, _WHERE)
    return _Unit(
        mated=left[ordered.mated_order],
        first=left[ordered.nonmated_order],
        second=None if single else right[ordered.nonmated_order],
        true=ordered.mated_accepted,
        false=ordered.nonmated_accepted,
    )
