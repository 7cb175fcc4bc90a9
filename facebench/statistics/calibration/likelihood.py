"""Scores as log-likelihood ratios: how much a score speaks for one person against two.

``llr = slope * score + intercept`` (natural logarithm) by logistic regression in which mated and
non-mated comparisons weigh the same, however many there are of each: a test set's share of mated
pairs, half of LFW's, is nobody's prior. The probability that both faces are of one person then
takes a prior that somebody has to state: ``1 / (1 + exp(-(llr + log(prior / (1 - prior)))))``.

Scores are put in units of their spread within a kind before the fit, and half the squared slope in
these units is added to the loss, in which each kind counts as many comparisons as the rarer kind
has: of scores that no threshold errs on, the slope would otherwise be infinite.

``Cllr`` is the mean cost of the ratios in bits, 0 for perfect ones and 1 for ratios that say
nothing; ``minCllr`` that of the best ratios that any increasing function of the scores gives on
the very comparisons (pool adjacent violators); what is between the two is the *calibration loss*.
Failures to acquire have no score, so they have no ratio and are left out here.
Source: Brümmer and du Preez 2006, "Application-independent evaluation of speaker detection".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    BoolArray,
    FloatArray,
    checked_comparisons,
    checked_level,
)
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing, quantile, standard_error
from facebench.statistics.intervals.exact import Interval

LARGEST = 1e30  # of slope and intercept: squares of squares of ratios stay finite
DISTANCES = (
    "faces of one person score no higher than faces of two: these look like distances; give "
    "similarities, which are higher the more alike two faces are"
)


@dataclass(frozen=True)
class LikelihoodRatio:
    """``llr = slope * score + intercept``, in natural logarithms; slope above 0."""

    slope: float
    intercept: float

    def of(self, scores: ArrayLike) -> FloatArray:
        """float64[n] of scores float[n]; -inf of a failure to acquire, which says nothing."""
        return self.slope * np.asarray(scores, dtype=np.float64) + self.intercept

    def probability(self, score: float, prior: float) -> float:
        """That both faces are of one person; prior: the probability before they were compared.

        ValueError: a prior that is not above 0 and below 1.
        """
        return probability(self.slope * score + self.intercept, prior)


@dataclass(frozen=True)
class LikelihoodCost:
    """Bits per comparison. value: Cllr, with its interval; best: minCllr; failures: comparisons
    without a score, which are left out.
    """

    value: float
    interval: Interval
    best: float
    failures: int

    @property
    def calibration_loss(self) -> float:
        """What better ratios of the same scores would save."""
        return self.value - self.best


def fit_likelihood(scores: ArrayLike, mated: ArrayLike) -> LikelihoodRatio:
    """The log-likelihood ratio of scores float[n] with labels mated bool[n]; failures left out.

    ValueError: as for `roc`; distances, or equal scores; scores that differ by less than 1e-30.
    """
    where = "fit_likelihood"
    values, flags, _ = _acquired(scores, mated, where)
    means = [float(values[kind].mean()) for kind in (flags, ~flags)]
    scale = float(np.sqrt(np.mean([values[kind].var() for kind in (flags, ~flags)])))
    if means[0] <= means[1]:
        raise ValueError(f"{where}: {DISTANCES}")
    # Without any spread within the kinds, the distance between them is the unit.
    centre, scale = (means[0] + means[1]) / 2, scale or means[0] - means[1]
    numbers = [int(np.count_nonzero(kind)) for kind in (flags, ~flags)]
    weights = np.where(flags, min(numbers) / numbers[0], min(numbers) / numbers[1])
    from sklearn.linear_model import LogisticRegression  # late: slow to import

    # The smallest tolerance that the arithmetic of the gradient's sum allows for.
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=200)
    model.fit(((values - centre) / scale)[:, None], flags, sample_weight=weights)
    slope = float(model.coef_[0, 0]) / scale
    if slope <= 0:
        raise ValueError(f"{where}: {DISTANCES}")
    found = LikelihoodRatio(slope, float(model.intercept_[0]) - slope * centre)
    if not max(found.slope, abs(found.intercept)) <= LARGEST:
        raise ValueError(f"{where}: scores differ by no more than {scale:.2g}; multiply them")
    return found


def cllr(ratios: ArrayLike, mated: ArrayLike) -> float:
    """Cllr of natural log-likelihood ratios float[n], infinite ones included, in bits."""
    flags = np.asarray(mated, dtype=np.bool_)
    costs = _costs(np.asarray(ratios, dtype=np.float64), flags)
    return float((costs[flags].mean() + costs[~flags].mean()) / 2)


def min_cllr(scores: ArrayLike, mated: ArrayLike) -> float:
    """Cllr of the best increasing function of scores float[n]; ValueError: as for `roc`."""
    values, flags, _ = _acquired(scores, mated, "min_cllr")
    return cllr(best_ratios(values, flags), flags)


def best_ratios(scores: ArrayLike, mated: BoolArray) -> FloatArray:
    """float64[n]: the log-likelihood ratios by pool adjacent violators, infinite at both ends.

    Equal scores have equal ratios.
    """
    from sklearn.isotonic import IsotonicRegression  # late: slow to import

    # By rank: scores that differ, however little, are never taken for equal.
    _, ranks = np.unique(np.asarray(scores), return_inverse=True)
    share = IsotonicRegression(y_min=0, y_max=1).fit_transform(
        ranks.astype(np.float64), mated.astype(np.float64)
    )
    prior = np.count_nonzero(mated) / mated.size
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(share) - np.log1p(-share) - np.log(prior / (1 - prior)))


def likelihood_cost(
    ratio: LikelihoodRatio, scores: ArrayLike, units: Units, *, level: float = 0.95
) -> LikelihoodCost:
    """What the ratios of scores float[n] cost, on people whom they were not fitted on.

    The interval is over people, of the ratio as it stands. ValueError: as for `roc`, level outside
    (0, 1).
    """
    where = "likelihood_cost"
    checked_level(level, where)
    values, flags, there = _acquired(scores, units.mated, where)
    costs = _costs(ratio.of(values), flags)
    means = {kind: float(costs[flags == kind].mean()) for kind in (True, False)}
    value = (means[True] + means[False]) / 2
    numbers = np.where(flags, np.count_nonzero(flags), np.count_nonzero(~flags))
    influence = (costs - np.where(flags, means[True], means[False])) / (2 * numbers)
    own = Units(units.first[there], units.second[there], flags, units.count, units.kind)
    interval = _interval(value, influence, Sharing.of(own), level)
    failures = int(np.count_nonzero(~there))
    return LikelihoodCost(value, interval, min_cllr(values, flags), failures)


def probability(llr: float, prior: float) -> float:
    """That both faces are of one person, of a natural log-likelihood ratio and a stated prior.

    ValueError: a prior that is not above 0 and below 1.
    """
    if not 0 < prior < 1:
        raise ValueError(f"probability: the prior is {prior}; give a share above 0 and below 1")
    return float(np.exp(-np.logaddexp(0, -(llr + np.log(prior) - np.log1p(-prior)))))


def _costs(ratios: FloatArray, mated: BoolArray) -> FloatArray:
    """float64[n] bits of each comparison."""
    return np.asarray(np.logaddexp(0, np.where(mated, -ratios, ratios)) / np.log(2))


def _interval(value: float, influence: FloatArray, sharing: Sharing, level: float) -> Interval:
    kind = f"{'dyadic' if sharing.kind == 'subjects' else 'normal'} over {sharing.kind}"
    freedom = sharing.degrees_of_freedom(influence, by_weight=True)
    error = standard_error(max(0.0, sharing.variance(influence)), freedom)
    half = quantile(freedom, level) * error
    return Interval(max(0.0, value - half), value + half, level, kind)


def _acquired(
    scores: ArrayLike, mated: ArrayLike, where: str
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """(scores float64[k], mated bool[k]) of acquired faces, and which of all these are, bool[n]."""
    values, flags = checked_comparisons(scores, mated, where)
    there = values > -np.inf
    if not there.all():
        values, flags = checked_comparisons(values[there], flags[there], where)
    return values.astype(np.float64), flags, there
