"""Verification at every pair of a data set's faces: exact TAR at FAR, in memory of the tail's size.

Of N faces there are N (N - 1) / 2 pairs. All mated scores are kept, they are few, and of the
non-mated ones only the highest, since TAR at a FAR depends on no others; the matrix of scores is
walked in blocks of its upper triangle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from facebench.base.threads import over_cores
from facebench.statistics.checks import AnyFloatArray, IntArray, checked_flags, read_only
from facebench.statistics.roc import OperatingPoint, PlotCurve, allowed_false_accepts
from facebench.statistics.searches import ScoreBlock

ROWS = 1 << 11  # faces on either side of a block: 16 MiB of float32 scores

_Highest = tuple[AnyFloatArray, IntArray]  # scores, and the pairs or people that they are of
NOT_FINITE = "walk_pairs: scores has NaN or +inf; scores are finite or -inf"


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


@dataclass
class _Tail:
    """The highest `length` of the scores that were added, and the pair of each.

    Of equal scores those of the pairs with the lowest numbers are kept, so that the tail is the
    same in whatever order and in however many parts the pairs are walked.
    """

    length: int
    scores: list[AnyFloatArray] = field(default_factory=list)
    pairs: list[IntArray] = field(default_factory=list)
    cutoff: float = -np.inf
    last: int = -1  # of the pairs at the cutoff, the highest number that is kept
    held: int = 0

    def chosen(self, scores: AnyFloatArray, number: Callable[[IntArray], IntArray]) -> _Highest:
        """Those of a block's scores that may belong to the tail; -inf where there is no pair.

        number: from positions in the block to the numbers of pairs. Other threads may add
        meanwhile: the cutoff only rises. ValueError: NaN or +inf, which no comparison with the
        cutoff would find.
        """
        cutoff, last = self.cutoff, self.last
        highest = scores.max(initial=-np.inf)  # NaN where any score is
        if not highest < np.inf:
            raise ValueError(NOT_FINITE)
        flat = scores.ravel()
        above = np.flatnonzero(flat >= cutoff if cutoff > -np.inf else flat > cutoff)
        pairs = number(above)
        kept = (flat[above] > cutoff) | (pairs <= last)
        return flat[above[kept]], pairs[kept]

    def add(self, highest: _Highest) -> None:
        """What was chosen of a block, or of the tail of other pairs."""
        scores, pairs = highest
        if not scores.size:
            return
        self.scores.append(scores)
        self.pairs.append(pairs)
        self.held += scores.size
        if self.held > 2 * self.length:
            self.shrink()

    def shrink(self) -> None:
        """Keep the highest only, in one array of each, descending."""
        if not self.scores:
            return
        scores, pairs = np.concatenate(self.scores), np.concatenate(self.pairs)
        too_many = scores.size > self.length
        if too_many:
            at = scores.size - self.length
            kept = scores >= np.partition(scores, at)[at]
            scores, pairs = scores[kept], pairs[kept]
        order = np.lexsort((pairs, -scores))[: self.length]
        if too_many:
            # The number first: who reads both meanwhile then chooses too many, never too few.
            self.last = int(pairs[order[-1]])
            self.cutoff = float(scores[order[-1]])
        self.scores, self.pairs = [scores[order]], [pairs[order]]
        self.held = order.size


def walk_pairs(
    score: ScoreBlock,
    people: ArrayLike,
    *,
    acquired: ArrayLike | None = None,
    tail: int,
    rows: int = ROWS,
    part: tuple[int, int] = (0, 1),
    workers: int | None = None,
) -> PairTail:
    """All pairs of faces, with the `tail` highest non-mated scores.

    score: gives the scores of a block (`ScoreBlock`) of faces with others. people: int[N], the
    number of each face's person. acquired: bool[N], False for faces that match nobody. rows:
    faces on either side of a block. part: (i, n), the i-th of n parts of the blocks, from 0, for
    `merged`; workers: threads, by default one a core. The result has the same bits however many
    there are of these. ValueError: no mated or no non-mated pairs, NaN or +inf, a tail below 1.
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
    sides = [faces[start : start + rows] for start in range(0, faces.size, rows)]
    blocks = [(left, right) for i, left in enumerate(sides) for right in sides[i:]]
    highest = _Tail(tail)

    def walked(block: tuple[IntArray, IntArray]) -> tuple[_Highest, _Highest]:
        left, right = block
        scores, own = score(left, right), np.zeros(0, dtype=np.int64)
        if left is right or person[left[-1]] >= person[right[0]]:
            same = person[left][:, None] == person[right][None, :]
            pairs = np.triu(np.ones_like(same), 1) if left is right else np.ones_like(same)
            own = np.flatnonzero((same & pairs).ravel())
            mated = scores.ravel()[own], person[left][own // right.size]
            scores = np.where(~same & pairs, scores, scores.dtype.type(-np.inf))
        else:
            mated = scores.ravel()[own], own
        return mated, highest.chosen(scores, lambda at: _numbers(left, right, at, n))

    mated: list[_Highest] = []
    for own, others in over_cores(walked, blocks[part[0] :: part[1]], workers):
        mated.append(own)
        highest.add(others)
    highest.shrink()
    scores, owners = _joined(mated)
    if not (scores < np.inf).all():
        raise ValueError(NOT_FINITE)
    return _kept(
        highest, scores, owners, person, counts, n_mated, n_nonmated,
        failed=n * (n - 1) // 2 - faces.size * (faces.size - 1) // 2,
        complete=highest.cutoff == -np.inf,
    )  # fmt: skip


def merged(parts: Sequence[PairTail], people: ArrayLike, tail: int) -> PairTail:
    """The parts of a walk as the whole of it, to the bit.

    people, tail: as of `walk_pairs`, which gave them. ValueError: no parts, or of other faces.
    """
    if not parts or any(not np.array_equal(parts[0].faces, part.faces) for part in parts):
        raise ValueError("merged: needs the parts of one walk over the same faces")
    first, person = parts[0], np.unique(people, return_inverse=True)[1]
    highest = _Tail(tail)
    for part in parts:
        highest.add((part.tail, part.pairs))
    highest.shrink()
    scores, owners = _joined([(part.mated, part.mated_subjects) for part in parts])
    return _kept(
        highest, scores, owners, person, first.faces, first.n_mated, first.n_nonmated,
        failed=first.failed,
        complete=highest.cutoff == -np.inf and all(part.complete for part in parts),
    )  # fmt: skip


def _numbers(left: IntArray, right: IntArray, at: IntArray, faces: int) -> IntArray:
    """int64: numbers of the pairs at positions in a block: lower face · all faces + other face."""
    row, column = np.divmod(at, right.size)
    one, other = left[row], right[column]
    return np.minimum(one, other) * faces + np.maximum(one, other)


def _joined(parts: Sequence[_Highest]) -> _Highest:
    parts = [part for part in parts if part[0].size]  # an empty one may be of another dtype
    if not parts:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    return np.concatenate([p for p, _ in parts]), np.concatenate([o for _, o in parts])


def _kept(
    highest: _Tail,
    scores: AnyFloatArray,
    owners: IntArray,
    person: IntArray,
    counts: IntArray,
    n_mated: int,
    n_nonmated: int,
    failed: int,
    complete: bool,
) -> PairTail:
    tail, pairs = _joined(list(zip(highest.scores, highest.pairs, strict=True)))
    order = np.lexsort((owners, -scores))
    first, second = np.divmod(pairs, person.size)
    return PairTail(
        mated=read_only(scores[order]),
        mated_subjects=read_only(owners[order]),
        tail=read_only(tail),
        pairs=read_only(pairs),
        first=read_only(person[first]),
        second=read_only(person[second]),
        complete=complete,
        n_mated=n_mated,
        n_nonmated=n_nonmated,
        faces=read_only(counts),
        failed=failed,
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
