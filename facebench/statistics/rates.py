"""Rates that are means over parts (a protocol's draws or splits): their influences, over people.

In every part a rate is a share of mated comparisons or searches, or TAR (DIR) at a FAR, whose
threshold is the part's own; each part counts the same. People are the same persons in all parts, so
that comparisons of different parts may share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import BoolArray, FloatArray, IntArray, checked_level
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing, influenced_difference, share_interval
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.intervals.influence import fold_weights, of_share, of_tar
from facebench.statistics.paired import Difference, units_of_kind
from facebench.statistics.roc import tar_at_far


@dataclass(frozen=True, eq=False)
class PartRate:
    """A rate, and what every comparison of all parts does to it.

    influence: float64[n]; right: float64[n], what each comparison adds to the rate; both in the
    order of the parts. mated: int, how many comparisons the rate is a share of; flags: bool[n],
    which these are, of a rate at thresholds that hang on the others, None: of another.
    """

    value: float
    influence: FloatArray
    right: FloatArray
    mated: int
    flags: BoolArray | None = None


def tar_rate(
    scores: Sequence[ArrayLike], mated: Sequence[BoolArray], target: float, parts: Sequence[Sharing]
) -> PartRate:
    """The mean over parts of TAR at a FAR; parts: who shares comparisons within each."""
    values, influences, rights = [], [], []
    for one, flags, sharing in zip(scores, mated, parts, strict=True):
        array = np.asarray(one)
        influence, accepted = of_tar(array, flags, target, sharing)
        values.append(tar_at_far(array, flags, [target])[0].tar)
        influences.append(influence / len(parts))
        rights.append((accepted & flags) / (np.count_nonzero(flags) * len(parts)))
    total = sum(int(np.count_nonzero(flags)) for flags in mated)
    influence, right = np.concatenate(influences), np.concatenate(rights)
    return PartRate(float(np.mean(values)), influence, right, total, np.concatenate(mated))


def share_rate(right: BoolArray, parts: IntArray) -> PartRate:
    """The mean over parts int[n] of the share of mated comparisons bool[n] that were right."""
    weights = fold_weights(parts)
    influence = np.zeros(right.size)
    for part in np.unique(parts):
        rows = parts == part
        influence[rows] = of_share(right[rows], np.ones_like(right[rows]), weights[rows])
    return PartRate(float(weights @ right), influence, weights * right, right.size)


def over_people(right: BoolArray, parts: IntArray, people: ArrayLike) -> float:
    """The rate in which every person counts the same, however often it is searched or compared.

    right: bool[n], mated comparisons or searches; within a part int[n] each person's share that was
    right is averaged over people [n], and the parts' averages over parts.
    """
    person = np.asarray(people)
    means = []
    for part in np.unique(parts):
        rows = np.flatnonzero(parts == part)
        _, one = np.unique(person[rows], return_inverse=True)
        means.append((np.bincount(one, right[rows]) / np.bincount(one)).mean())
    return float(np.mean(means))


def most_frequent(people: ArrayLike) -> tuple[int, float]:
    """The person that most of the mated comparisons or searches [n] are of, and its share."""
    names, counts = np.unique(np.asarray(people), return_counts=True)
    at = int(np.argmax(counts))
    return int(names[at]), float(counts[at] / counts.sum())


def rate_interval(
    rate: PartRate, sharing: Sharing, independent: int, level: float = 0.95
) -> Interval:
    """`share_interval` of a rate."""
    return share_interval(
        rate.value,
        rate.influence,
        sharing,
        comparisons=rate.mated,
        independent=independent,
        level=level,
    )


def rate_difference(
    baseline: PartRate,
    candidate: PartRate,
    sharing: Sharing,
    independent: int,
    level: float = 0.95,
) -> Difference:
    """`influenced_difference` of two models' rates on the same comparisons."""
    return influenced_difference(
        candidate.value - baseline.value,
        candidate.influence - baseline.influence,
        sharing,
        independent=independent,
        gains=candidate.right - baseline.right,
        mated=baseline.flags,
        level=level,
    )


def sharing_of(
    mated: BoolArray, left: ArrayLike | None, right: ArrayLike | None, where: str
) -> tuple[Sharing, int]:
    """Who shares comparisons, and how many mated ones may be independent of each other."""
    units = Units.of(mated, left, right, where)
    return Sharing.of(units), units_of_kind(units, mated=True)


def paired_rate_difference(
    baseline: ArrayLike,
    candidate: ArrayLike,
    parts: ArrayLike,
    subjects: ArrayLike,
    *,
    level: float = 0.95,
) -> Difference:
    """Difference, candidate minus baseline, of a rate that is a mean over parts.

    baseline, candidate: bool[n], whether each model was right on mated comparison i; parts: int[n],
    its draw or split; subjects: [n], its person. Within a part the rate is the share that was
    right. Thresholds are held fixed, which leaves their own uncertainty out: for TAR at a low FAR
    intervals are several times too narrow then, so `paired_tar_differences` is right for it and
    this only where non-mated comparisons are not known.
    ValueError: empty or of different lengths, level outside (0, 1).
    """
    where = "paired_rate_difference"
    checked_level(level, where)
    one, other = np.asarray(baseline, np.bool_), np.asarray(candidate, np.bool_)
    part, person = np.asarray(parts), np.asarray(subjects)
    if not one.size or not one.size == other.size == part.size == person.size:
        raise ValueError(f"{where}: needs arrays of one length, at least 1")
    sharing = Sharing.of_one_person(person)
    return rate_difference(
        share_rate(one, part), share_rate(other, part), sharing, sharing.count, level
    )
