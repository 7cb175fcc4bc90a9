"""Verification at every pair of a data set's faces: exact TAR at FAR, in memory of the tail's size.

Of N faces there are N (N - 1) / 2 pairs. All mated scores are kept, they are few, and of the
non-mated ones only the highest, since TAR at a FAR depends on no others; the matrix of scores is
walked in blocks of its upper triangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import AnyFloatArray, IntArray, checked_flags, read_only
from facebench.statistics.roc import OperatingPoint, PlotCurve, allowed_false_accepts
from facebench.statistics.searches import ScoreBlock

ROWS = 1 << 11  # faces on either side of a block: 16 MiB of float32 scores

NOT_FINITE = "walk_pairs: scores has NaN or +inf; scores are finite or -inf"


@dataclass(frozen=True, eq=False)
class PairTail:
    """What the walk keeps.

    mated: float[m], descending, scores of acquired mated pairs; mated_subjects: int64[m], positions
    in faces. tail: float[k], descending, the highest acquired non-mated scores; first, second:
    int64[k], their subjects; complete: whether these are all. n_mated, n_nonmated: all pairs, those
    with a face that was not acquired included. faces: int64[S], how many each subject has;
    failed: pairs with a face that was not acquired.
    """

    mated: AnyFloatArray
    mated_subjects: IntArray
    tail: AnyFloatArray
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


@dataclass
class _Tail:
    """The highest `length` of the scores that were added, and the faces of each."""

    length: int
    scores: list[AnyFloatArray] = field(default_factory=list)
    left: list[IntArray] = field(default_factory=list)
    right: list[IntArray] = field(default_factory=list)
    cutoff: float = -np.inf
    held: int = 0

    def add(self, scores: AnyFloatArray, left: IntArray, right: IntArray) -> None:
        """Faces int[a] and int[b] of a block of scores float[a, b]; -inf where there is no pair.

        ValueError: NaN or +inf, which no comparison with the cutoff would find.
        """
        highest = scores.max(initial=-np.inf)  # NaN where any score is
        if not highest < np.inf:
            raise ValueError(NOT_FINITE)
        if highest <= self.cutoff:
            return
        # Scores equal to the cutoff change nothing: as many of that value are held already.
        chosen = np.flatnonzero(scores.ravel() > self.cutoff)
        row, column = np.divmod(chosen, scores.shape[1])
        self.scores.append(scores.ravel()[chosen])
        self.left.append(left[row])
        self.right.append(right[column])
        self.held += chosen.size
        if self.held > 2 * self.length:
            self.shrink()

    def shrink(self) -> None:
        """Keep the highest only, in one array of each, descending."""
        if not self.scores:
            return
        scores = np.concatenate(self.scores)
        left, right = np.concatenate(self.left), np.concatenate(self.right)
        if scores.size > self.length:
            kept = np.argpartition(scores, scores.size - self.length)[-self.length :]
            scores, left, right = scores[kept], left[kept], right[kept]
            self.cutoff = float(scores.min())
        order = np.argsort(-scores, kind="stable")
        self.scores, self.left, self.right = [scores[order]], [left[order]], [right[order]]
        self.held = scores.size


def walk_pairs(
    score: ScoreBlock,
    people: ArrayLike,
    *,
    acquired: ArrayLike | None = None,
    tail: int,
    rows: int = ROWS,
) -> PairTail:
    """All pairs of faces, with the `tail` highest non-mated scores.

    score: gives the scores of a block (`ScoreBlock`) of faces with others. people: int[N], the
    number of each face's person. acquired: bool[N], False for faces that match nobody. rows:
    faces on either side of a block. ValueError: no mated or no non-mated pairs, NaN or +inf, a
    tail below 1.
    """
    _, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    n = person.size
    there = np.ones(n, np.bool_) if acquired is None else checked_flags(acquired, n, "acquired", "")
    n_mated = int((counts * (counts - 1) // 2).sum())
    n_nonmated = n * (n - 1) // 2 - n_mated
    if tail < 1 or not n_mated or not n_nonmated:
        raise ValueError("walk_pairs: needs mated and non-mated pairs, and a tail of at least 1")
    faces = np.flatnonzero(there)
    faces = faces[np.argsort(person[faces], kind="stable")]
    parts = [faces[start : start + rows] for start in range(0, faces.size, rows)]
    highest = _Tail(tail)
    mated: list[AnyFloatArray] = []
    owners: list[IntArray] = []
    for i, left in enumerate(parts):
        for right in parts[i:]:
            scores = score(left, right)
            if left is right or person[left[-1]] >= person[right[0]]:
                same = person[left][:, None] == person[right][None, :]
                pairs = np.triu(np.ones_like(same), 1) if left is right else np.ones_like(same)
                mated.append(scores[same & pairs])
                owners.append(person[left][np.nonzero(same & pairs)[0]])
                scores = np.where(~same & pairs, scores, scores.dtype.type(-np.inf))
            highest.add(scores, left, right)
    highest.shrink()
    return _kept(highest, mated, owners, person, counts, n_mated, n_nonmated, faces.size)


def _kept(
    highest: _Tail,
    mated: list[AnyFloatArray],
    owners: list[IntArray],
    person: IntArray,
    counts: IntArray,
    n_mated: int,
    n_nonmated: int,
    acquired: int,
) -> PairTail:
    nothing = np.zeros(0, dtype=np.int64)
    scores = np.concatenate(mated) if mated else np.zeros(0)
    tail = highest.scores[0] if highest.scores else np.zeros(0)
    if not (scores < np.inf).all():
        raise ValueError(NOT_FINITE)
    order = np.argsort(-scores, kind="stable")
    n = person.size
    return PairTail(
        mated=read_only(scores[order]),
        mated_subjects=read_only(np.concatenate(owners)[order] if owners else nothing),
        tail=read_only(tail),
        first=read_only(person[highest.left[0]] if highest.left else nothing),
        second=read_only(person[highest.right[0]] if highest.right else nothing),
        complete=highest.cutoff == -np.inf,
        n_mated=n_mated,
        n_nonmated=n_nonmated,
        faces=read_only(counts),
        failed=n * (n - 1) // 2 - acquired * (acquired - 1) // 2,
    )


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
