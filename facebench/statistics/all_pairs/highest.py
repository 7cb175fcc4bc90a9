"""The highest of many scores, added block by block, whatever the order of the blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from facebench.statistics.checks import AnyFloatArray, IntArray

Highest = tuple[AnyFloatArray, IntArray]  # scores, and the pairs or people that they are of
NOT_FINITE = "walk_pairs: scores has NaN or +inf; scores are finite or -inf"


def joined(parts: Sequence[Highest]) -> Highest:
    """Several as one."""
    parts = [part for part in parts if part[0].size]  # an empty one may be of another dtype
    if not parts:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    return np.concatenate([p for p, _ in parts]), np.concatenate([o for _, o in parts])


@dataclass
class HighestPairs:
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

    @property
    def complete(self) -> bool:
        """Whether none that was added is left out, once they are `sorted`."""
        return self.cutoff == -np.inf

    def chosen(self, scores: AnyFloatArray, number: Callable[[IntArray], IntArray]) -> Highest:
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

    def add(self, highest: Highest) -> None:
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
        """Keep the highest only, in one array of each, in any order."""
        if not self.scores:
            return
        scores, pairs = np.concatenate(self.scores), np.concatenate(self.pairs)
        if scores.size > self.length:
            at = scores.size - self.length
            lowest = np.partition(scores, at)[at]
            kept = scores > lowest
            ties = pairs[scores == lowest]
            room = self.length - int(np.count_nonzero(kept))
            last = np.partition(ties, room - 1)[room - 1]
            kept |= (scores == lowest) & (pairs <= last)
            scores, pairs = scores[kept], pairs[kept]
            # The number first: who reads both meanwhile then chooses too many, never too few.
            self.last = int(last)
            self.cutoff = float(lowest)
        self.scores, self.pairs = [scores], [pairs]
        self.held = scores.size

    def sorted(self) -> Highest:
        """The highest, descending; of equal scores the pairs with the lowest numbers first."""
        self.shrink()
        scores, pairs = joined(list(zip(self.scores, self.pairs, strict=True)))
        order = np.lexsort((pairs, -scores))
        return scores[order], pairs[order]
