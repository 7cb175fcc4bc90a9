"""Blocks of scores in float32, how far they can be off, and pairs of them on the exact grid.

A product of float32 matrices takes half the time of one in float64, and tells which pairs of a
block cannot be among the highest; the others are scored again with the bits of `score_block`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import Projection, exact_pairs

_UNIT = float(np.finfo(np.float32).eps) / 2  # the most that rounding to float32 moves a number
_GRID = 1.01 * 2.0**-26  # and to the grid, of a row's norm and for each root of its length
_OVERFLOW = 1e38  # of a score in float32
_ROWS = 2048
_PAIRS = 1 << 15  # that are scored exactly at once


def most_off(width: int, norms: float) -> float:
    """How far a product of float32 rows and their score on the grid can differ at the most.

    width: numbers in a row; norms: the product of the lengths of both. Any order of K sums and
    products is off by at most K·u/(1 - K·u) of the sum of the absolute products (Higham 2002,
    "Accuracy and Stability of Numerical Algorithms", Section 3.1), and that is at most the product
    of the norms. The grid moves each row, and the score is rounded once.
    """
    sums = width * _UNIT / (1 - width * _UNIT)
    share = sums + 2.01 * _GRID * np.sqrt(width) + 1.01 * _UNIT
    return float(1.01 * share * norms + width * np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Tiles:
    """Faces whose scores are products of float32 rows. norms: float64 N, lengths of the rows."""

    faces: Projection
    norms: NDArray[np.float64]

    @classmethod
    def of(cls, faces: Projection) -> Tiles | None:
        """None where scores are more than such a product, or could be beyond float32."""
        if faces.rows.dtype != np.float32 or faces.bias.any():
            return None
        norms = np.empty(len(faces))
        for start in range(0, len(faces), _ROWS):
            rows = faces.rows[start : start + _ROWS].astype(np.float64)
            norms[start : start + _ROWS] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        largest = norms.max(initial=0)
        return cls(faces, norms) if largest * largest < _OVERFLOW else None

    def rough(
        self, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], float]:
        """Scores float32 n×m of a block, and how far one of them can be off."""
        rows = self.faces.rows
        norms = float(self.norms[left].max(initial=0) * self.norms[right].max(initial=0))
        return rows[left] @ rows[right].T, most_off(rows.shape[1], norms)

    def exact(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores float32 n of pairs, with the bits that `score_block` gives them."""
        found = np.empty(len(left), dtype=np.float32)
        for start in range(0, len(left), _PAIRS):
            i, j = left[start : start + _PAIRS], right[start : start + _PAIRS]
            found[start : start + _PAIRS] = exact_pairs(self.faces, i, self.faces, j)
        return found
