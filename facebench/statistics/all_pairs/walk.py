"""The walk over all pairs of faces: the matrix of scores in blocks of its upper triangle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from facebench.base.threads import over_cores
from facebench.statistics.all_pairs.blocks import (
    Block,
    BlockResult,
    numbers_of,
    own_pairs,
    pairs_of,
)
from facebench.statistics.all_pairs.highest import NOT_FINITE, Highest, HighestPairs, joined
from facebench.statistics.all_pairs.points import PairTail
from facebench.statistics.all_pairs.quick import QuickBlocks, RoughScores, TooManyError
from facebench.statistics.checks import AnyFloatArray, IntArray, checked_flags, read_only
from facebench.statistics.searches import ScoreBlock

ROWS = 1 << 11  # faces on either side of a block: 16 MiB of float32 scores
_WORTH = 256  # pairs for each of the tail, from which on quick scores save more than they cost


def walk_pairs(
    score: ScoreBlock,
    people: ArrayLike,
    *,
    acquired: ArrayLike | None = None,
    tail: int,
    rows: int = ROWS,
    part: tuple[int, int] = (0, 1),
    workers: int | None = None,
    rough: RoughScores | None = None,
    advance: Callable[[int, int], None] = lambda done, whole: None,
) -> PairTail:
    """All pairs of faces, with the `tail` highest non-mated scores.

    score: gives the scores of a block (`ScoreBlock`) of faces with others. people: int[N], the
    number of each face's person. acquired: bool[N], False for faces that match nobody. rows:
    faces on either side of a block. part: (i, n), the i-th of n parts of the blocks, from 0, for
    `merged`; workers: threads, by default one a core; rough: spares `score` where few pairs of a
    block can belong to the tail. The result has the same bits with and without it, and from any
    number of workers. advance: is told how many pairs are done, and of how many. ValueError: no
    mated or no non-mated pairs, NaN or +inf, a tail below 1.
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
    mine = blocks[part[0] :: part[1]]
    ways: list[_Way] = [_ExactBlocks(score, person, HighestPairs(tail))]
    if rough is not None and sum(map(pairs_of, mine)) > _WORTH * tail:
        ways.insert(0, QuickBlocks(score, rough, person, tail))
    for way in ways:
        try:
            mated = _walked(way, mine, workers, advance)
            highest, complete = way.ended(workers)
            break
        except TooManyError:  # to choose among: they are scored exactly at once
            continue
    scores, owners = joined(mated)
    if not (scores < np.inf).all():
        raise ValueError(NOT_FINITE)
    return _kept(
        highest, scores, owners, person, counts, n_mated, n_nonmated,
        failed=n * (n - 1) // 2 - faces.size * (faces.size - 1) // 2,
        complete=complete,
    )  # fmt: skip


def merged(parts: Sequence[PairTail], people: ArrayLike, tail: int) -> PairTail:
    """The parts of a walk as the whole of it, to the bit.

    people: as of `walk_pairs`, which gave them; tail: at most as long as theirs. ValueError: no
    parts, or of other faces.
    """
    if not parts or any(not np.array_equal(parts[0].faces, part.faces) for part in parts):
        raise ValueError("merged: needs the parts of one walk over the same faces")
    first, person = parts[0], np.unique(people, return_inverse=True)[1]
    highest = HighestPairs(tail)
    for part in parts:
        highest.add((part.tail, part.pairs))
    found = highest.sorted()
    scores, owners = joined([(part.mated, part.mated_subjects) for part in parts])
    return _kept(
        found, scores, owners, person, first.faces, first.n_mated, first.n_nonmated,
        failed=first.failed,
        complete=highest.complete and all(part.complete for part in parts),
    )  # fmt: skip


class _Way(Protocol):
    """How blocks are walked: mated scores, and what may belong to the tail."""

    def walked(self, block: Block) -> BlockResult: ...

    def add(self, chosen: Highest) -> None: ...

    def ended(self, workers: int | None) -> tuple[Highest, bool]: ...


def _walked(
    way: _Way, blocks: Sequence[Block], workers: int | None, advance: Callable[[int, int], None]
) -> list[Highest]:
    """The mated scores of all blocks; the highest others are added to those of the way."""
    sizes, done = list(map(pairs_of, blocks)), 0
    whole, mated = sum(sizes), list[Highest]()
    for (own, others), size in zip(over_cores(way.walked, blocks, workers), sizes, strict=True):
        mated.append(own)
        way.add(others)
        done += size
        advance(done, whole)
    return mated


@dataclass
class _ExactBlocks:
    """Every score is the exact one."""

    score: ScoreBlock
    person: IntArray
    highest: HighestPairs
    add: Callable[[Highest], None] = field(init=False)

    def __post_init__(self) -> None:
        self.add = self.highest.add

    def walked(self, block: Block) -> BlockResult:
        """Mated scores with their people, and what was chosen of the others."""
        left, right = block
        scores = self.score(left, right)
        row, column = own_pairs(block, self.person)
        mated = scores[row, column], self.person[left[row]]
        if row.size or left is right:
            scores = scores.copy()
            scores[row, column] = -np.inf
        if left is right:
            scores[np.tril_indices(left.size)] = -np.inf
        faces = self.person.size
        return mated, self.highest.chosen(scores, lambda at: numbers_of(block, at, faces))

    def ended(self, workers: int | None) -> tuple[Highest, bool]:
        """The tail, and whether it is all."""
        return self.highest.sorted(), self.highest.complete


def _kept(
    highest: Highest,
    scores: AnyFloatArray,
    owners: IntArray,
    person: IntArray,
    counts: IntArray,
    n_mated: int,
    n_nonmated: int,
    failed: int,
    complete: bool,
) -> PairTail:
    tail, pairs = highest
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
