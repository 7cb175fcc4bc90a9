"""Two models on the same template comparisons in splits: TAR at FARs, each at its threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import checked_level
from facebench.statistics.paired import Difference
from facebench.statistics.rates import rate_difference
from facebench.statistics.templates import SplitScores, sharing_of_splits, tar_of_splits

_WHERE = "paired_tar_differences"


def paired_tar_differences(
    baseline: Sequence[SplitScores],
    candidate: Sequence[SplitScores],
    targets: Sequence[float],
    *,
    level: float = 0.95,
) -> list[Difference]:
    """Difference, candidate minus baseline, of the mean TAR over splits at each target FAR.

    Over people, the same in all splits, the error of every threshold included. Splits without
    people: comparisons are taken for independent, which is too narrow if they share people.

    ValueError: splits of other comparisons or people, level outside (0, 1), targets outside (0, 1].
    """
    checked_level(level, _WHERE)
    _require_same(baseline, candidate)
    sharing, parts, independent = sharing_of_splits(baseline)
    return [
        rate_difference(
            tar_of_splits(baseline, target, parts),
            tar_of_splits(candidate, target, parts),
            sharing,
            independent,
            level,
        )
        for target in targets
    ]


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
