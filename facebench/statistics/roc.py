"""ROC, AUC, EER and TAR at FAR of verification scores, exact at ties and without interpolation.

Words: `far` is the share of non-mated comparisons that are accepted (FMR), `tar` the share of mated
ones (1 - FNMR). A comparison is accepted when score >= threshold; -inf, a face that was not
acquired, is never accepted and stays in the denominators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    AnyFloatArray,
    FloatArray,
    IntArray,
    checked_comparisons,
    read_only,
)


@dataclass(frozen=True, eq=False)
class Roc:
    """Every operating point, from "accept nothing" down to "accept all that was acquired".

    thresholds: float[m], descending: first the float after the highest score, at which nothing is
    accepted, then every distinct acquired score. far, tar: float[m]. false_accepts, true_accepts:
    int[m], the counts behind them. n_mated, n_nonmated: the denominators, failures to acquire
    included, so that the last point is below (1, 1) when there are any.
    """

    thresholds: FloatArray
    far: FloatArray
    tar: FloatArray
    false_accepts: IntArray
    true_accepts: IntArray
    n_mated: int
    n_nonmated: int


@dataclass(frozen=True)
class OperatingPoint:
    """TAR at the largest operating point whose FAR does not exceed target.

    far: the FAR that was reached, false_accepts / n_nonmated. threshold: score >= threshold is
    accepted. resolvable: False when target < 1 / n_nonmated, that is when the non-mated comparisons
    are too few to tell the target from zero; tar is then the TAR without any false accept.
    """

    target: float
    tar: float
    far: float
    threshold: float
    resolvable: bool
    true_accepts: int
    false_accepts: int
    n_mated: int
    n_nonmated: int


@dataclass(frozen=True, eq=False)
class PlotCurve:
    """A thinned ROC to draw as steps (`where="post"` over far): float[p] each, far ascending."""

    far: FloatArray
    tar: FloatArray
    thresholds: FloatArray


def roc(scores: ArrayLike, mated: ArrayLike) -> Roc:
    """All operating points of scores float[n] with labels mated bool[n]; none is dropped.

    ValueError: NaN, +inf, differing lengths, only one kind of comparison.
    """
    values, flags = checked_comparisons(scores, mated, "roc")
    highest = _next_above(values.max())
    # Sorting values and looking the mated ones up is several times faster than an argsort.
    genuine, ascending = np.sort(values[flags]), np.sort(values)
    n_mated, n = genuine.size, ascending.size
    failures = int(np.searchsorted(ascending, -np.inf, side="right"))
    acquired = ascending[failures:]
    is_new = np.ones(acquired.size, dtype=np.bool_)
    np.not_equal(acquired[1:], acquired[:-1], out=is_new[1:])
    starts = failures + np.flatnonzero(is_new)[::-1]
    distinct = ascending[starts]
    accepts = np.concatenate(([0], n - starts))
    true_accepts = np.concatenate(([0], n_mated - np.searchsorted(genuine, distinct)))
    false_accepts = accepts - true_accepts
    return Roc(
        thresholds=read_only(np.concatenate(([highest], distinct.astype(np.float64)))),
        far=read_only(false_accepts / (n - n_mated)),
        tar=read_only(true_accepts / n_mated),
        false_accepts=read_only(false_accepts),
        true_accepts=read_only(true_accepts),
        n_mated=n_mated,
        n_nonmated=n - n_mated,
    )


def auc(scores: ArrayLike, mated: ArrayLike) -> float:
    """Probability that a mated score exceeds a non-mated one, ties counting one half; exact.

    scores: float[n], mated: bool[n]; the count is of integers and divided once. Failures to acquire
    (-inf) tie with each other below every score. ValueError as for `roc`.
    Source: Mann and Whitney 1947; Hanley and McNeil 1982.
    """
    values, flags = checked_comparisons(scores, mated, "auc")
    # Each kind sorted by itself (a value sort is several times faster than an argsort), then the
    # smaller one looked up in the larger one.
    kinds = [np.sort(values[flags]), np.sort(values[~flags])]
    swap = kinds[0].size > kinds[1].size
    few, many = kinds[::-1] if swap else kinds
    below = int(np.searchsorted(many, few, side="left").sum())
    not_above = int(np.searchsorted(many, few, side="right").sum())
    twice = below + not_above  # of (few, many) pairs: 2 * (many < few) + (many == few)
    pairs = few.size * many.size
    return (2 * pairs - twice if swap else twice) / (2 * pairs)


def eer(scores: ArrayLike, mated: ArrayLike) -> float:
    """Equal error rate: the FAR at which the piecewise-linear ROC crosses FAR = 1 - TAR.

    The ROC is the polyline through all operating points of `roc`, in order, from (0, 0); where
    faces were not acquired it ends in a segment to (1, 1), the failures being one tied group below
    every score, as in `auc`. FAR - (1 - TAR) strictly increases along it, so the crossing is
    unique. If it is an operating point, that point's FAR is exact; otherwise it is interpolated
    between the two operating points that bracket it, and only between these. Computed in fractions
    and rounded once. scores: float[n], mated: bool[n]; ValueError as for `roc`.
    """
    return eer_of(roc(scores, mated))


def eer_of(curve: Roc) -> float:
    """The equal error rate of a Roc; see `eer`."""
    n_mated, n_nonmated = curve.n_mated, curve.n_nonmated
    false = np.append(curve.false_accepts, n_nonmated)
    true = np.append(curve.true_accepts, n_mated)
    # (FAR - FRR) * n_mated * n_nonmated, in whole numbers: negative at (0, 0), positive at (1, 1)
    excess = false * n_mated + true * n_nonmated - n_mated * n_nonmated
    i = int(np.argmax(excess >= 0))
    step = Fraction(int(-excess[i - 1]), int(excess[i] - excess[i - 1]))
    return float((int(false[i - 1]) + step * int(false[i] - false[i - 1])) / n_nonmated)


def allowed_false_accepts(target: float, n_nonmated: int) -> int:
    """floor(target * n_nonmated) with target as it is written: 0.1 of 30 is 3, not 2.

    target: share above 0 and at most 1. ValueError otherwise.
    """
    share = exact_target(target)
    return share.numerator * n_nonmated // share.denominator


def exact_target(target: float) -> Fraction:
    """The FAR target as the decimal number that is written, not as the nearest binary one."""
    try:
        share = Fraction(str(target))
    except ValueError:
        raise ValueError(f"FAR target {target!r} is not a number") from None
    if not 0 < share <= 1:
        raise ValueError(f"FAR target {target} is not a share above 0 and at most 1, such as 0.001")
    return share


def tar_at_far(
    scores: ArrayLike, mated: ArrayLike, targets: Sequence[float]
) -> list[OperatingPoint]:
    """TAR at the largest operating point whose FAR is at most each target; one point per target.

    scores: float32 or float64[n], mated: bool[n], targets: shares in (0, 1]. With k the number of
    false accepts that a target allows and v the (k+1)-th highest non-mated score, exactly the
    scores above v are accepted: if accepting all non-mated scores of one tied value would exceed
    the target, none of them is accepted. The threshold is the lowest observed score (of either
    kind) above v, or, when v is the highest score of all, the float after it (in the dtype of
    scores). It is therefore a threshold of `roc`. Only the non-mated tail is sorted.

    ValueError: as for `roc`, or a target outside (0, 1].
    Source: Klare et al. 2015, Section 4 (TAR at FAR); the rule for ties and for targets out of
    reach is facebench's.
    """
    values, flags = checked_comparisons(scores, mated, "tar_at_far")
    allowed = [allowed_false_accepts(target, int((~flags).sum())) for target in targets]
    if not allowed:
        return []
    genuine = np.sort(values[flags])
    impostor = values[~flags]  # a copy, so that the partition may be done in place
    n_mated, n_nonmated = genuine.size, impostor.size
    start = max(n_nonmated - 1 - max(allowed), 0)
    impostor.partition(start)
    tail = np.sort(impostor[start:])
    points = []
    for target, k in zip(targets, allowed, strict=True):
        v = tail[tail.size - 1 - k] if k < n_nonmated else values.dtype.type(-np.inf)
        first_true = int(np.searchsorted(genuine, v, side="right"))
        first_false = int(np.searchsorted(tail, v, side="right"))
        true_accepts, false_accepts = n_mated - first_true, tail.size - first_false
        points.append(
            OperatingPoint(
                target=float(target),
                tar=true_accepts / n_mated,
                far=false_accepts / n_nonmated,
                threshold=_lowest_above(v, genuine[first_true:], tail[first_false:]),
                resolvable=k >= 1,
                true_accepts=true_accepts,
                false_accepts=false_accepts,
                n_mated=n_mated,
                n_nonmated=n_nonmated,
            )
        )
    return points


def _lowest_above(v: np.floating[Any], *ascending: AnyFloatArray) -> float:
    """The lowest score in the sorted remainders above v, or the float after v if there is none."""
    candidates = [part[0] for part in ascending if part.size]
    return float(min(candidates)) if candidates else _next_above(v)


def _next_above(score: np.floating[Any]) -> float:
    """The float after a score in its own dtype; after the largest finite one it is +inf."""
    with np.errstate(over="ignore"):
        return float(np.nextafter(score, score.dtype.type(np.inf)))


def curve_for_plot(curve: Roc, points: int = 200) -> PlotCurve:
    """At most about `points` operating points of a Roc, exact at FAR 1, 0.1, 0.01, ...

    Kept are the point without false accepts, the last one, and the largest operating points at most
    at every decade down to 1 / n_nonmated and at log-spaced FARs between. All are true operating
    points: drawn as steps the curve never exceeds the full one, and equals it at every decade.
    ValueError when points is below 2.
    """
    if points < 2:
        raise ValueError(f"curve_for_plot: points is {points}; at least 2 are needed")
    n = curve.n_nonmated
    decades = [n // 10**d for d in range(len(str(n)))]
    spaced = np.floor(np.geomspace(1, n, points)).astype(np.int64)
    counts = np.unique(np.concatenate(([0], decades, spaced, [n])))
    rows = np.unique(np.searchsorted(curve.false_accepts, counts, side="right") - 1)
    return PlotCurve(
        far=read_only(curve.far[rows]),
        tar=read_only(curve.tar[rows]),
        thresholds=read_only(curve.thresholds[rows]),
    )
