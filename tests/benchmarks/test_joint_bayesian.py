"""Joint Bayesian beside a grouped closed form of its EM and the paper's A and G.

Measured on one thread: ``OMP_NUM_THREADS=1``.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from facebench.similarity.joint_bayesian.em import (
    Prior,
    Scatter,
    diagonalise,
    log_likelihood,
    start,
    update,
)

NO_PRIOR = Prior(0.0, 1.0, 1.0)


def data_of(images: int, k: int, identities: int) -> tuple[np.ndarray, np.ndarray]:
    """Images N×K sorted by identity, 3 to about 50 images each, and the identities' first rows."""
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.1, 2, identities)
    counts = 3 + np.floor((images - 3 * identities) * shares / shares.sum()).astype(np.int64)
    counts[-1] += images - counts.sum()
    labels = np.repeat(np.arange(identities), counts)
    x = rng.standard_normal((identities, k))[labels] * rng.uniform(0.1, 2, k)
    x += rng.standard_normal((images, k))
    return x, np.concatenate([[0], np.cumsum(counts)])


def scatter_of(x: np.ndarray, edges: np.ndarray) -> Scatter:
    counts = np.diff(edges)
    means = np.add.reduceat(x, edges[:-1]) / counts[:, None]
    deviations = x - np.repeat(means, counts, axis=0)
    return Scatter(means, counts, deviations.T @ deviations)


def grouped_update(
    x: np.ndarray, edges: np.ndarray, s_mu: np.ndarray, s_eps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chen et al. 2012, equations 7 and 8: F and, for each number of images m, one solve for
    S_mu (F + mG) and S_eps G; dense products for each identity; covariances over all images."""
    counts, k = np.diff(edges), len(s_mu)
    inverse = np.linalg.inv(s_eps)
    grouped = {}
    spread_mu, spread_eps = np.zeros((k, k)), np.zeros((k, k))
    for m in np.unique(counts):
        g = -np.linalg.solve(m * s_mu + s_eps, s_mu @ inverse)
        grouped[m] = (s_mu @ (inverse + m * g), s_eps @ g)
        posterior = s_mu - m * grouped[m][0] @ s_mu
        people = int(np.count_nonzero(counts == m))
        spread_mu += people * posterior
        spread_eps += people * m * posterior
    mu, eps = np.empty((len(counts), k)), np.empty_like(x)
    for i, m in enumerate(counts):
        own = x[edges[i] : edges[i + 1]]
        total = own.sum(axis=0)
        of_mu, of_eps = grouped[m]
        mu[i] = of_mu @ total
        eps[edges[i] : edges[i + 1]] = own + of_eps @ total
    return (mu.T @ mu + spread_mu) / len(counts), (eps.T @ eps + spread_eps) / len(x)


@pytest.mark.slow
def test_an_iteration_of_48000_images(beside) -> None:
    x, edges = data_of(48_000, 512, 2_000)
    data = scatter_of(x, edges)
    s_mu, s_eps = start(data, NO_PRIOR)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        basis = diagonalise(s_mu, s_eps)
        log_likelihood(data, basis)  # recorded at every iteration; the other goes without
        return update(data, NO_PRIOR, s_eps, basis)

    grouped = "grouped closed form"
    found, others = beside(ours, {grouped: lambda: grouped_update(x, edges, s_mu, s_eps)})
    for matrix, wanted in zip(found, others[grouped], strict=True):
        assert np.abs(matrix - wanted).max() <= 1e-9 * np.abs(wanted).max()


def test_the_grouped_form_is_the_same_em() -> None:
    x, edges = data_of(300, 6, 40)
    s_mu, s_eps = start(scatter_of(x, edges), NO_PRIOR)
    found = update(scatter_of(x, edges), NO_PRIOR, s_eps, diagonalise(s_mu, s_eps))
    for matrix, wanted in zip(found, grouped_update(x, edges, s_mu, s_eps), strict=True):
        np.testing.assert_allclose(matrix, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_scores_of_a_matrix(beside) -> None:
    """All scores of 1,000 × 1,000 from the projection, beside the paper's A and G."""
    from facebench.similarity.base import score_block
    from facebench.similarity.joint_bayesian.model import JointBayesianModel, Preparation

    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 128))
    vectors = scipy.linalg.qr(rng.standard_normal((128, 128)))[0]
    model = JointBayesianModel(
        Preparation("none", np.zeros(128), None), vectors, rng.uniform(0, 3, 128)
    )

    def blocks() -> np.ndarray:
        projected = model.project(x, np.float64)
        return score_block(projected, projected)

    def direct() -> np.ndarray:
        own = np.array([row @ model.A @ row for row in x]) / 2
        return own[:, None] + own[None, :] - x @ model.G @ x.T + model.constant

    found, others = beside(blocks, {"A and G": direct})
    np.testing.assert_allclose(found, others["A and G"], rtol=1e-9, atol=1e-9)
