"""Everything that a verification record says about one list of scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    FloatArray,
    IntArray,
    checked_comparisons,
    checked_flags,
    checked_folds,
    checked_level,
)
from facebench.statistics.folds import FoldAccuracy, ten_fold_accuracy
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing, influenced_difference, share_interval
from facebench.statistics.intervals.exact import Interval, tar_key
from facebench.statistics.intervals.influence import fold_weights, of_auc, of_eer, of_share, of_tar
from facebench.statistics.intervals.methods import MethodDifference, method_difference
from facebench.statistics.paired import Difference, units_of_all, units_of_fewer, units_of_kind
from facebench.statistics.roc import (
    OperatingPoint,
    PlotCurve,
    Roc,
    auc,
    curve_for_plot,
    eer,
    eer_of,
    roc,
    tar_at_far,
)


@dataclass(frozen=True)
class Separation:
    """How far apart the two kinds of acquired scores lie, in the unit of the scores.

    Standard deviations have ddof 1. d_prime: difference of the means over the root of the mean of
    the variances (Daugman 2000). None where fewer than two acquired scores, or no spread, leave a
    value undefined.
    """

    mated_mean: float | None
    mated_std: float | None
    nonmated_mean: float | None
    nonmated_std: float | None
    d_prime: float | None


@dataclass(frozen=True)
class RocStatistics:
    """What needs no threshold of its own: AUC, EER, TAR at FARs, one point per target, and their
    intervals by "auc", "eer" and `tar_key(target)`.
    """

    auc: float
    eer: float
    tar_at_far: tuple[OperatingPoint, ...]
    intervals: MappingProxyType[str, Interval]


@dataclass(frozen=True, eq=False)
class VerificationStatistics:
    """Statistics of one model on one verification protocol.

    Counts are of comparisons; failures to acquire are within n_comparisons. failure_share:
    failures / n_comparisons. accuracy: with decisions of every comparison. auc, eer: shares.
    tar_at_far: one point per target. intervals: over people where they are known, by "accuracy"
    (decisions held at the folds' thresholds), "auc", "eer" and `tar_key(target)`. draws: of the
    bands of curves. n_subjects: None where the protocol does not say who is in its images. curve:
    thinned ROC.
    """

    n_comparisons: int
    n_mated: int
    n_nonmated: int
    n_subjects: int | None
    failures_to_acquire: int
    failure_share: float
    accuracy: FoldAccuracy
    auc: float
    eer: float
    tar_at_far: tuple[OperatingPoint, ...]
    intervals: MappingProxyType[str, Interval]
    draws: int
    separation: Separation
    curve: PlotCurve


def verification_statistics(
    scores: ArrayLike,
    mated: ArrayLike,
    folds: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    acquired: ArrayLike,
    *,
    rule: str = "exact",
    targets: Sequence[float] = (0.1, 0.01, 0.001),
    draws: int = 1000,
    level: float = 0.95,
) -> VerificationStatistics:
    """Fold accuracy, AUC, EER, TAR at FAR, their intervals and the failures to acquire.

    scores: float[n], higher is more alike. mated: bool[n]. folds: int[n]. subjects_a, subjects_b:
    [n], the person on either side, or None for both. acquired: bool[n], False where a face of the
    comparison was not found; its score, whatever it is, counts as -inf, and the comparison stays.
    draws: resamples of the people for the bands of curves, 0 for none.

    ValueError: as for `ten_fold_accuracy`, `tar_at_far` and `Units`, draws below 0, or a comparison
    that is acquired with the score -inf.
    Source: Huang et al. 2007; `facebench.statistics.intervals.dyadic` for the intervals.
    """
    where = "verification_statistics"
    if draws < 0:
        raise ValueError(f"{where}: draws is {draws}; give 0 for no bootstrap, or more")
    values = _with_failures(scores, acquired, where)
    values, flags = checked_comparisons(values, mated, where)
    n, n_mated = flags.size, int(np.count_nonzero(flags))
    units = Units.of(flags, subjects_a, subjects_b, where)
    accuracy, sharing = ten_fold_accuracy(values, flags, folds, rule), Sharing.of(units)
    curve = roc(values, flags)
    ranked = roc_statistics(values, units, targets, curve=curve, sharing=sharing, level=level)
    of_accuracy = accuracy_interval(
        accuracy.accuracy,
        accuracy.decisions == flags,
        units,
        np.asarray(folds),
        sharing,
        level,
    )
    failures = int(np.count_nonzero(values == -np.inf))
    return VerificationStatistics(
        n_comparisons=n,
        n_mated=n_mated,
        n_nonmated=n - n_mated,
        n_subjects=units.count if units.kind == "subjects" else None,
        failures_to_acquire=failures,
        failure_share=failures / n,
        accuracy=accuracy,
        auc=ranked.auc,
        eer=ranked.eer,
        tar_at_far=ranked.tar_at_far,
        intervals=MappingProxyType({"accuracy": of_accuracy, **ranked.intervals}),
        draws=draws,
        separation=_separation(values, flags),
        curve=curve_for_plot(curve),
    )


def roc_statistics(
    scores: AnyFloatArray,
    units: Units,
    targets: Sequence[float],
    *,
    curve: Roc | None = None,
    sharing: Sharing | None = None,
    level: float = 0.95,
) -> RocStatistics:
    """AUC, EER and TAR at FARs of scores float[n], -inf for failures to acquire.

    units: of the comparisons, with which of them are mated; curve, sharing: theirs, where they are
    known already. ValueError: as for `tar_at_far`.
    """
    mated, fewer = units.mated, units_of_fewer(units)
    sharing = sharing or Sharing.of(units)
    area, rate = auc(scores, mated), eer_of(curve or roc(scores, mated))
    points = tuple(tar_at_far(scores, mated, targets))
    of_mated = (int(np.count_nonzero(mated)), units_of_kind(units, mated=True))
    # value, influence, comparisons that it is a share of, units without a common person
    known: dict[str, tuple[float, FloatArray, int | None, int]] = {
        "auc": (area, of_auc(scores, mated), None, fewer),
        "eer": (rate, of_eer(scores, mated, rate, sharing), mated.size, fewer),
    }
    for point in points:
        influence, _ = of_tar(scores, mated, point.target, sharing)
        known[tar_key(point.target)] = (point.tar, influence, *of_mated)
    intervals = {
        key: share_interval(
            value, influence, sharing, comparisons=most, independent=least, level=level
        )
        for key, (value, influence, most, least) in known.items()
    }
    return RocStatistics(area, rate, points, MappingProxyType(intervals))


def accuracy_interval(
    accuracy: float,
    right: BoolArray,
    units: Units,
    folds: IntArray,
    sharing: Sharing,
    level: float = 0.95,
) -> Interval:
    """Of the mean over folds int[n] of the share of comparisons that were decided rightly, bool[n],
    at the folds' thresholds; over people where they are known.
    """
    return share_interval(
        accuracy,
        of_share(right, units.mated, fold_weights(folds)),
        sharing,
        comparisons=right.size,
        independent=units_of_all(units),
        level=level,
    )


def _with_failures(scores: ArrayLike, acquired: ArrayLike, where: str) -> AnyFloatArray:
    """A copy of the scores with -inf where a face was not acquired."""
    given = np.asarray(scores)
    if given.ndim != 1 or given.dtype.kind not in "fiu":
        raise ValueError(f"{where}: scores must be a list of real numbers, one per comparison")
    flags = checked_flags(acquired, given.size, "acquired", where)
    lost = np.flatnonzero(flags & (given == -np.inf))
    if lost.size:
        raise ValueError(
            f"{where}: comparison {lost[0]} has the score -inf but is marked as acquired; "
            "mark comparisons without a face as not acquired"
        )
    values = given.astype(given.dtype if given.dtype == np.float32 else np.float64)  # a copy
    values[~flags] = -np.inf
    return values


def _separation(scores: AnyFloatArray, mated: BoolArray) -> Separation:
    acquired = scores > -np.inf
    moments: list[tuple[float | None, float | None]] = []
    for kind in (scores[mated & acquired], scores[~mated & acquired]):
        mean = float(kind.mean(dtype=np.float64)) if kind.size else None
        std = float(kind.std(dtype=np.float64, ddof=1)) if kind.size > 1 else None
        moments.append((mean, std))
    (mean_m, std_m), (mean_n, std_n) = moments
    d_prime = None
    if mean_m is not None and mean_n is not None and std_m is not None and std_n is not None:
        pooled = float(np.sqrt((std_m**2 + std_n**2) / 2))
        d_prime = (mean_m - mean_n) / pooled if pooled > 0 else None
    return Separation(mean_m, std_m, mean_n, std_n, d_prime)


_Model = tuple[ArrayLike, ArrayLike | None]
NAMES = ("accuracy", "auc", "eer")


def paired_verification(
    baseline: _Model,
    candidate: _Model,
    mated: ArrayLike,
    folds: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    targets: Sequence[float] = (),
    *,
    level: float = 0.95,
) -> dict[str, Difference]:
    """Differences, candidate minus baseline, of accuracy, AUC, EER and TAR at FARs.

    baseline, candidate: (scores float[n], decisions bool[n]) of the same comparisons; mated:
    bool[n]; folds: int[n]; subjects: [n] names or numbers, or None for both. Keys: "accuracy"
    (decisions held as they are), "auc", "eer" and `tar_key(target)`. What is common to both models
    cancels in every comparison's influence; see `influenced_difference`. ValueError: as for `roc`,
    `checked_folds` and `Units`.
    """
    (found,) = paired_with_each(
        baseline, [candidate], mated, folds, subjects_a, subjects_b, targets, level=level
    )
    return found


def method_differences(
    base: Sequence[_Model],
    candidate: Sequence[_Model],
    mated: ArrayLike,
    folds: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    targets: Sequence[float] = (),
    *,
    level: float = 0.95,
) -> dict[str, MethodDifference]:
    """As `paired_verification`, of two methods, each of several seeds' models."""
    where = "method_differences"
    _, flags = checked_comparisons(base[0][0], mated, where)
    units = Units.of(flags, subjects_a, subjects_b, where)
    sharing = Sharing.of(units)
    checked_folds(folds, flags.size, where)
    weights, independent = fold_weights(np.asarray(folds)), _independent(units)
    methods = [
        [_influences(*model, flags, weights, sharing, NAMES, targets, where) for model in models]
        for models in (base, candidate)
    ]
    found = {}
    for key in methods[0][0]:
        one, other = (
            (
                np.array([model[key].value for model in models]),
                np.array([model[key].influence for model in models]),
            )
            for models in methods
        )
        found[key] = method_difference(
            one, other, sharing, level, independent=independent(key),
            gains=_gains(*(_mean_of([model[key] for model in models]) for models in methods)),
        )  # fmt: skip
    return found


def _mean_of(models: Sequence[_Influenced]) -> _Influenced:
    """The mean of a method's seeds."""
    rights = [model.right for model in models if model.right is not None]
    return _Influenced(
        float(np.mean([model.value for model in models])),
        np.mean([model.influence for model in models], axis=0),
        np.mean(rights, axis=0) if rights else None,
    )


def _independent(units: Units) -> Callable[[str], int]:
    """How many units may be independent, by the key of the statistic that rests on them."""
    mated_units, fewer = units_of_kind(units, mated=True), units_of_fewer(units)
    of = {"accuracy": units_of_all(units), "auc": fewer, "eer": fewer}
    return lambda key: of.get(key, mated_units)


def paired_with_each(
    baseline: _Model,
    candidates: Sequence[_Model],
    mated: ArrayLike,
    folds: ArrayLike | None,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    targets: Sequence[float] = (),
    *,
    names: Collection[str] = NAMES,
    level: float = 0.95,
) -> list[dict[str, Difference]]:
    """As `paired_verification`, of several candidates, with what is the baseline's found once.

    names: which of accuracy, AUC and EER are computed, beside the targets; folds and decisions are
    of accuracy, and may be None without it.
    """
    differences = _differences(
        [baseline, *candidates], mated, folds, subjects_a, subjects_b, targets, names, level
    )
    return [differences(0, number) for number in range(1, len(candidates) + 1)]


def paired_among(
    models: Sequence[_Model],
    mated: ArrayLike,
    folds: ArrayLike | None,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    targets: Sequence[float] = (),
    *,
    names: Collection[str] = NAMES,
    level: float = 0.95,
) -> Iterator[tuple[int, int, dict[str, Difference]]]:
    """As `paired_verification`, of every two models: (baseline, candidate, differences), the
    baseline's number the lower, with what is each model's own found once. names: as above.
    """
    differences = _differences(models, mated, folds, subjects_a, subjects_b, targets, names, level)
    for one, other in combinations(range(len(models)), 2):
        yield one, other, differences(one, other)


def _differences(
    models: Sequence[_Model],
    mated: ArrayLike,
    folds: ArrayLike | None,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    targets: Sequence[float],
    names: Collection[str],
    level: float,
) -> Callable[[int, int], dict[str, Difference]]:
    """The differences of a baseline and a candidate, by their numbers among the models."""
    where = "paired_verification"
    _, flags = checked_comparisons(models[0][0], mated, where)
    checked_level(level, where)
    units = Units.of(flags, subjects_a, subjects_b, where)
    sharing, weights = Sharing.of(units), None
    if folds is not None:
        checked_folds(folds, flags.size, where)
        weights = fold_weights(np.asarray(folds))
    found = [
        _influences(*model, flags, weights, sharing, names, targets, where) for model in models
    ]
    independent = _independent(units)

    def between(one: int, other: int) -> dict[str, Difference]:
        first = found[one]
        return {
            key: influenced_difference(
                own.value - first[key].value,
                own.influence - first[key].influence,
                sharing,
                independent=independent(key),
                gains=_gains(first[key], own),
                level=level,
            )
            for key, own in found[other].items()
        }

    return between


@dataclass(frozen=True, eq=False)
class _Influenced:
    """A statistic and the influence float64[n] on it. right: float64[n], what each comparison adds
    to a share, or None.
    """

    value: float
    influence: FloatArray
    right: FloatArray | None = None


def _gains(baseline: _Influenced, candidate: _Influenced) -> FloatArray | None:
    if baseline.right is None or candidate.right is None:
        return None
    return np.asarray(candidate.right - baseline.right)


def _influences(
    scores: ArrayLike,
    decisions: ArrayLike | None,
    mated: BoolArray,
    weights: FloatArray | None,
    sharing: Sharing,
    names: Collection[str],
    targets: Sequence[float],
    where: str,
) -> dict[str, _Influenced]:
    values, _ = checked_comparisons(scores, mated, where)
    found = {}
    if "accuracy" in names and decisions is not None and weights is not None:
        right = checked_flags(decisions, mated.size, "decisions", where) == mated
        shares = weights * right
        found["accuracy"] = _Influenced(
            float(shares.sum()), of_share(right, mated, weights), shares
        )
    if "auc" in names:
        found["auc"] = _Influenced(auc(values, mated), of_auc(values, mated))
    if "eer" in names:
        rate = eer(values, mated)
        found["eer"] = _Influenced(rate, of_eer(values, mated, rate, sharing))
    for target in targets:
        found[tar_key(target)] = _tar(values, mated, target, sharing)
    return found


def _tar(scores: AnyFloatArray, mated: BoolArray, target: float, sharing: Sharing) -> _Influenced:
    influence, accepted = of_tar(scores, mated, target, sharing)
    (point,) = tar_at_far(scores, mated, [target])
    right = (accepted & mated) / np.count_nonzero(mated)
    return _Influenced(point.tar, influence, right)
