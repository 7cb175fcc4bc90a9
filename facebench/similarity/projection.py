"""A learned linear map of embeddings as plain arrays; its similarity is the cosine of the maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import Projection
from facebench.similarity.joint_bayesian.model import blocks, to_unit_length
from facebench.statistics.checks import FloatArray


@dataclass(frozen=True, eq=False)
class ProjectionModel:
    """An affine map ``weight·x + bias``. weight: float64 D'×D; bias: float64 D'.

    The bias is that of embeddings as the flip rule makes them: of a sum of two faces' embeddings it
    is twice that of one face's.
    """

    weight: FloatArray
    bias: FloatArray

    @property
    def dimension(self) -> int:
        """D, of the embeddings that it takes."""
        return int(self.weight.shape[1])

    @property
    def values(self) -> int:
        """How many numbers it has learned: D'·D + D'."""
        return self.weight.size + self.bias.size

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float64
    ) -> Projection:
        """Mapped rows at unit length, float N×D' in ``dtype``; no bias of scores.

        vectors: N×D; ValueError for another shape. An embedding of zeros (a dead network's) is a
        row of zeros, alike to nobody as under cosine: the bias alone says nothing of a face. Sums
        are in float64. Memory: the result and one block.
        """
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(
                f"embeddings of shape {vectors.shape}; the projection takes embeddings of "
                f"{self.dimension} numbers"
            )
        rows = np.empty((len(vectors), len(self.bias)), dtype=dtype)
        for part in blocks(len(vectors), max(self.weight.shape)):
            given = vectors[part]
            mapped = given.astype(np.float64) @ self.weight.T + self.bias
            mapped[~given.any(axis=1)] = 0
            to_unit_length(mapped)
            rows[part] = mapped
        return Projection(rows, np.zeros(len(vectors)))
