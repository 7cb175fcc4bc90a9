"""Every verification statistic of two models on the same comparisons, from the same draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    BoolArray,
    FloatArray,
    IntArray,
    checked_comparisons,
    checked_flags,
    checked_level,
)
from facebench.statistics.intervals import tar_key
from facebench.statistics.no_change import units_of_all, units_of_fewer, units_of_kind
from facebench.statistics.paired import Difference, difference_of_draws
from facebench.statistics.resample import Units
from facebench.statistics.weighted import SortedComparisons, WeightedRoc, weighted_accuracy

_OfWeights = Callable[[IntArray], dict[str, FloatArray]]
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
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> dict[str, Difference]:
    """Differences, candidate minus baseline, of accuracy, AUC, EER and TAR at FARs.

    baseline, candidate: (scores float[n], decisions bool[n]) of the same comparisons; mated:
    bool[n]; folds: int[n]; subjects: [n] names or numbers, or None for both. Keys: "accuracy"
    (decisions held as they are), "auc", "eer" and `tar_key(target)`. Every draw weights both models
    alike, so what is common to them cancels. Where draws do not differ see `difference_of_draws`:
    accuracy rests on all comparisons, TAR on mated ones, AUC and EER on the kind that has fewer.
    ValueError: as for `bootstrap_over_subjects`.
    Source: Bolle, Ratha, Pankanti 2004; Owen 2007; pairing as in Koehn 2004.
    """
    (found,) = paired_with_each(
        baseline,
        [candidate],
        mated,
        folds,
        subjects_a,
        subjects_b,
        targets,
        draws=draws,
        rng=rng,
        level=level,
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
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> list[dict[str, Difference]]:
    """As `paired_verification`, of several candidates: the same numbers, from draws made once.

    names: which of accuracy, AUC and EER are computed, beside the targets.
    """
    where = "paired_verification"
    _, flags = checked_comparisons(baseline[0], mated, where)
    checked_level(level, where)
    units = Units.of(flags, subjects_a, subjects_b, where)
    models = [
        _statistics(*model, flags, folds, names, targets, where)
        for model in (baseline, *candidates)
    ]

    def differences(weights: IntArray) -> list[dict[str, FloatArray]]:
        of_baseline, *others = (model(weights) for model in models)
        return [{key: other[key] - of_baseline[key] for key in of_baseline} for other in others]

    once = differences(np.ones((1, flags.size), dtype=np.int64))
    blocks = [differences(weights) for weights in units.draw(draws, rng, where)]
    mated_units, fewer = units_of_kind(units, mated=True), units_of_fewer(units)
    independent = {"accuracy": units_of_all(units), "auc": fewer, "eer": fewer}
    return [
        {
            key: difference_of_draws(
                float(value[0]),
                np.concatenate([block[number][key] for block in blocks]),
                level,
                units.kind,
                independent.get(key, mated_units),
            )
            for key, value in estimates.items()
        }
        for number, estimates in enumerate(once)
    ]


def _statistics(
    scores: ArrayLike,
    decisions: ArrayLike,
    mated: BoolArray,
    folds: ArrayLike,
    names: Collection[str],
    targets: Sequence[float],
    where: str,
) -> _OfWeights:
    decided = checked_flags(decisions, mated.size, "decisions", where)
    accuracy = weighted_accuracy(decided == mated, folds)
    ordered = SortedComparisons.of(scores, mated, where)
    curves = [name for name in ("auc", "eer") if name in names]

    def of_weights(weights: IntArray) -> dict[str, FloatArray]:
        values = {"accuracy": accuracy(weights)} if "accuracy" in names else {}
        if not curves and not targets:
            return values
        curve = WeightedRoc(ordered, weights)
        values |= {name: getattr(curve, name)() for name in curves}
        return values | {tar_key(target): curve.tar_at_far(target) for target in targets}

    return of_weights
