"""Sums of rows by segments, as products of a sparse matrix with a dense one.

``np.add.reduceat`` over the rows of a matrix takes ten to forty times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIECE = 16  # rows that are added in float32 before float64 takes over
_LEAST, _MOST = 1e-15, 1e15  # norms whose squares, and weights that, float32 surely holds


@dataclass(frozen=True, eq=False)
class Segments:
    """Rows of a block, segment by segment.

    which: int64 R, ascending, the segments that have rows; order: int64 n, the rows so that those
    of a segment stand together; starts: int64 R, where each begins in order.
    """

    which: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, places: NDArray[np.int64]) -> Segments:
        """places: int64 n, at least one, the segment of every row."""
        order = np.arange(len(places)) if _ascends(places) else np.argsort(places, kind="stable")
        ordered = places[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        return cls(ordered[starts], order, starts)

    def numbers(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sums float64 R of values float n."""
        return _exactly(np.add.reduceat(values[self.order], self.starts))

    def rows(self, rows: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums float64 R×K of rows float n×K, each times its weight.

        Of float32 rows up to 16 are added in float32, these sums in float64: the error is that of
        rounding the rows, some 1e-7, and not one that grows with their number.
        """
        weights = weights[self.order]
        if rows.dtype != np.float32 or not _held(weights):
            rows = rows.astype(np.float64)
            return _exactly(self._product(rows, weights, self.order, self.starts))
        ends = np.append(self.starts[1:], len(self.order))
        pieces = -(-(ends - self.starts) // _PIECE)
        last = np.cumsum(pieces)
        first = last - pieces
        within = np.arange(last[-1]) - np.repeat(first, pieces)
        starts = np.repeat(self.starts, pieces) + _PIECE * within
        sums = self._product(rows, weights.astype(np.float32), self.order, starts)
        if len(starts) == len(self.starts):
            return _exactly(sums)
        ones, own = np.ones(len(starts)), np.arange(len(starts))
        return _exactly(self._product(_exactly(sums), ones, own, first))

    @staticmethod
    def _product(
        rows: NDArray[np.floating],
        weights: NDArray[np.floating],
        order: NDArray[np.int64],
        starts: NDArray[np.int64],
    ) -> NDArray[np.floating]:
        from scipy import sparse  # late: it takes a while, and most commands sum nothing

        ends = np.append(starts, len(order))
        chosen = sparse.csr_array((weights, order, ends), shape=(len(starts), len(rows)))
        return np.asarray(chosen @ rows)


def quick_norms(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean norms float64 n to float32's precision, of vectors of any length."""
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
    norms: NDArray[np.float64] = np.sqrt(squares, dtype=np.float64)
    unsure = np.flatnonzero((norms < _LEAST) | ~(norms < _MOST))
    if unsure.size:
        exact = vectors[unsure].astype(np.float64)
        norms[unsure] = np.sqrt(np.einsum("ij,ij->i", exact, exact))
    return norms


def inverse(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 over each norm, 0 where it is 0."""
    inverses: NDArray[np.float64] = np.zeros_like(norms)
    return np.divide(1.0, norms, out=inverses, where=norms > 0)


def _exactly(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _ascends(places: NDArray[np.int64]) -> bool:
    return bool((places[1:] >= places[:-1]).all())


def _held(weights: NDArray[np.float64]) -> bool:
    """Whether float32 holds the weights and what they make of rows."""
    size = np.abs(weights[weights != 0])
    return not size.size or bool(size.min() > _LEAST and size.max() < _MOST)
