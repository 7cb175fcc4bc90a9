"""Every verification statistic of two models on the same comparisons: differences over people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    FloatArray,
    checked_comparisons,
    checked_flags,
    checked_folds,
    checked_level,
)
from facebench.statistics.dyadic import Sharing, influenced_difference
from facebench.statistics.influence import fold_weights, of_auc, of_eer, of_share, of_tar
from facebench.statistics.intervals import tar_key
from facebench.statistics.no_change import units_of_all, units_of_fewer, units_of_kind
from facebench.statistics.paired import Difference
from facebench.statistics.resample import Units
from facebench.statistics.roc import auc, eer, tar_at_far

_Model = tuple[ArrayLike, ArrayLike]
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


def paired_with_each(
    baseline: _Model,
    candidates: Sequence[_Model],
    mated: ArrayLike,
    folds: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    targets: Sequence[float] = (),
    *,
    names: Collection[str] = NAMES,
    level: float = 0.95,
) -> list[dict[str, Difference]]:
    """As `paired_verification`, of several candidates, with what is the baseline's found once.

    names: which of accuracy, AUC and EER are computed, beside the targets.
    """
    where = "paired_verification"
    _, flags = checked_comparisons(baseline[0], mated, where)
    checked_level(level, where)
    checked_folds(folds, flags.size, where)
    units = Units.of(flags, subjects_a, subjects_b, where)
    sharing, weights = Sharing.of(units), fold_weights(np.asarray(folds))
    first, *others = (
        _influences(*model, flags, weights, sharing, names, targets, where)
        for model in (baseline, *candidates)
    )
    mated_units, fewer = units_of_kind(units, mated=True), units_of_fewer(units)
    independent = {"accuracy": units_of_all(units), "auc": fewer, "eer": fewer}
    return [
        {
            key: influenced_difference(
                own.value - first[key].value,
                own.influence - first[key].influence,
                sharing,
                independent=independent.get(key, mated_units),
                gains=_gains(first[key], own),
                level=level,
            )
            for key, own in other.items()
        }
        for other in others
    ]


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
    decisions: ArrayLike,
    mated: BoolArray,
    weights: FloatArray,
    sharing: Sharing,
    names: Collection[str],
    targets: Sequence[float],
    where: str,
) -> dict[str, _Influenced]:
    values, _ = checked_comparisons(scores, mated, where)
    decided = checked_flags(decisions, mated.size, "decisions", where)
    found = {}
    if "accuracy" in names:
        right = decided == mated
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
