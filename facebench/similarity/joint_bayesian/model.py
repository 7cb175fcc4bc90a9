"""A fitted Joint Bayesian as plain arrays: from embeddings to log-likelihood ratios."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import Projection
from facebench.statistics.checks import FloatArray

Normalise = Literal["none", "unit", "centred"]
NORMALISATIONS: tuple[str, ...] = get_args(Normalise)
_BLOCK_VALUES = 1 << 22  # float64 values in one block of rows: 32 MiB


@dataclass(frozen=True, eq=False)
class Preparation:
    """What is done with an embedding before the model: lengths, mean, PCA.

    normalise: ``none``; ``unit``: to unit length; ``centred``: to unit length, and again after mean
    and PCA. mean: float64 D; components: float64 K×D, orthonormal rows, or None: no PCA.
    """

    normalise: Normalise
    mean: FloatArray
    components: FloatArray | None

    def __call__(self, vectors: NDArray[np.floating]) -> FloatArray:
        """A block of embeddings N×D prepared, float64 N×K, always new. A zero vector stays zero
        where it is brought to unit length."""
        rows = np.array(vectors, dtype=np.float64)
        if self.normalise != "none":
            to_unit_length(rows)
        rows -= self.mean
        if self.components is not None:
            rows = rows @ self.components.T
        if self.normalise == "centred":
            to_unit_length(rows)
        return rows

    @property
    def dimension(self) -> int:
        """D, of the embeddings that it takes."""
        return len(self.mean)


@dataclass(frozen=True, eq=False)
class JointBayesianModel:
    """Preparation, and the basis in which S_eps is the identity and S_mu diagonal.

    basis: float64 K×K, columns the basis; ratios: float64 K, S_mu's diagonal there. With
    y = basis'·x, the log-likelihood ratio of Chen et al. 2012, equation 4, is a sum over
    coordinates, ``log N(y1, y2 | same) - log N(y1, y2 | different)``, constant included.
    """

    preparation: Preparation
    basis: FloatArray
    ratios: FloatArray

    @cached_property
    def constant(self) -> float:
        """The part of every score that no embedding changes, in nats."""
        r = self.ratios
        return float(np.log1p(r).sum() - 0.5 * np.log1p(2 * r).sum())

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float64
    ) -> Projection:
        """Rows whose inner products are ``-x1' G x2``; biases ``x' A x / 2`` and half the constant.

        vectors: N×D; ValueError for another shape. Memory: the result and one block.
        """
        vectors = self._checked(vectors)
        r = self.ratios
        cross = np.sqrt(r / (1 + 2 * r))
        own = -0.5 * r**2 / ((1 + r) * (1 + 2 * r))
        rows = np.empty((len(vectors), len(r)), dtype=dtype)
        bias = np.empty(len(vectors), dtype=np.float64)
        for part in blocks(len(vectors), vectors.shape[1]):
            y = self.preparation(vectors[part]) @ self.basis
            rows[part] = y * cross
            bias[part] = (y * y) @ own + 0.5 * self.constant
        return Projection(rows, bias)

    @property
    def A(self) -> FloatArray:  # noqa: N802
        """The paper's A, float64 K×K, of prepared embeddings: scores hold x'Ax/2 of both."""
        r = self.ratios
        return (self.basis * (-(r**2) / ((1 + r) * (1 + 2 * r)))) @ self.basis.T

    @property
    def G(self) -> FloatArray:  # noqa: N802
        """The paper's G, float64 K×K, of prepared embeddings: scores hold -x1'Gx2."""
        return (self.basis * (-self.ratios / (1 + 2 * self.ratios))) @ self.basis.T

    @property
    def dimension(self) -> int:
        """D, of the embeddings that it takes."""
        return self.preparation.dimension

    @property
    def values(self) -> int:
        """How many numbers it has learned: mean, components, basis and ratios."""
        prepared, components = self.preparation, self.preparation.components
        reduced = 0 if components is None else components.size
        return prepared.mean.size + reduced + self.basis.size + self.ratios.size

    def _checked(self, vectors: NDArray[np.floating]) -> NDArray[np.floating]:
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(
                f"embeddings of shape {vectors.shape}; Joint Bayesian was fitted on embeddings of "
                f"{self.dimension} numbers"
            )
        return vectors


def to_unit_length(rows: FloatArray) -> None:
    """Divide rows by their Euclidean norms in place; rows of zeros stay as they are."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.where(norms > 0, norms, 1)[:, None]


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of rows that hold a bounded number of values each."""
    step = max(1, _BLOCK_VALUES // max(1, columns))
    return (slice(i, min(i + step, rows)) for i in range(0, rows, step))
