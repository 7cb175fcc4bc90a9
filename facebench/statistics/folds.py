"""k-fold verification accuracy: each fold is decided at a threshold learned on the others.

Source: Huang, Ramesh, Berg, Learned-Miller 2007, "Labeled Faces in the Wild", view 2 (estimated
mean accuracy and standard error of the mean over ten folds).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    BoolArray,
    FloatArray,
    IntArray,
    checked_comparisons,
    checked_folds,
    read_only,
)


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    """Accuracy over k folds, with what it rests on; folds are in ascending order of their label.

    accuracy: mean of per_fold (a share, not percent). standard_error: std(per_fold, ddof=1) /
    sqrt(k), the LFW rule. per_fold, thresholds: float[k]. decisions: bool[n], every comparison
    decided at its own fold's threshold. rule: name in THRESHOLD_RULES. labels: int[k], the folds'
    labels. unit: what thresholds are measured in, "score" or "squared L2 distance".
    """

    accuracy: float
    standard_error: float
    per_fold: FloatArray
    thresholds: FloatArray
    decisions: BoolArray
    rule: str
    labels: IntArray
    unit: str


@dataclass(frozen=True)
class ThresholdRule:
    """A named way to choose each fold's threshold from the other folds and to decide with it.

    apply(scores float64[n], mated bool[n], fold int[n] in 0..k-1, k) -> (thresholds float[k],
    decisions bool[n]).
    """

    name: str
    unit: str
    summary: str
    apply: Callable[[FloatArray, BoolArray, IntArray, int], tuple[FloatArray, BoolArray]]


def ten_fold_accuracy(
    scores: ArrayLike, mated: ArrayLike, folds: ArrayLike, rule: str = "exact"
) -> FoldAccuracy:
    """Mean accuracy over folds, each decided at the threshold that is best on the other folds.

    scores: float[n], higher is more alike, taken as float64; -inf for a comparison with a face
    that was not acquired, which stays in and is decided non-mated at every threshold. mated:
    bool[n]. folds: int[n], any two or more labels. rule: a name in THRESHOLD_RULES.

    ValueError: NaN, +inf, differing lengths, a single fold, an unknown rule, only one kind of
    comparison or none acquired (overall or outside one fold, where no threshold can be learned).
    Source: Huang et al. 2007, Section 5; standard error as on the LFW results page.
    """
    where = "ten_fold_accuracy"
    if rule not in THRESHOLD_RULES:
        known = ", ".join(THRESHOLD_RULES)
        raise ValueError(f"{where}: there is no threshold rule {rule!r}; choose one of {known}")
    given, flags = checked_comparisons(scores, mated, where)
    labels, fold = checked_folds(folds, given.size, where)
    values = given.astype(np.float64, copy=False)
    k = labels.size
    _check_training(values, flags, fold, labels, where)
    chosen = THRESHOLD_RULES[rule]
    thresholds, decisions = chosen.apply(values, flags, fold, k)
    per_fold = np.bincount(fold[decisions == flags], minlength=k) / np.bincount(fold, minlength=k)
    return FoldAccuracy(
        accuracy=float(per_fold.mean()),
        standard_error=float(per_fold.std(ddof=1) / np.sqrt(k)),
        per_fold=read_only(per_fold),
        thresholds=read_only(thresholds),
        decisions=read_only(decisions),
        rule=rule,
        labels=read_only(labels),
        unit=chosen.unit,
    )


def _check_training(
    scores: FloatArray, mated: BoolArray, fold: IntArray, labels: IntArray, where: str
) -> None:
    """Raise when no threshold can be learned outside one fold, such as when folds follow labels."""
    needed = {
        "mated": mated,
        "non-mated": ~mated,
        "acquired": scores > -np.inf,
    }
    for kind, flags in needed.items():
        inside = np.bincount(fold[flags], minlength=labels.size)
        for j in np.flatnonzero(inside == inside.sum()):
            raise ValueError(
                f"{where}: no comparison outside fold {labels[j]} is {kind}, so no threshold can "
                "be learned for it; check how the folds were cut"
            )


def _exact(
    scores: FloatArray, mated: BoolArray, fold: IntArray, k: int
) -> tuple[FloatArray, BoolArray]:
    """Sort once; per fold, one cumulative sum over the training scores gives every candidate."""
    order = np.argsort(scores)
    ascending = scores[order]
    acquired = int(np.searchsorted(ascending, -np.inf, side="right"))
    order, ascending = order[acquired:], ascending[acquired:]
    sign = np.where(mated[order], 1, -1)
    fold_of = fold[order]
    thresholds = np.empty(k)
    for j in range(k):
        train = fold_of != j
        thresholds[j] = _best_threshold(ascending[train], sign[train])
    # The lowest candidate may round to -inf, so "not acquired" is said apart from the threshold.
    return thresholds, (scores >= thresholds[fold]) & (scores > -np.inf)


def _best_threshold(ascending: FloatArray, sign: IntArray) -> float:
    """Middle of the best candidates for acquired training scores; sign: +1 mated, -1 non-mated."""
    n = ascending.size
    # Candidate i accepts ascending[cut[i]:]; moving it up past a mated score loses one, past a
    # non-mated score wins one, so correct = constant - cumulative sign.
    cut = np.concatenate(([0], np.flatnonzero(ascending[1:] != ascending[:-1]) + 1, [n]))
    lost = np.concatenate(([0], np.cumsum(sign)))[cut]
    tied = np.flatnonzero(lost == lost.min())
    i = int(cut[tied[(tied.size - 1) // 2]])
    if i == 0:
        return math.nextafter(ascending[0], -math.inf)
    if i == n:
        return math.nextafter(ascending[-1], math.inf)
    return midpoint(float(ascending[i - 1]), float(ascending[i]))


def midpoint(low: float, high: float) -> float:
    """A float t with low < t <= high, so that `score >= t` separates them: (low + high) / 2.

    Where that rounds to low (neighbouring floats) it is high; where the sum overflows the halves
    are added instead.
    """
    total = low + high
    middle = total / 2 if math.isfinite(total) else low / 2 + high / 2
    return middle if low < middle <= high else high


def _facenet_grid(
    scores: FloatArray, mated: BoolArray, fold: IntArray, k: int
) -> tuple[FloatArray, BoolArray]:
    """First best of the grid 0, 0.01, ... 3.99 on d = 2 - 2 cos, and strict d < t is mated."""
    acquired = scores > -np.inf
    outside = acquired & (np.abs(scores) > 1.001)  # float16 cosines reach 1.0005
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(
            f"facenet-grid: score {scores[first]:g} at index {first} is not a cosine; "
            "the grid is defined for cosine scores in [-1, 1] only, use the rule 'exact'"
        )
    distances = np.maximum(2.0 - 2.0 * scores, 0.0)  # +inf where not acquired
    grid = np.arange(0, 4, 0.01)
    order = np.argsort(distances)
    ascending, flags, fold_of = distances[order], mated[order], fold[order]
    thresholds = np.empty(k)
    for j in range(k):
        train = fold_of != j
        accepted = np.searchsorted(ascending[train], grid, side="left")
        gain = np.concatenate(([0], np.cumsum(np.where(flags[train], 1, -1))))
        thresholds[j] = grid[int(np.argmax(gain[accepted]))]
    return thresholds, distances < thresholds[fold]


THRESHOLD_RULES: MappingProxyType[str, ThresholdRule] = MappingProxyType(
    {
        "exact": ThresholdRule(
            "exact",
            "score",
            "Candidates are the midpoints between neighbouring distinct training scores and, beyond"
            " each end, the next float outwards; score >= threshold is mated; of the candidates of "
            "equal training accuracy, in ascending order, the middle one (of an even number, the "
            "lower of the two in the middle).",
            _exact,
        ),
        "facenet-grid": ThresholdRule(
            "facenet-grid",
            "squared L2 distance",
            "For reproducing others' numbers: on the squared L2 distance of normalised embeddings, "
            "d = 2 - 2 cos, the first best of the grid 0, 0.01, ... 3.99; d < threshold is mated.",
            _facenet_grid,
        ),
    }
)
