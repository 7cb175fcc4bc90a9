"""Similarities with and without a bias, and the double loop over faces that poolings stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import Projection, Similarity


class PlainCosine(Similarity):
    name, signature, low, high = "cosine", "toy-cosine", -1.0, 1.0

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float32
    ) -> Projection:
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        unit = vectors / np.where(norms > 0, norms, 1)
        return Projection(unit.astype(dtype), np.zeros(len(vectors)))


class Biased(Similarity):
    """A quadratic bias and a linear map: the form of Joint Bayesian's score."""

    name, signature = "biased", "toy-biased"

    def __init__(self, dimension: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.map = rng.standard_normal((dimension, max(1, dimension - 1))) / np.sqrt(dimension)
        self.form = -np.abs(rng.standard_normal(dimension)) / dimension

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float32
    ) -> Projection:
        wide = vectors.astype(np.float64)
        return Projection((wide @ self.map).astype(dtype), np.square(wide) @ self.form + 0.3)


def all_scores(
    similarity: Similarity, left: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Scores of every pair of faces, one at a time, in float64."""
    a, b = similarity.project(left, np.float64), similarity.project(right, np.float64)
    return np.array(
        [
            [float(a.rows[i] @ b.rows[j] + a.bias[i] + b.bias[j]) for j in range(len(right))]
            for i in range(len(left))
        ]
    )


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1))
