"""How far products of float32 rows can be from scores on the exact grid of `score_block`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facebench.similarity.base import Projection
from facebench.statistics.checks import FloatArray

OVERFLOW = 1e38  # of a score in float32; NaN is not below it either
_UNIT = float(np.finfo(np.float32).eps) / 2  # the most that rounding to float32 moves a number
_GRID = 1.01 * 2.0**-26  # and to the grid, of a row's norm and for each root of its length
_ROWS = 2048


def margins(width: int, norms: ArrayLike) -> FloatArray:
    """float64: the most that a product in float32 of two rows and their exact score can differ.

    width: numbers in a row; norms: products of the norms of both. Any order of K sums and products
    is off by at most K·u/(1 - K·u) of the sum of the absolute products (Higham 2002, "Accuracy and
    Stability of Numerical Algorithms", Section 3.1), and that is at most the product of the norms.
    The grid moves each row, and the score is rounded once.
    """
    sums = width * _UNIT / (1 - width * _UNIT)
    share = sums + 2.01 * _GRID * np.sqrt(width) + 1.01 * _UNIT
    return np.asarray(1.01 * share * np.asarray(norms) + width * np.finfo(np.float32).tiny)


def norms_of(faces: Projection) -> FloatArray:
    """float64 N: of the rows."""
    norms = np.empty(len(faces))
    for start in range(0, len(faces), _ROWS):
        rows = faces.rows[start : start + _ROWS].astype(np.float64)
        norms[start : start + _ROWS] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms
