"""Faces that are alike: pairs above a limit, and how many of two people chance puts there."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facebench.statistics.checks import FloatArray
from facebench.statistics.people.blocks import MOST_ROWS, row_blocks

_BLOCK = MOST_ROWS


@dataclass(frozen=True)
class Strangers:
    """The similarities of images of two people, as a normal distribution. pairs: how many such
    comparisons there are; mean, spread: of their similarities.
    """

    pairs: int
    mean: float
    spread: float

    @classmethod
    def of(cls, scores: FloatArray, pairs: int) -> Self:
        """The normal fit to some of the similarities; two or more tell a spread."""
        if len(scores) < 2:
            return cls(pairs, 0.0, 0.0)
        return cls(pairs, float(scores.mean()), float(scores.std(ddof=1)))

    def expected(self, limit: float) -> float:
        """How many of the comparisons have at least a similarity."""
        if not self.spread:
            return float(self.pairs if limit <= self.mean else 0)
        return self.pairs * NormalDist().cdf((self.mean - limit) / self.spread)

    def reached_by(self, number: float) -> float:
        """The similarity that so many of the comparisons are expected to have, at most 1."""
        if not self.pairs or self.pairs <= number:
            return self.mean
        share = NormalDist().inv_cdf(number / self.pairs)
        return min(1.0, self.mean - share * self.spread)


def alike_pairs(
    vectors: NDArray[np.floating], limit: float, most: int
) -> tuple[NDArray[np.int64], FloatArray, int]:
    """(int64 n×2 rows, first below second; float64[n]; how many there are): pairs of vectors N×D of
    unit length whose similarity is at least a limit, the most alike first; n is at most ``most``.
    """
    pairs, scores, total = np.empty((0, 2), np.int64), np.empty(0), 0
    for block in row_blocks(len(vectors), len(vectors), _BLOCK):
        start = block.start
        like = vectors[block] @ vectors[start:].T
        left, right = np.nonzero(like >= limit)
        above = right > left  # of the block's own square, the upper triangle
        left, right = left[above], right[above]
        total += len(left)
        pairs = np.concatenate([pairs, np.stack([left, right], axis=1) + start])
        scores = np.concatenate([scores, like[left, right].astype(np.float64)])
        order = np.argsort(-scores, kind="stable")[:most]
        pairs, scores = pairs[order], scores[order]
    return pairs, scores, total
