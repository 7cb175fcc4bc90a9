"""The walk with scores that are quick and nearly right, whose result is that of the right ones.

How far a quick score can be off is known. So the highest right ones are among those whose quick
score is no further than twice that below the highest quick ones; these alone are scored rightly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facebench.base.threads import over_cores
from facebench.statistics.all_pairs.blocks import Block, BlockResult, numbers_of, own_pairs
from facebench.statistics.all_pairs.highest import Highest, HighestPairs, joined
from facebench.statistics.checks import AnyFloatArray, IntArray
from facebench.statistics.searches import ScoreBlock

_DENSE = 1 / 64  # of a block's pairs: where more are mated, all are scored rightly
_ROOM = 1 << 16  # that may be near the lowest of the tail, beside as many as the tail has
_CHUNK = 1 << 16  # pairs that are scored at once


class TooManyError(Exception):
    """Too many quick scores are so near to each other that they tell nothing."""


class RoughScores(Protocol):
    """Scores that are quick and nearly right, and the right ones of some pairs."""

    def rough(self, left: IntArray, right: IntArray) -> tuple[NDArray[np.float32], float]:
        """Of a block of faces with others n×m, and how far one of them can be off."""

    def exact(self, left: IntArray, right: IntArray) -> AnyFloatArray:
        """Of n pairs, with the bits that the right scores of a block have."""


@dataclass
class QuickBlocks:
    """The pairs whose quick scores may be among the ``length`` highest.

    cutoff: below it none is; off: how far any score can be off, so far.
    """

    score: ScoreBlock
    scores: RoughScores
    person: IntArray
    length: int
    cutoff: float = -np.inf
    off: float = 0.0
    held: list[Highest] = field(default_factory=list)
    count: int = 0

    def walked(self, block: Block) -> BlockResult:
        """Right scores of mated pairs with their people, quick ones of those that may be highest.

        TooManyError: a score that is not finite.
        """
        left, right = block
        found, off = self.scores.rough(left, right)
        self.off = max(self.off, off)
        if not found.max(initial=-np.inf) < np.inf:
            raise TooManyError
        row, column = own_pairs(block, self.person)
        people = self.person[left[row]]
        if row.size > max(64, found.size * _DENSE):
            mated = self.score(left, right)[row, column]
        else:
            mated = self.scores.exact(left[row], right[column])
        found[row, column] = -np.inf
        if left is right:
            found[np.tril_indices(left.size)] = -np.inf
        cutoff = self.cutoff
        flat = found.ravel()
        above = np.flatnonzero(flat >= cutoff if cutoff > -np.inf else flat > cutoff)
        return (mated, people), (flat[above], numbers_of(block, above, self.person.size))

    def add(self, chosen: Highest) -> None:
        """What may be among the highest of a block. TooManyError: more than can be kept."""
        if not chosen[0].size:
            return
        self.held.append(chosen)
        self.count += chosen[0].size
        if self.count > 2 * (self.length + _ROOM):
            self._shrink()

    def _shrink(self) -> None:
        scores, pairs = joined(self.held)
        if scores.size > self.length:
            at = scores.size - self.length
            lowest = np.partition(scores, at)[at]
            self.cutoff = float(
                np.nextafter(np.float32(lowest - 2 * self.off), np.float32(-np.inf))
            )
            kept = scores >= self.cutoff
            scores, pairs = scores[kept], pairs[kept]
        if scores.size > self.length + _ROOM:
            raise TooManyError
        self.held, self.count = [(scores, pairs)], scores.size

    def ended(self, workers: int | None) -> tuple[Highest, bool]:
        """The tail in right scores, and whether it is all."""
        self._shrink()
        _, pairs = joined(self.held)
        pairs = np.sort(pairs)  # neighbours have a face in common
        chunks = [pairs[start : start + _CHUNK] for start in range(0, pairs.size, _CHUNK)]
        highest = HighestPairs(self.length)
        faces = self.person.size
        right = over_cores(lambda some: self.scores.exact(*np.divmod(some, faces)), chunks, workers)
        for scores, some in zip(right, chunks, strict=True):
            highest.add((scores, some))
        return highest.sorted(), self.cutoff == -np.inf and highest.complete
