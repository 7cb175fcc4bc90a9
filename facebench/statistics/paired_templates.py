"""Two models on the same template comparisons in splits: TAR at FARs, thresholds found anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import checked_level
from facebench.statistics.paired import Difference, difference_of_draws
from facebench.statistics.templates import SplitScores, tar_draws, tar_over_splits

_WHERE = "paired_tar_differences"


def paired_tar_differences(
    baseline: Sequence[SplitScores],
    candidate: Sequence[SplitScores],
    targets: Sequence[float],
    *,
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> list[Difference]:
    """Difference, candidate minus baseline, of the mean TAR over splits at each target FAR.

    People are drawn with replacement, the same for both models and all splits; their mated and
    non-mated comparisons count as often, and the threshold of each model is found again in every
    draw and split, so that its uncertainty is in the interval. Splits without people: comparisons
    are drawn, which is too narrow if they share people. Where draws do not differ the people of the
    mated comparisons bound the difference, see `difference_of_draws`.

    ValueError: splits of other comparisons or people, draws below 1, level outside (0, 1), targets
    outside (0, 1], people too few to resample.
    Source: Bolle, Ratha, Pankanti 2004; Owen 2007; pairing as in Koehn 2004.
    """
    checked_level(level, _WHERE)
    if draws < 1:
        raise ValueError(f"{_WHERE}: draws is {draws}; at least 1 is needed")
    _require_same(baseline, candidate)
    before, after = (tar_over_splits(splits, targets) for splits in (baseline, candidate))
    drawn = tar_draws([baseline, candidate], targets, draws, rng)
    values = drawn[:, 1] - drawn[:, 0]
    independent, units = _mated_units(baseline)
    return [
        difference_of_draws(new.mean - old.mean, column, level, units, independent)
        for old, new, column in zip(before, after, values.T, strict=True)
    ]


def _mated_units(splits: Sequence[SplitScores]) -> tuple[int, str]:
    """How many people the mated comparisons are of; comparisons, where people are unknown."""
    named = [split.left[split.mated] for split in splits if split.left is not None]
    if len(named) == len(splits):
        return int(np.unique(np.concatenate(named)).size), "subjects"
    return sum(int(np.count_nonzero(split.mated)) for split in splits), "comparisons"


def _require_same(baseline: Sequence[SplitScores], candidate: Sequence[SplitScores]) -> None:
    same = len(baseline) == len(candidate) and all(
        _equal(a.mated, b.mated) and _equal(a.left, b.left) and _equal(a.right, b.right)
        for a, b in zip(baseline, candidate, strict=True)
    )
    if not same or not baseline:
        raise ValueError(f"{_WHERE}: the two models did not make the same comparisons")


def _equal(a: ArrayLike | None, b: ArrayLike | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(np.asarray(a), np.asarray(b))
