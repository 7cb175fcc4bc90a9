"""What every similarity offers: a projection in which scores are inner products.

Cosine and Joint Bayesian have one form, ``score(x, y) = p(x)·p(y) + b(x) + b(y)``. So pairs, blocks
of a score matrix and the mean over all pairs of two videos' frames are written once for both: the
mean over all pairs is the score of the mean rows and mean biases (PROTOCOLS.md, YouTube Faces).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK_VALUES = 1 << 22  # float64 values in one block of gathered rows: 32 MiB


@dataclass(frozen=True, eq=False)
class Projection:
    """N faces or templates. rows: float32 or float64 N×K; bias: float64 N.

    The score of i and j is ``rows[i]·rows[j] + bias[i] + bias[j]``, higher is more alike.
    """

    rows: NDArray[np.floating]
    bias: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: NDArray[np.int64] | slice) -> Projection:
        return Projection(self.rows[chosen], self.bias[chosen])


class Similarity(ABC):
    """A similarity of embeddings. name: in tables; signature: in records, pins all it depends on.

    low, high: bounds of its scores, infinite where it has none.
    """

    name: str
    signature: str
    low: float = -np.inf
    high: float = np.inf

    @abstractmethod
    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float32
    ) -> Projection:
        """The projection of vectors float N×D, its rows in ``dtype``; ValueError: another D."""

    def pairs(
        self, vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Scores float64 n of rows left[i], right[i] of vectors float32 N×D, sums in float64."""
        projected = self.project(vectors, np.float64)
        return projected_pairs(projected, left, right, self.low, self.high)


def projected_pairs(
    projected: Projection,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    low: float = -np.inf,
    high: float = np.inf,
) -> NDArray[np.float64]:
    """Scores float64 n of pairs of one projection, in bounded memory, clipped to [low, high]."""
    scores = np.empty(len(left), dtype=np.float64)
    block = max(1, _BLOCK_VALUES // max(1, projected.rows.shape[1]))
    for start in range(0, len(left), block):
        i, j = left[start : start + block], right[start : start + block]
        dots = np.einsum("ij,ij->i", projected.rows[i], projected.rows[j], dtype=np.float64)
        # Biases first, so that exchanging left and right changes no bit.
        scores[start : start + block] = dots + (projected.bias[i] + projected.bias[j])
    return np.clip(scores, low, high, out=scores)


def score_block(left: Projection, right: Projection) -> NDArray[np.floating]:
    """All scores of a block, N×M in the dtype of the rows; the caller keeps N·M small."""
    scores = left.rows @ right.rows.T
    scores += left.bias[:, None].astype(scores.dtype)
    scores += right.bias[None, :].astype(scores.dtype)
    return np.asarray(scores)
