"""The verification statistics of weighted comparisons, for many weightings of one sorted list.

A statistic is a function `(scores float[n], mated bool[n]) -> WeightedStatistic`: it sorts once and
returns a function of weights int[b, n] that gives float[b], one value per row. A weight of w counts
a comparison w times: the value equals that of the unweighted function on the repeated arrays. This
is what makes a bootstrap cheap, and the same resamples usable for several models. Every row must
have a positive weight on at least one mated and one non-mated comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    FloatArray,
    IntArray,
    checked_comparisons,
    checked_folds,
)
from facebench.statistics.folds import ten_fold_accuracy
from facebench.statistics.roc import exact_target

WeightedStatistic = Callable[[IntArray], FloatArray]
Statistic = Callable[[ArrayLike, ArrayLike], WeightedStatistic]


@dataclass(frozen=True, eq=False)
class SortedComparisons:
    """Where the comparisons of each kind come in descending order, and where the ties end.

    mated_order int[M], nonmated_order int[N]: indices of comparisons by descending score.
    mated_accepted, nonmated_accepted: int[g], how many of each order are accepted at the operating
    points, from none to all acquired. mated_above, mated_at_least: int[N], how many mated scores
    are above, and at or above, each non-mated score. levels: float[g - 1], the scores of the
    operating points after the first, descending, in the scores' own type.
    """

    mated_order: IntArray
    nonmated_order: IntArray
    mated_accepted: IntArray
    nonmated_accepted: IntArray
    mated_above: IntArray
    mated_at_least: IntArray
    levels: AnyFloatArray

    @classmethod
    def of(cls, scores: ArrayLike, mated: ArrayLike, where: str) -> SortedComparisons:
        """Sort scores float[n] with labels mated bool[n]; ValueError as for `roc`."""
        values, flags = checked_comparisons(scores, mated, where)
        order = np.argsort(-values)
        mated_order, nonmated_order = order[flags[order]], order[~flags[order]]
        genuine, impostor = -values[mated_order], -values[nonmated_order]  # ascending
        levels = np.unique(-values[values > -np.inf])
        return cls(
            mated_order,
            nonmated_order,
            np.append(0, np.searchsorted(genuine, levels, side="right")),
            np.append(0, np.searchsorted(impostor, levels, side="right")),
            np.searchsorted(genuine, impostor, side="left"),
            np.searchsorted(genuine, impostor, side="right"),
            -levels,
        )


class WeightedRoc:
    """Weighted counts of accepted comparisons, for weights int[b, n] of sorted comparisons."""

    def __init__(self, comparisons: SortedComparisons, weights: IntArray) -> None:
        self._sorted = comparisons
        self._nonmated = np.take(weights, comparisons.nonmated_order, axis=1)
        self._true = _running_sum(np.take(weights, comparisons.mated_order, axis=1))
        self._false = _running_sum(self._nonmated)
        self._n_mated, self._n_nonmated = self._true[:, -1], self._false[:, -1]
        self._rows = np.arange(weights.shape[0])

    def auc(self) -> FloatArray:
        """float[b]: weighted Mann-Whitney probability, ties one half; see `roc.auc`."""
        wins = np.take(self._true, self._sorted.mated_above, axis=1)
        wins += np.take(self._true, self._sorted.mated_at_least, axis=1)
        twice = np.einsum("ij,ij->i", self._nonmated, wins)
        return np.asarray(twice / (2.0 * self._n_mated * self._n_nonmated))

    def tar_at_far(self, target: float) -> FloatArray:
        """float[b]: TAR at the largest operating point whose weighted FAR is at most target."""
        point = self._point_at_far(target)
        true = self._true[self._rows, self._sorted.mated_accepted[point]]
        return np.asarray(true / self._n_mated)

    def threshold_at_far(self, target: float) -> FloatArray:
        """float[b]: the lowest score with a weight from which on the weighted FAR is at most
        target; where there is none, the float after the highest score with a weight.
        """
        kept, size = self._sorted, self._sorted.mated_accepted.size

        def accepted(g: IntArray) -> IntArray:
            true = self._true[self._rows, kept.mated_accepted[g]]
            return np.asarray(true + self._false[self._rows, kept.nonmated_accepted[g]])

        point = accepted(self._point_at_far(target))
        # Levels without a weight are not there: the first point that accepts as much as this one.
        at = self._last_point(size, lambda g: accepted(g) < np.maximum(point, 1))
        found = np.append(kept.levels, kept.levels.dtype.type(-np.inf))[at]
        with np.errstate(over="ignore"):
            above = np.nextafter(found, found.dtype.type(np.inf))
        return np.asarray(np.where(point > 0, found, above), dtype=np.float64)

    def _point_at_far(self, target: float) -> IntArray:
        """int[b]: the largest operating point whose weighted FAR is at most target."""
        share: Fraction = exact_target(target)
        allowed = np.array(
            [share.numerator * int(n) // share.denominator for n in self._n_nonmated],
            dtype=np.int64,
        )
        accepted = self._sorted.nonmated_accepted
        return self._last_point(
            accepted.size, lambda g: self._false[self._rows, accepted[g]] <= allowed
        )

    def eer(self) -> FloatArray:
        """float[b]: FAR where the weighted piecewise-linear ROC crosses FAR = 1 - TAR."""
        # Failures to acquire are the last tied group, so the polyline ends at (1, 1).
        m_accepted = np.append(self._sorted.mated_accepted, self._sorted.mated_order.size)
        n_accepted = np.append(self._sorted.nonmated_accepted, self._sorted.nonmated_order.size)
        m, n = self._n_mated, self._n_nonmated

        def false_and_excess(g: IntArray) -> tuple[IntArray, IntArray]:
            false = self._false[self._rows, n_accepted[g]]
            return false, false * m + self._true[self._rows, m_accepted[g]] * n - m * n

        before = self._last_point(m_accepted.size, lambda g: false_and_excess(g)[1] < 0)
        false_0, excess_0 = false_and_excess(before)
        false_1, excess_1 = false_and_excess(before + 1)
        step = -excess_0 / (excess_1 - excess_0)
        return np.asarray((false_0 + step * (false_1 - false_0)) / n)

    def _last_point(self, size: int, holds: Callable[[IntArray], BoolArray]) -> IntArray:
        """Per row, the last of points 0..size-1 at which a condition holds that holds at 0 and,
        once it fails, never holds again (bisection over all rows at once)."""
        low = np.zeros(self._rows.size, dtype=np.int64)
        high = np.full(self._rows.size, size, dtype=np.int64)
        while (high - low > 1).any():
            middle = (low + high) // 2
            held = holds(middle)
            low, high = np.where(held, middle, low), np.where(held, high, middle)
        return low


def _running_sum(weights: IntArray) -> IntArray:
    """int[b, k+1]: sums of the first 0, 1, ... k columns."""
    out = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=np.int64)
    np.cumsum(weights, axis=1, out=out[:, 1:])
    return out


def auc_statistic(scores: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
    """The statistic `roc.auc`, of weights."""
    comparisons = SortedComparisons.of(scores, mated, "auc")
    return lambda weights: WeightedRoc(comparisons, weights).auc()


def eer_statistic(scores: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
    """The statistic `roc.eer`, of weights."""
    comparisons = SortedComparisons.of(scores, mated, "eer")
    return lambda weights: WeightedRoc(comparisons, weights).eer()


def tar_statistic(target: float) -> Statistic:
    """The statistic TAR at FAR target of `roc.tar_at_far`, of weights."""
    exact_target(target)

    def statistic(scores: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
        comparisons = SortedComparisons.of(scores, mated, "tar_at_far")
        return lambda weights: WeightedRoc(comparisons, weights).tar_at_far(target)

    return statistic


def threshold_statistic(target: float) -> Statistic:
    """The statistic threshold of `roc.tar_at_far`, of weights."""
    exact_target(target)

    def statistic(scores: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
        comparisons = SortedComparisons.of(scores, mated, "tar_at_far")
        return lambda weights: WeightedRoc(comparisons, weights).threshold_at_far(target)

    return statistic


def accuracy_statistic(folds: ArrayLike, rule: str = "exact") -> Statistic:
    """The statistic `folds.ten_fold_accuracy`, of weights, with the decisions held fixed.

    The thresholds are those of the data and are not learned again in every resample.
    """

    def statistic(scores: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
        decisions = ten_fold_accuracy(scores, mated, folds, rule).decisions
        return weighted_accuracy(decisions == np.asarray(mated), folds)

    return statistic


def weighted_accuracy(correct: BoolArray, folds: ArrayLike) -> WeightedStatistic:
    """Mean over folds of the weighted share of correct bool[n]; folds: int[n].

    A fold on which a row has no weight is left out of that row's mean.
    """
    labels, fold = checked_folds(folds, correct.size, "weighted_accuracy")
    order = np.argsort(fold, kind="stable")
    starts = np.searchsorted(fold[order], np.arange(labels.size))
    right = correct[order].astype(np.int64)

    def of_weights(weights: IntArray) -> FloatArray:
        by_fold = np.take(weights, order, axis=1)
        total = np.add.reduceat(by_fold, starts, axis=1)
        wins = np.add.reduceat(by_fold * right, starts, axis=1)
        shares = np.divide(wins, total, out=np.zeros(total.shape), where=total > 0)
        return np.asarray(shares.sum(axis=1) / (total > 0).sum(axis=1))

    return of_weights
