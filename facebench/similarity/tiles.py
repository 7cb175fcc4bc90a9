"""Blocks of scores in float32, how far they can be off, and pairs of them on the exact grid.

A product of float32 matrices takes half the time of one in float64, and tells which pairs of a
block cannot be among the highest; the others are scored again with the bits of `score_block`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import Projection, exact_pairs
from facebench.similarity.rounding import OVERFLOW, margins, norms_of


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
        norms = norms_of(faces)
        largest = norms.max(initial=0)
        return cls(faces, norms) if largest * largest < OVERFLOW else None

    def rough(
        self, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], float]:
        """Scores float32 n×m of a block, and how far one of them can be off."""
        rows = self.faces.rows
        norms = float(self.norms[left].max(initial=0) * self.norms[right].max(initial=0))
        return rows[left] @ rows[right].T, float(margins(rows.shape[1], norms))

    def exact(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores float32 n of pairs, with the bits that `score_block` gives them."""
        return exact_pairs(self.faces, left, self.faces, right)
