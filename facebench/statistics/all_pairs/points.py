"""Verification at every pair of a data set's faces: exact TAR at FAR, from the tail.

Of N faces there are N (N - 1) / 2 pairs. All mated scores are kept, they are few, and of the
non-mated ones only the highest, since TAR at a FAR depends on no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facebench.statistics.checks import AnyFloatArray, IntArray, read_only
from facebench.statistics.roc import OperatingPoint, PlotCurve, allowed_false_accepts


@dataclass(frozen=True, eq=False)
class PairTail:
    """What the walk keeps.

    mated: float[m], descending, scores of acquired mated pairs; mated_subjects: int64[m], positions
    in faces. tail: float[k], descending, the highest acquired non-mated scores; pairs: int64[k],
    the numbers of their pairs of faces, ascending where scores are equal; first, second: int64[k],
    their subjects; complete: whether these are all. n_mated, n_nonmated: all pairs, those
    with a face that was not acquired included. faces: int64[S], how many each subject has;
    failed: pairs with a face that was not acquired.
    """

    mated: AnyFloatArray
    mated_subjects: IntArray
    tail: AnyFloatArray
    pairs: IntArray
    first: IntArray
    second: IntArray
    complete: bool
    n_mated: int
    n_nonmated: int
    faces: IntArray
    failed: int

    @property
    def own(self) -> IntArray:
        """int64[S]: how many mated pairs are of each subject."""
        return np.asarray(self.faces * (self.faces - 1) // 2)


def tail_points(pairs: PairTail, targets: Sequence[float]) -> list[OperatingPoint]:
    """TAR at the largest operating point whose FAR is at most each target, as `roc.tar_at_far`.

    The threshold is the lowest score above the highest one that must not be accepted. ValueError: a
    tail that is shorter than the target's false accepts and one.
    """
    points = []
    for target in targets:
        allowed = allowed_false_accepts(target, pairs.n_nonmated)
        barrier = barrier_of(pairs, allowed)
        true, false = above(pairs.mated, barrier), above(pairs.tail, barrier)
        lowest = [part[k - 1] for part, k in ((pairs.mated, true), (pairs.tail, false)) if k]
        if lowest:
            threshold = float(min(lowest))
        else:
            value = pairs.mated.dtype.type(barrier)
            threshold = float(np.nextafter(value, value.dtype.type(np.inf)))
        points.append(
            OperatingPoint(
                target=float(target),
                tar=true / pairs.n_mated,
                far=false / pairs.n_nonmated,
                threshold=threshold,
                resolvable=allowed >= 1,
                true_accepts=true,
                false_accepts=false,
                n_mated=pairs.n_mated,
                n_nonmated=pairs.n_nonmated,
            )
        )
    return points


def tail_over_people(pairs: PairTail, point: OperatingPoint) -> float:
    """The TAR at a point with every person of mated pairs counted once."""
    accepted = pairs.mated_subjects[: point.true_accepts]
    right = np.bincount(accepted, minlength=pairs.faces.size)
    own = pairs.own
    return float((right[own > 0] / own[own > 0]).mean())


def tail_curve(pairs: PairTail, most: int, points: int = 200) -> PlotCurve:
    """The ROC up to `most` false accepts, thinned: exact operating points, none beyond the tail."""
    if most < 0 or points < 2:
        raise ValueError(f"tail_curve: {most} false accepts and {points} points; need 0 and 2")
    spaced = np.geomspace(1, most, points) if most else np.zeros(1)
    counts = np.unique(np.append(0, np.floor(spaced)).astype(np.int64))
    found = [_point(pairs, int(count)) for count in counts]
    kept = [p for p, after in zip(found, [*found[1:], None], strict=True) if p != after]
    far, tar, thresholds = (
        np.array(column, dtype=np.float64) for column in zip(*kept, strict=True)
    )
    return PlotCurve(read_only(far), read_only(tar), read_only(thresholds))


def _point(pairs: PairTail, allowed: int) -> tuple[float, float, float]:
    barrier = barrier_of(pairs, allowed)
    false, true = above(pairs.tail, barrier), above(pairs.mated, barrier)
    return false / pairs.n_nonmated, true / pairs.n_mated, float(np.nextafter(barrier, np.inf))


def barrier_of(pairs: PairTail, allowed: int) -> float:
    """The highest non-mated score that must be rejected so that at most `allowed` are accepted."""
    if allowed < pairs.tail.size:
        return float(pairs.tail[allowed])
    if not pairs.complete:
        raise ValueError(f"a tail of {pairs.tail.size:,} scores cannot give {allowed:,} accepts")
    return -np.inf


def above(descending: AnyFloatArray, barrier: float) -> int:
    """How many of a descending array are above a value."""
    return int(np.searchsorted(-descending, -barrier, side="left"))
