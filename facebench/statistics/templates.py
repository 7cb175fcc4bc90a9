"""TAR at FAR of comparisons of templates in splits: exact for millions of scores.

The operating points are those of `facebench.statistics.roc.tar_at_far`: at most the target, none
dropped, no interpolation; it sorts the non-mated tail only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facebench.statistics.calibration.people import connected
from facebench.statistics.checks import FloatArray, IntArray, checked_alike, checked_level
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.paired import Difference
from facebench.statistics.rates import (
    PartRate,
    rate_difference,
    rate_interval,
    share_rate,
    sharing_of,
    tar_rate,
)
from facebench.statistics.roc import OperatingPoint, tar_at_far

MANY = 1_000_000  # comparisons, from which on intervals rest on the mated ones only
CURVE_POINTS = 120
FIXED = "mated comparisons, thresholds held fixed"
_WHERE = "tar_intervals"


@dataclass(frozen=True, eq=False)
class SplitScores:
    """The scores of one split: float[n], -inf for a failure to acquire; mated: bool[n].

    left, right: int64[n], people; for a split of `MANY` or more only those of mated comparisons are
    looked at. None: nobody knows them.
    """

    scores: NDArray[np.floating]
    mated: NDArray[np.bool_]
    left: NDArray[np.integer] | None = None
    right: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class SplitTars:
    """TAR at one FAR: the operating point of every split, mean, and standard deviation (ddof 1).

    spread: 0.0 where there is one split only; resolvable: whether it is in every split.
    """

    target: float
    points: tuple[OperatingPoint, ...]
    mean: float
    spread: float
    resolvable: bool


def tar_over_splits(splits: Sequence[SplitScores], targets: Sequence[float]) -> list[SplitTars]:
    """TAR at each target FAR in each split, with mean and standard deviation over splits.

    ValueError: as for `facebench.statistics.roc.tar_at_far`. Source: Klare et al. 2015, Section 4.
    """
    by_split = [tar_at_far(split.scores, split.mated, targets) for split in splits]
    found = []
    for number, target in enumerate(targets):
        points = tuple(points[number] for points in by_split)
        mean, spread = mean_and_deviation([point.tar for point in points])
        resolvable = all(point.resolvable for point in points)
        found.append(SplitTars(float(target), points, mean, spread, resolvable))
    return found


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (ddof 1; 0.0 of one value)."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else 0.0


def tar_intervals(
    splits: Sequence[SplitScores], tars: Sequence[SplitTars], level: float = 0.95
) -> list[Interval]:
    """An interval of the mean over splits of each of ``tars``.

    Up to a million comparisons in all: over people, the same in all splits, the error of the
    threshold included; over comparisons where people are unknown, which is too narrow if
    comparisons share people. Beyond: the thresholds of the data are held fixed and only the mated
    comparisons are looked at (the interval's kind says so); that leaves the threshold's own error
    out, which is small at a target with many false accepts.
    ValueError: as for `facebench.statistics.intervals.bootstrap.Units`.
    """
    if sum(len(split.mated) for split in splits) < MANY:
        sharing, parts, independent = sharing_of_splits(splits)
        return [
            rate_interval(tar_of_splits(splits, tar.target, parts), sharing, independent, level)
            for tar in tars
        ]
    return _of_mated(splits, tars, level)


def tar_of_splits(
    splits: Sequence[SplitScores], target: float, parts: Sequence[Sharing]
) -> PartRate:
    """The mean TAR over splits; parts: of `sharing_of_splits`."""
    return tar_rate([s.scores for s in splits], [s.mated for s in splits], target, parts)


def sharing_of_splits(splits: Sequence[SplitScores]) -> tuple[Sharing, list[Sharing], int]:
    """Who shares comparisons in all splits together and in each, and how many people (comparisons,
    where nobody knows) the mated ones are of.
    """
    known = all(split.left is not None for split in splits)
    people = [(s.left, s.right) if known else (None, None) for s in splits]
    parts = [
        sharing_of(split.mated, *sides, _WHERE)[0]
        for split, sides in zip(splits, people, strict=True)
    ]
    mated = np.concatenate([split.mated for split in splits])
    left, right = (
        np.concatenate([sides[n] for sides in people]) if known else None for n in (0, 1)
    )
    sharing, independent = sharing_of(mated, left, right, _WHERE)
    return sharing, parts, independent


def _of_mated(
    splits: Sequence[SplitScores], tars: Sequence[SplitTars], level: float
) -> list[Interval]:
    parts = np.repeat(np.arange(len(splits)), [np.count_nonzero(s.mated) for s in splits])
    if all(split.left is not None for split in splits):
        people = [np.asarray(split.left)[split.mated] for split in splits]
        sharing = Sharing.of_one_person(np.concatenate(people))
    else:
        sharing = Sharing.of_one_person(np.arange(parts.size), "comparisons")
    found = []
    for tar in tars:
        accepted = [
            split.scores[split.mated] >= point.threshold
            for split, point in zip(splits, tar.points, strict=True)
        ]
        rate = share_rate(np.concatenate(accepted), parts)
        interval = rate_interval(rate, sharing, sharing.count, level)
        found.append(replace(interval, kind=f"{interval.kind}, {FIXED}"))
    return found


def people_by_mated(
    left: NDArray[np.integer], right: NDArray[np.integer], mated: NDArray[np.bool_], templates: int
) -> IntArray:
    """int64[templates]: a number of the person of each template, told by the mated comparisons.

    Templates that are joined by mated comparisons are of one person. Two that are not may be of one
    person as well, so this serves to resample comparisons, not to count people.
    """
    return connected(left[mated], right[mated], templates)


def people_if_consistent(
    left: NDArray[np.integer], right: NDArray[np.integer], mated: NDArray[np.bool_], templates: int
) -> IntArray | None:
    """As `people_by_mated`, for resampling non-mated comparisons too; None where one of these is of
    two templates that mated ones join, so that the labels contradict each other.
    """
    people = people_by_mated(left, right, mated, templates)
    contradicted = bool((people[left[~mated]] == people[right[~mated]]).any())
    return None if contradicted else people


def roc_of_splits(splits: Sequence[SplitScores]) -> tuple[FloatArray, FloatArray]:
    """FAR (ascending, log-spaced) and the mean over splits of TAR at the largest operating point
    whose FAR does not exceed it: float64[p] each, to be drawn as steps.

    It begins where every split can tell the FAR from zero, and its FARs are shares of the largest
    split's non-mated comparisons, so that one split gives operating points only.
    """
    counts = [int(np.count_nonzero(~split.mated)) for split in splits]
    most, least = max(counts), min(counts)
    accepts = np.unique(np.geomspace(-(-most // least), most, CURVE_POINTS).astype(np.int64))
    curves = []
    for split, n in zip(splits, counts, strict=True):
        impostor, genuine = np.sort(split.scores[~split.mated]), np.sort(split.scores[split.mated])
        allowed = accepts * n // most
        # The (k+1)-th highest non-mated score is refused; -inf, never accepted, bounds the last.
        limit = np.full(len(allowed), -np.inf, dtype=impostor.dtype)
        inner = allowed < n
        limit[inner] = impostor[n - 1 - allowed[inner]]
        above = len(genuine) - np.searchsorted(genuine, limit, side="right")
        curves.append(above / len(genuine))
    return accepts / most, np.mean(curves, axis=0)


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
    where = "paired_tar_differences"
    checked_level(level, where)
    said = f"{where}: the two models did not make the same comparisons"
    checked_alike(baseline, candidate, ("mated", "left", "right"), said)
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
