"""What every similarity offers: a projection in which scores are inner products.

Cosine and Joint Bayesian have one form, ``score(x, y) = p(x)·p(y) + b(x) + b(y)``. So pairs, blocks
of a score matrix and the mean over all pairs of two videos' frames are written once for both: the
mean over all pairs is the score of the mean rows and mean biases.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK_VALUES = 1 << 22  # float64 values in one block of gathered rows: 32 MiB
_PAIRS = 1 << 15  # that are scored exactly at once
_GRID_BITS = 26  # of either factor: 52 of the product, and float64 has 53
_NORM_ROOM = 1.001


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

    low, high: bounds of its scores, infinite where it has none; values: how many numbers it has
    learned.
    """

    name: str
    signature: str
    low: float = -np.inf
    high: float = np.inf
    values: int = 0

    @abstractmethod
    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float32
    ) -> Projection:
        """The projection of vectors float N×D, its rows in ``dtype``; ValueError: another D."""

    def scaled(
        self, vectors: NDArray[np.float32]
    ) -> tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]]:
        """The projection as rows float n×K, a number each that they are to be multiplied by, and
        bias, both float64 n: for sums, which need no scaled copy of the rows.
        """
        projected = self.project(vectors)
        return projected.rows, np.ones(len(vectors)), projected.bias

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
    """All scores of a block, N×M in the dtype of the rows; the caller keeps N·M small.

    Of float32 rows the score of two faces is the same bit for bit whatever else is in the block,
    so copies of one image tie: products of `_on_grid` are summed exactly, in any order, and rounded
    once. BLAS in float32 sums in an order that depends on the shape of the block.
    """
    dtype = np.result_type(left.rows, right.rows)
    if dtype == np.float32:
        scores = _on_grid(left.rows) @ _on_grid(right.rows).T
    else:
        scores = left.rows @ right.rows.T
    if left.bias.any() or right.bias.any():
        # Biases are added to each other first: exchanging left and right changes no bit.
        scores += left.bias[:, None] + right.bias[None, :]
    return np.asarray(scores, dtype=dtype)


def exact_pairs(
    left: Projection, i: NDArray[np.int64], right: Projection, j: NDArray[np.int64]
) -> NDArray[np.float32]:
    """float32 n: scores of left[i] and right[j], float32 rows, with the bits that `score_block`
    gives them.
    """
    scores = np.empty(len(i))
    for start in range(0, len(i), _PAIRS):
        part = slice(start, start + _PAIRS)
        rows = _on_grid(left.rows[i[part]]), _on_grid(right.rows[j[part]])
        np.einsum("ij,ij->i", *rows, out=scores[part])
    bias = left.bias[i] + right.bias[j]
    if bias.any():
        scores += bias
    return np.asarray(scores, dtype=np.float32)


def _on_grid(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64 N×K, each row rounded to multiples of its norm's power of two / 2^26.

    A product of two such rows is of multiples of 2^-52 of a bound of all its partial sums, by
    Cauchy and Schwarz: float64 holds each of them exactly. The rounding moves a cosine by some
    1e-8, less than float32 can tell near 1; it depends on the row alone.
    """
    exact = rows.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", exact, exact))
    # Room for what rounding adds to a norm; unit rows, whose norms differ in the last bit of
    # float32, come to lie far from the next power of two.
    _, exponents = np.frexp(norms * _NORM_ROOM)
    step = np.ldexp(1.0, exponents - _GRID_BITS)[:, None]
    exact /= step
    np.rint(exact, out=exact)
    exact *= step
    return exact
