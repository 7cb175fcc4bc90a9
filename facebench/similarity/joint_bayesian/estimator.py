"""Joint Bayesian as a scikit-learn estimator.

Chen, Cao, Wang, Wen, Sun 2012, "Bayesian Face Revisited: A Joint Formulation", ECCV; the metric of
Sun, Wang, Tang 2015, Section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from facebench.base.errors import UserError, nearest
from facebench.similarity.base import Projection, projected_pairs, score_block
from facebench.similarity.joint_bayesian.em import Scatter, expectation_maximisation, prior_of
from facebench.similarity.joint_bayesian.model import (
    NORMALISATIONS,
    JointBayesianModel,
    Normalise,
    Preparation,
    blocks,
)
from facebench.similarity.metric_file import MetricFacts, read_metric, write_metric
from facebench.similarity.segments import Segments
from facebench.statistics.checks import FloatArray

_NO_VARIANCE = 1e-10  # share of the largest variance below which PCA has nothing to keep


class JointBayesian(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Log-likelihood ratio that two embeddings are of one identity, in nats; 0 is even odds.

    n_components: PCA first (None: none), fewer where fewer directions vary; normalise: ``none``,
    ``unit`` (embeddings to unit length) or ``centred`` (and again after mean and PCA); iterations,
    tolerance: EM ends when an iteration gains less than ``tolerance`` nats per image; shrinkage:
    strength of isotropic priors on S_mu and S_eps, in K identities (K: dimensions after PCA). The
    larger, the nearer are both to multiples of the identity, which with ``centred`` ranks pairs as
    a centred cosine does; 0: maximum likelihood. The default suits some tens to hundreds of
    identities (chosen on identities held out of training, two networks).

    After `fit`: ``S_mu_``, ``S_eps_``, ``A_``, ``G_`` (float64 K×K, of prepared embeddings) and
    ``constant_``: scores are ``x1'Ax1/2 + x2'Ax2/2 - x1'Gx2 + constant``; ``log_likelihood_`` and
    ``objective_`` (with the prior; never decreases), at the start and after every iteration;
    ``n_iter_``; ``model_``, ``n_features_in_``, ``identities_``, ``images_``.
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        normalise: Normalise = "none",
        iterations: int = 100,
        tolerance: float = 1e-6,
        shrinkage: float = 20.0,
    ) -> None:
        self.n_components = n_components
        self.normalise = normalise
        self.iterations = iterations
        self.tolerance = tolerance
        self.shrinkage = shrinkage

    def fit(
        self, X: NDArray[Any], y: NDArray[Any], watch: Callable[[int, float], None] | None = None
    ) -> Self:
        """Learn from embeddings X, float N×D, of identities y, N of any sortable kind.

        watch: called with each iteration's number and log-likelihood per image. ValueError: shapes,
        values or parameters that do not fit, fewer than two identities, none with two images, a
        singular scatter within identities and ``shrinkage=0``. Source: Section 3.2, Algorithm 1,
        with the posterior covariance (`joint_bayesian_em`).
        """
        X, labels, counts = self._checked(X, y)
        preparation = _preparation(X, self.normalise, self.n_components)
        data = _scatter(X, labels, counts, preparation)
        prior = prior_of(data, self.shrinkage)
        estimate = expectation_maximisation(data, prior, self.iterations, self.tolerance, watch)
        self.S_mu_, self.S_eps_ = estimate.s_mu, estimate.s_eps
        self.log_likelihood_ = np.array(estimate.log_likelihood)
        self.objective_ = np.array(estimate.objective)
        self.n_iter_ = len(self.objective_) - 1
        self.identities_, self.images_ = len(counts), len(X)
        model = JointBayesianModel(preparation, estimate.basis.vectors, estimate.basis.ratios)
        return self._set(model)

    def score_pairs(self, X1: NDArray[Any], X2: NDArray[Any]) -> FloatArray:
        """Scores float64 n of rows of X1 with the same rows of X2, float n×D each."""
        left, right = self.project(X1, np.float64), self.project(X2, np.float64)
        if len(left) != len(right):
            raise ValueError(f"X1 has {len(left)} rows and X2 {len(right)}")
        both = Projection(
            np.concatenate([left.rows, right.rows]), np.concatenate([left.bias, right.bias])
        )
        rows = np.arange(len(left))
        return projected_pairs(both, rows, rows + len(left))

    def score_matrix(self, G: NDArray[Any], P: NDArray[Any]) -> FloatArray:
        """Scores float64 n×m of every row of G, float n×D, with every row of P, float m×D."""
        scores = score_block(self.project(G, np.float64), self.project(P, np.float64))
        return np.asarray(scores, dtype=np.float64)

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float64
    ) -> Projection:
        """The projection in which scores are inner products (`facebench.similarity.base`)."""
        check_is_fitted(self)
        return self.model_.project(vectors, dtype)

    def save(self, path: str | Path, fitted_on: str = "") -> None:
        """Write a metric file, tied to no network (`facebench metric fit` ties it to one)."""
        check_is_fitted(self)
        facts = MetricFacts(fitted_on=fitted_on, identities=self.identities_, images=self.images_)
        write_metric(Path(path), self.model_, facts)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The estimator of a metric file, ready to score; UserError where it is no such file.

        Files hold float32, so its scores are those of the fitted values rounded.
        """
        found = read_metric(Path(path))
        model = found.model
        if not isinstance(model, JointBayesianModel):
            raise UserError(f"{path}: a projection, not a Joint Bayesian; `load_metric` reads it")
        preparation = model.preparation
        k = None if preparation.components is None else len(preparation.components)
        estimator = cls(k, normalise=preparation.normalise)
        estimator.identities_, estimator.images_ = found.facts.identities, found.facts.images
        back = np.linalg.inv(model.basis)
        estimator.S_eps_ = back.T @ back
        estimator.S_mu_ = (back.T * model.ratios) @ back
        return estimator._set(model)

    def _set(self, model: JointBayesianModel) -> Self:
        self.model_, self.A_, self.G_ = model, model.A, model.G
        self.constant_, self.n_features_in_ = model.constant, model.dimension
        return self

    def _checked(
        self, X: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
        """X, identities as numbers from 0, and images of each."""
        X, y = np.asarray(X), np.asarray(y)
        if X.ndim != 2 or X.dtype.kind not in "fiu" or y.shape != X.shape[:1]:
            raise ValueError(f"X must be N×D numbers and y of length N, not {X.shape}, {y.shape}")
        if not np.isfinite(X).all():
            raise ValueError("X has NaN or infinity")
        if self.normalise not in NORMALISATIONS:
            raise ValueError(
                f"normalise={self.normalise!r}{nearest(self.normalise, NORMALISATIONS)} "
                f"({', '.join(NORMALISATIONS)})"
            )
        if self.iterations < 1 or self.shrinkage < 0 or self.tolerance < 0:
            raise ValueError("iterations must be at least 1, shrinkage and tolerance at least 0")
        _, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
        if len(counts) < 2:
            raise ValueError(f"{len(counts)} identities; Joint Bayesian learns from two or more")
        if counts.max() < 2:
            raise ValueError("no identity has two images")
        return X, labels, counts


def _preparation(X: NDArray[Any], normalise: Normalise, n_components: int | None) -> Preparation:
    n, d = X.shape
    first: Normalise = "none" if normalise == "none" else "unit"
    plain = Preparation(first, np.zeros(d), None)
    mean = sum((plain(X[part]).sum(axis=0) for part in blocks(n, d)), np.zeros(d)) / n
    if n_components is None:
        return Preparation(normalise, mean, None)
    if not 1 <= n_components <= d:
        raise ValueError(f"n_components={n_components} is not from 1 to {d}")
    centred = Preparation(first, mean, None)
    scatter = np.zeros((d, d))
    for part in blocks(n, d):
        rows = centred(X[part])
        scatter += rows.T @ rows
    values, vectors = np.linalg.eigh(scatter)
    varying = int(np.count_nonzero(values > _NO_VARIANCE * values[-1]))
    kept = max(1, min(n_components, varying))  # directions without variance tell nothing
    components = np.ascontiguousarray(vectors[:, ::-1][:, :kept].T)
    return Preparation(normalise, mean, components)


def _scatter(
    X: NDArray[Any],
    labels: NDArray[np.int64],
    counts: NDArray[np.int64],
    preparation: Preparation,
) -> Scatter:
    """One pass in blocks of whole identities, so that each has its mean before the deviations
    from it are taken. Memory: a block, or the images of the largest identity.
    """
    components = preparation.components
    k = preparation.dimension if components is None else len(components)
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(counts)
    means, within = np.empty((len(counts), k)), np.zeros((k, k))
    first = 0
    for part in blocks(len(X), X.shape[1]):
        last = int(np.searchsorted(ends, part.stop, side="right"))
        if last == first:  # all of one identity that goes on
            continue
        start = 0 if first == 0 else int(ends[first - 1])
        rows = preparation(X[order[start : ends[last - 1]]])
        own = np.repeat(np.arange(last - first), counts[first:last])
        sums = Segments.of(own).rows(rows, np.ones(len(rows)))
        means[first:last] = sums / counts[first:last, None]
        rows -= means[first:last][own]
        within += rows.T @ rows
        first = last
    return Scatter(means, counts, within)
