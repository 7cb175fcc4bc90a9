"""People of two sets who are the same: how many chance makes, and an accuracy without them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.statistics.checks import FloatArray
from facebench.statistics.folds import FoldAccuracy
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import (
    Sharing,
    influenced_difference,
    quantile,
    two_sided,
)
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.intervals.influence import fold_weights, of_share
from facebench.statistics.paired import Difference, units_of_all, widened
from facebench.statistics.people.blocks import MOST_ROWS, row_blocks
from facebench.statistics.people.likeness import Strangers
from facebench.statistics.verification import VerificationStatistics, verification_statistics

_BLOCK = MOST_ROWS
_KEPT = 20_000  # of the highest similarities of two people


@dataclass(frozen=True, eq=False)
class Resemblance:
    """How alike the most alike of different people are. highest: float64[k], descending, of pairs
    of people of one set who are not one; pairs: how many such pairs there are; asked: pairs of a
    person of each set, of which the same is expected; strangers: the normal fit to those pairs, for
    similarities that none of them has.
    """

    highest: FloatArray
    pairs: int
    asked: int
    strangers: Strangers

    @classmethod
    def within(cls, means: NDArray[np.floating], asked: int) -> Resemblance:
        """Of unit vectors P×D, one a person."""
        highest, total, squares = np.empty(0), 0.0, 0.0
        for block in row_blocks(len(means), len(means), _BLOCK):
            like = np.asarray(means[block] @ means[block.start :].T, dtype=np.float64)
            above = np.triu(np.ones(like.shape, dtype=bool), k=1)
            found = like[above]
            total, squares = total + float(found.sum()), squares + float(found @ found)
            if len(highest) == _KEPT:
                found = found[found > highest[-1]]
            highest = np.sort(np.concatenate([highest, found]))[::-1][:_KEPT].copy()
        pairs = len(means) * (len(means) - 1) // 2
        mean = total / max(pairs, 1)
        spread = np.sqrt(max(0.0, squares / max(pairs, 1) - mean**2))
        return cls(highest, pairs, asked, Strangers(asked, mean, float(spread)))

    def expected(self, limit: float) -> float:
        """How many of the asked pairs are of two people and reach a similarity, nevertheless; of
        very many, the least that there are. By the normal fit where no pair of the one set does.
        """
        count = int(np.count_nonzero(self.highest >= limit))
        return self.asked * count / self.pairs if count else self.strangers.expected(limit)

    def limit_for(self, expected: float) -> float:
        """The least similarity at which at most so many are expected; where less than one pair of
        the one set may reach it, not below that of the normal fit.
        """
        rank = int(expected * self.pairs / max(self.asked, 1))
        if not len(self.highest):
            return 1.0
        if rank >= len(self.highest):
            return float(self.highest[-1])
        # Above all that come after the ones that are allowed.
        limit = float(np.nextafter(self.highest[rank], 2.0))
        return limit if rank else max(limit, self.strangers.reached_by(expected))


@dataclass(frozen=True, eq=False)
class WithoutPeople:
    """The accuracy of a protocol on all comparisons and without those of some people, whose folds'
    thresholds are then learned without them, too. difference: without, less all.
    """

    whole: float
    whole_interval: Interval | None
    without: float
    interval: Interval | None
    comparisons: int
    difference: Difference


def unit_means(
    vectors: NDArray[np.floating], people: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """float32 count×D of unit length: the mean vector of every person, of N×D, people int64[N]."""
    order = np.argsort(people, kind="stable")
    ends = np.cumsum(np.bincount(people, minlength=count))
    means = np.stack(
        [vectors[rows].mean(axis=0, dtype=np.float64) for rows in np.split(order, ends[:-1])]
    )
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.where(norms > 0, norms, 1.0), dtype=np.float32)


def nearest_people(
    of: NDArray[np.floating], among: NDArray[np.floating]
) -> tuple[NDArray[np.int64], FloatArray]:
    """(int64[P], float64[P]): of unit vectors P×D the nearest among Q×D, and how near it is."""
    nearest, like = np.empty(len(of), dtype=np.int64), np.empty(len(of))
    for rows in row_blocks(len(of), len(among), _BLOCK):
        block = of[rows] @ among.T
        nearest[rows] = block.argmax(axis=1)
        like[rows] = block.max(axis=1)
    return nearest, like


def likeness_of_halves(
    vectors: NDArray[np.floating], people: NDArray[np.int64], rng: np.random.Generator
) -> FloatArray:
    """float64[n]: of every person with two images or more, the similarity of the means of two
    halves of them, by lot: what the same person in two sets looks like.
    """
    found = []
    order = rng.permutation(len(people))
    order = order[np.argsort(people[order], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
        if len(rows) > 1:
            half = len(rows) // 2
            one, two = (vectors[part].mean(axis=0) for part in (rows[:half], rows[half:]))
            found.append(float(one @ two / (np.linalg.norm(one) * np.linalg.norm(two))))
    return np.array(found)


def accuracy_without(
    scores: ArrayLike,
    mated: ArrayLike,
    folds: ArrayLike,
    left: ArrayLike,
    right: ArrayLike,
    acquired: ArrayLike,
    dropped: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    rule: str = "exact",
) -> WithoutPeople:
    """The accuracy over folds, and that without the comparisons bool[n] that are dropped.

    A non-mated comparison is dropped for either of two people, a mated one for one, so that too
    many of what is left would be mated; of the surplus as many are left out by lot as keep every
    fold's shares of both kinds.
    Other arguments as of `verification_statistics`. The difference is of the same model on
    comparisons of which some are the same: its influences are those of both accuracies, summed by
    people. These hold thresholds fixed, which are learned of fewer comparisons here, so no interval
    is narrower than Student's of the folds' differences. ValueError: what is left cannot be cut
    into folds with both kinds.
    """
    columns = [np.asarray(one) for one in (scores, mated, folds, left, right, acquired)]
    whole = verification_statistics(*columns, rule=rule, targets=(0.1,), draws=0)
    kept = _with_equal_shares(~dropped, columns[1].astype(bool), columns[2], rng)
    parts = [column[kept] for column in columns]
    rest = verification_statistics(*parts, rule=rule, targets=(0.1,), draws=0)
    flags = columns[1].astype(bool)
    influence = -_influence(whole, flags, columns[2])
    influence[kept] += _influence(rest, flags[kept], columns[2][kept])
    units = Units.of(flags, columns[3], columns[4], "accuracy_without")
    difference = influenced_difference(
        rest.accuracy.accuracy - whole.accuracy.accuracy,
        influence,
        Sharing.of(units),
        independent=units_of_all(units),
    )
    return WithoutPeople(
        whole.accuracy.accuracy,
        whole.intervals.get("accuracy"),
        rest.accuracy.accuracy,
        rest.intervals.get("accuracy"),
        int(np.count_nonzero(kept)),
        _no_surer_than_folds(difference, whole.accuracy, rest.accuracy),
    )


def _no_surer_than_folds(found: Difference, whole: FoldAccuracy, rest: FoldAccuracy) -> Difference:
    """The difference, at least as uncertain as the paired t interval and test of the folds."""
    there = np.isin(whole.labels, rest.labels)
    apart = rest.per_fold - whole.per_fold[there]
    if apart.size < 2 or not apart.std() > 0:
        return found
    freedom, ends = apart.size - 1, found.interval
    error = float(apart.std(ddof=1)) / np.sqrt(apart.size)
    p_value = max(found.p_value, two_sided(abs(found.estimate) / error, freedom))
    half = quantile(freedom, ends.level) * error
    low, high = max(-1.0, found.estimate - half), min(1.0, found.estimate + half)
    if low < ends.low or high > ends.high:
        ends = widened(ends, (low, high), f"Student's of {apart.size} folds")
    return replace(found, interval=ends, p_value=p_value)


def _with_equal_shares(
    kept: NDArray[np.bool_],
    mated: NDArray[np.bool_],
    folds: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Of each fold as large a share of either kind, in whole comparisons: bool[n]."""
    found = np.zeros(len(kept), dtype=bool)
    for fold in np.unique(folds):
        kinds = [np.flatnonzero((folds == fold) & (mated == kind)) for kind in (True, False)]
        share = min((float(kept[rows].mean()) for rows in kinds if len(rows)), default=0.0)
        for rows in kinds:
            left = rows[kept[rows]]
            found[rng.permutation(left)[: round(share * len(rows))]] = True
    return found


def _influence(
    found: VerificationStatistics, mated: NDArray[np.bool_], folds: NDArray[np.int64]
) -> FloatArray:
    right = found.accuracy.decisions == mated
    return of_share(right, mated, fold_weights(folds))
