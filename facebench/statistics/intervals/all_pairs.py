"""Intervals of TAR at FAR over all pairs: the bootstrap over subjects, on the tail alone.

People are drawn as in `bootstrap`: a mated pair of s counts w[s] times, a non-mated one of s and t
counts w[s] * w[t] times. A hundred million weights need not be held for that: the total weight of
the non-mated pairs follows from the number of faces of each person, and which of them are accepted
is decided in the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from facebench.base.threads import over_cores
from facebench.statistics.all_pairs.points import PairTail
from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.intervals.bootstrap import draw_units
from facebench.statistics.intervals.exact import tar_key
from facebench.statistics.roc import allowed_false_accepts, exact_target

_WHERE = "all_pairs_draws"
# Resamples need more of the tail than the data, by how much heavier it may weigh in one of them.
MARGIN, AT_LEAST = 2.0, 1000
# What a tail may grow to where one person has most of the false accepts, whose weight in a
# resample is then many times that in the data: 64 MiB, at one float32 score and two people each.
MOST_TAIL = (64 << 20) // 20


class TailTooShortError(ValueError):
    """A resample accepts more than the tail has. target: the FAR at which it does."""

    def __init__(self, target: float, length: int) -> None:
        super().__init__(f"{_WHERE}: a tail of {length:,} scores is too short for FAR {target}")
        self.target = target


def tail_length(targets: Sequence[float], n_nonmated: int, draws: int) -> int:
    """How many of the highest non-mated scores the targets need, with room for resamples."""
    most = max((allowed_false_accepts(target, n_nonmated) for target in targets), default=0)
    return ceil(MARGIN * most) + AT_LEAST if draws else most + 1


def walk_with_draws(
    walk: Callable[[int], PairTail],
    targets: Sequence[float],
    *,
    length: int,
    most: int = MOST_TAIL,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[PairTail, dict[str, FloatArray]]:
    """The pairs and `all_pairs_draws`, with a tail as long as the resamples need.

    walk: gives the pairs with a tail of a length, at first ``length``, doubled while a resample
    needs more, up to ``most`` scores. Targets that need more than that have no draws. Draws
    are those of a tail of any greater length. draws: 0 for none. ValueError: as
    `all_pairs_draws` otherwise.
    """
    pairs, left = walk(length), list(targets)
    while draws and left:
        rng = np.random.default_rng(seed)
        try:
            return pairs, all_pairs_draws(pairs, left, draws=draws, rng=rng)
        except TailTooShortError as short:
            if length < most:
                length = min(2 * length, most)
                pairs = walk(length)
            else:
                left.remove(short.target)
    return pairs, {}


def all_pairs_draws(
    pairs: PairTail,
    targets: Sequence[float],
    *,
    draws: int = 1000,
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    """TAR at every target in each of ``draws`` resamples of the people, float64[draws]; `tar_key`.

    Every resample finds its own threshold. The people of a draw follow from the data and the
    generator alone, so that those of two models may be subtracted. ValueError: draws below 1,
    people too few to resample; `TailTooShortError`: a resample does not find its threshold.
    Source: Bolle, Ratha, Pankanti 2004; Owen 2007.
    """

    def weighed(drawn: IntArray) -> tuple[BoolArray, IntArray]:
        n_mated, n_nonmated = _totals(pairs, drawn)
        return (n_mated > 0) & (n_nonmated > 0), drawn

    people, most = pairs.faces.size, max(pairs.mated.size, pairs.tail.size)
    units = draw_units(people, "people", most, draws, rng, _WHERE, weighed)
    blocks = over_cores(lambda drawn: _tars(pairs, drawn, targets), units)
    found = np.concatenate(list(blocks), axis=1)
    return {tar_key(target): values for target, values in zip(targets, found, strict=True)}


def _totals(pairs: PairTail, drawn: IntArray) -> tuple[IntArray, IntArray]:
    """int64[b] each: the weight of all mated and of all non-mated pairs where people were drawn."""
    n_mated = drawn @ (pairs.faces * (pairs.faces - 1) // 2)
    weighted = drawn * pairs.faces
    n_nonmated = (weighted.sum(axis=1) ** 2 - (weighted**2).sum(axis=1)) // 2
    return n_mated, n_nonmated


def _tars(pairs: PairTail, drawn: IntArray, targets: Sequence[float]) -> FloatArray:
    """float64[targets, b]."""
    n_mated, n_nonmated = _totals(pairs, drawn)
    true = np.cumsum(np.take(drawn, pairs.mated_subjects, axis=1), axis=1)
    false = np.take(drawn, pairs.first, axis=1)
    false *= np.take(drawn, pairs.second, axis=1)
    np.cumsum(false, axis=1, out=false)
    found = np.empty((len(targets), len(drawn)))
    for number, target in enumerate(targets):
        share = exact_target(target)
        for row, total in enumerate(n_nonmated.tolist()):
            allowed = share.numerator * total // share.denominator
            # The first of the tail that would make it more: it and all equal to it are rejected.
            at = int(np.searchsorted(false[row], allowed, side="right"))
            if at == pairs.tail.size and not pairs.complete:
                raise TailTooShortError(target, at)
            barrier = -np.inf if at == pairs.tail.size else float(pairs.tail[at])
            accepted = int(np.searchsorted(-pairs.mated, -barrier, side="left"))
            found[number, row] = (true[row, accepted - 1] if accepted else 0) / n_mated[row]
    return found
