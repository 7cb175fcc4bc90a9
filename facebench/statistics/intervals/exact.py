"""Intervals: Wilson for a share of comparisons, and the bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import FloatArray, IntArray, checked_comparisons, checked_level
from facebench.statistics.folds import ten_fold_accuracy
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.weighted import (
    SortedComparisons,
    Statistic,
    WeightedRoc,
    WeightedStatistic,
    weighted_accuracy,
)


@dataclass(frozen=True)
class Interval:
    """An interval [low, high] at a confidence level; kind says how it was made.

    Kinds: "dyadic over subjects" (see `dyadic`) and "bootstrap over subjects";
    "wilson over comparisons", "normal over comparisons" (of differences) and "bootstrap over
    comparisons" where the protocol does not say who is in its images, which are too narrow when
    comparisons share people.
    """

    low: float
    high: float
    level: float
    kind: str


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of the share successes / n, both counts, at level (a share).

    ValueError: n below 1, successes outside 0..n, level outside (0, 1). Source: Wilson 1927.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson: {successes} successes of {n}; need 0 <= successes <= n, n >= 1")
    z = NormalDist().inv_cdf((1 + checked_level(level, "wilson")) / 2)
    low, high = wilson_ends(successes / n, n, z)
    # At 0 and n one end is exactly 0 or 1; the rounding of the formula is kept out of it.
    return Interval(
        0.0 if successes == 0 else low, 1.0 if successes == n else high, level, "wilson"
    )


def wilson_ends(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's ends for a share of n, which need not be whole numbers, and a quantile z."""
    z2 = z * z / n
    centre = (share + z2 / 2) / (1 + z2)
    half = z / (1 + z2) * sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def exact_binomial(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The exact ends for a share of n independent comparisons, which need not be whole numbers.

    Source: Clopper and Pearson 1934.
    """
    # Late: SciPy's import would cost every run a fifth of a second.
    from scipy.special import betaincinv

    tail, hits = (1 - checked_level(level, "exact_binomial")) / 2, share * n
    low = float(betaincinv(hits, n - hits + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if share < 1 else 1.0
    return low, high


def percentile_interval(values: FloatArray, level: float, units: str) -> Interval:
    """Percentile bootstrap interval of the values of all draws, float[draws] (Efron 1979)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, f"bootstrap over {units}")


def bootstrap_over_subjects(
    statistic: Statistic,
    scores: ArrayLike,
    mated: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    *,
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic over resampled subjects; see `bootstrap` for the weights.

    statistic: such as `auc_statistic` or `tar_statistic(0.001)` of `weighted`. scores: float[n],
    mated: bool[n], subjects_a, subjects_b: [n] names or numbers, the person on either side, or None
    for both where they are unknown. A draw without mated or without non-mated comparisons is drawn
    again. ValueError: as for `roc` and `Units`, draws below 1, level outside (0, 1).
    Source: Bolle, Ratha, Pankanti 2004; Owen 2007.
    """
    where = "bootstrap_over_subjects"
    _, flags = checked_comparisons(scores, mated, where)
    checked_level(level, where)
    units = Units.of(flags, subjects_a, subjects_b, where)
    of_weights = statistic(scores, mated)
    values = np.concatenate([of_weights(block) for block in units.draw(draws, rng, where)])
    return percentile_interval(values, level, units.kind)


def verification_intervals(
    scores: ArrayLike,
    mated: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    folds: ArrayLike,
    targets: Sequence[float],
    draws: int,
    rng: np.random.Generator,
    level: float = 0.95,
    *,
    rule: str = "exact",
) -> dict[str, Interval]:
    """Bootstrap intervals over subjects of every verification statistic, from the same draws.

    Keys: "accuracy" (decisions held at the folds' thresholds of the data), "auc", "eer", and
    `tar_key(target)` for each target. Arguments and errors as for `bootstrap_over_subjects` and
    `ten_fold_accuracy`.
    """
    where = "verification_intervals"
    _, flags = checked_comparisons(scores, mated, where)
    checked_level(level, where)
    decisions = ten_fold_accuracy(scores, mated, folds, rule).decisions
    accuracy = weighted_accuracy(decisions == flags, folds)
    units = Units.of(flags, subjects_a, subjects_b, where)
    comparisons = SortedComparisons.of(scores, mated, where)
    blocks = [
        _all_statistics(comparisons, accuracy, targets, block)
        for block in units.draw(draws, rng, where)
    ]
    return {
        key: percentile_interval(np.concatenate([b[key] for b in blocks]), level, units.kind)
        for key in blocks[0]
    }


def _all_statistics(
    comparisons: SortedComparisons,
    accuracy: WeightedStatistic,
    targets: Sequence[float],
    weights: IntArray,
) -> dict[str, FloatArray]:
    curve = WeightedRoc(comparisons, weights)
    values = {"accuracy": accuracy(weights), "auc": curve.auc(), "eer": curve.eer()}
    return values | {tar_key(target): curve.tar_at_far(target) for target in targets}


def tar_key(target: float) -> str:
    """The name of TAR at a FAR in records and tables: tar_key(0.001) is "tar@far=0.001"."""
    return f"tar@far={float(target)!r}"
