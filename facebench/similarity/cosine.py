"""Cosine similarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import Projection, Similarity
from facebench.similarity.segments import inverse, quick_norms

_BLOCK_VALUES = 1 << 22  # float64 values in one block of gathered rows: 32 MiB


class Cosine(Similarity):
    """Cosine of the angle between two embeddings; a vector of norm zero is alike to nobody, 0."""

    name = "cosine"
    signature = "cosine"
    low, high = -1.0, 1.0

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float32
    ) -> Projection:
        """Unit rows, zero where the vector is: float N×D in ``dtype``; no bias."""
        norms = _norms(vectors)
        scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        rows = np.empty(vectors.shape, dtype=dtype)
        block = max(1, _BLOCK_VALUES // max(1, vectors.shape[1]))
        for start in range(0, len(vectors), block):
            part = slice(start, start + block)
            rows[part] = vectors[part].astype(np.float64) * scale[part, None]
        return Projection(rows, np.zeros(len(vectors)))

    def scaled(
        self, vectors: NDArray[np.float32]
    ) -> tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]]:
        """The vectors themselves, 1 over their norms, and no bias."""
        return vectors, inverse(quick_norms(vectors)), np.zeros(len(vectors))

    def pairs(
        self, vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """See `cosine_pairs`."""
        return cosine_pairs(vectors, left, right)


def cosine_pairs(
    vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cosine of the angle between rows ``left[i]`` and ``right[i]``: float64 n in [-1, 1].

    vectors: float32 N×D, not necessarily normalised; left, right: int64 n, rows from 0 to N - 1.
    A vector of norm zero has cosine 0 with everything. Sums are in float64 and memory is bounded
    (a few blocks of 32 MiB). ValueError: shapes that do not fit, indices outside the rows.
    """
    left, right = np.asarray(left), np.asarray(right)
    _check(vectors, left, right)
    norms = _norms(vectors)
    scores = np.empty(len(left), dtype=np.float64)
    block = max(1, _BLOCK_VALUES // max(1, vectors.shape[1]))
    for start in range(0, len(left), block):
        part = slice(start, start + block)
        a, b = vectors[left[part]].astype(np.float64), vectors[right[part]].astype(np.float64)
        scale = norms[left[part]] * norms[right[part]]
        dots = np.einsum("ij,ij->i", a, b)
        scores[part] = np.divide(dots, scale, out=np.zeros_like(dots), where=scale > 0)
    return np.clip(scores, -1.0, 1.0, out=scores)  # rounding can lead just beyond


def _norms(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean norms, float64 N; float64 squares of float32 values neither overflow nor vanish."""
    norms = np.empty(len(vectors), dtype=np.float64)
    block = max(1, _BLOCK_VALUES // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), block):
        rows = vectors[start : start + block].astype(np.float64)
        norms[start : start + block] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms


def _check(vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
    if vectors.ndim != 2:
        raise ValueError(f"vectors must have two dimensions, not shape {vectors.shape}")
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(
            f"left and right must be of one length each, not {left.shape}, {right.shape}"
        )
    for side, rows in (("left", left), ("right", right)):
        if rows.size and (rows.dtype.kind not in "iu"):
            raise ValueError(f"{side} must hold row numbers, not {rows.dtype}")
        if rows.size and (rows.min() < 0 or rows.max() >= len(vectors)):
            raise ValueError(
                f"{side} names rows {rows.min()} to {rows.max()} of {len(vectors)} vectors"
            )
