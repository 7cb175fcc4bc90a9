"""The fast EM against one that inverts the whole covariance of every identity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from facebench.similarity.joint_bayesian import em as joint_bayesian_em
from facebench.similarity.joint_bayesian.em import (
    Prior,
    Scatter,
    diagonalise,
    expectation_maximisation,
    log_likelihood,
    prior_of,
    start,
    update,
)
from facebench.similarity.joint_bayesian.estimator import JointBayesian

NO_PRIOR = Prior(0.0, 1.0, 1.0)


def images_of(
    seed: int, k: int, counts: list[int], spread: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Images N×k in random order and their identities, drawn from the model."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    mix = np.linalg.qr(rng.standard_normal((k, k)))[0] * rng.uniform(0.5, 2, k)
    mu = spread * rng.standard_normal((len(counts), k)) @ rng.standard_normal((k, k))
    return mu[labels] + rng.standard_normal((len(labels), k)) @ mix, labels


def scatter_of(x: np.ndarray, labels: np.ndarray) -> Scatter:
    groups = [x[labels == i] for i in np.unique(labels)]
    means = np.stack([g.mean(axis=0) for g in groups])
    within = sum((g - g.mean(axis=0)).T @ (g - g.mean(axis=0)) for g in groups)
    return Scatter(means, np.array([len(g) for g in groups]), np.asarray(within))


def joint(s_mu: np.ndarray, s_eps: np.ndarray, m: int) -> np.ndarray:
    """Covariance of m images of one identity, mk×mk (Chen et al. 2012, Section 3.2)."""
    return np.kron(np.ones((m, m)), s_mu) + np.kron(np.eye(m), s_eps)


def direct_update(
    x: np.ndarray, labels: np.ndarray, s_mu: np.ndarray, s_eps: np.ndarray, prior: Prior
) -> tuple[np.ndarray, np.ndarray]:
    """E[h|x] = S_h P' S_x^-1 x and its covariance, h = (mu, eps_1 .. eps_m), identity by identity.

    x = P h, P = [1 I]; then the covariances of mu and of all eps.
    """
    k = x.shape[1]
    mu_sum, eps_sum = np.zeros((k, k)), np.zeros((k, k))
    identities = np.unique(labels)
    for identity in identities:
        own = x[labels == identity]
        m = len(own)
        s_h = np.kron(np.eye(m + 1), s_eps)
        s_h[:k, :k] = s_mu
        p = np.hstack([np.kron(np.ones((m, 1)), np.eye(k)), np.eye(m * k)])
        gain = s_h @ p.T @ np.linalg.inv(joint(s_mu, s_eps, m))
        h = gain @ own.ravel()
        second = np.outer(h, h) + s_h - gain @ p @ s_h
        mu_sum += second[:k, :k]
        for j in range(1, m + 1):
            eps_sum += second[j * k : (j + 1) * k, j * k : (j + 1) * k]
    unit = prior.weight * np.eye(k)
    return (
        (mu_sum + prior.between * unit) / (len(identities) + prior.weight),
        (eps_sum + prior.within * unit) / (len(x) + prior.weight),
    )


def direct_log_likelihood(
    x: np.ndarray, labels: np.ndarray, s_mu: np.ndarray, s_eps: np.ndarray
) -> float:
    total = 0.0
    for identity in np.unique(labels):
        own = x[labels == identity]
        total += multivariate_normal(cov=joint(s_mu, s_eps, len(own))).logpdf(own.ravel())
    return total


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("weight", [0.0, 3.5])
@pytest.mark.parametrize("counts", [[5, 4, 6, 1, 4, 7, 2], [3] * 12, [2, 40, 1, 1, 9, 3]])
def test_em_equals_the_direct_em_over_many_iterations(counts: list[int], weight: float) -> None:
    x, labels = images_of(1, 4, counts)
    data, prior = scatter_of(x, labels), Prior(weight, 0.7, 1.3)
    s_mu, s_eps = start(data, prior)
    for _ in range(12):
        s_mu, s_eps = direct_update(x, labels, s_mu, s_eps, prior)
    found = expectation_maximisation(data, prior, 12, -np.inf)
    assert relative(found.s_mu, s_mu) < 1e-8
    assert relative(found.s_eps, s_eps) < 1e-8
    direct = direct_log_likelihood(x, labels, s_mu, s_eps)
    assert found.log_likelihood[-1] == pytest.approx(direct, rel=1e-10)


@pytest.mark.parametrize("shrinkage", [0.0, 0.5, 20.0])
def test_a_and_g_of_the_estimator_are_those_of_the_direct_em(shrinkage: float) -> None:
    x, labels = images_of(4, 4, [5, 4, 6, 1, 4, 7, 2, 9])
    estimator = JointBayesian(shrinkage=shrinkage, iterations=15, tolerance=0.0).fit(x, labels)
    centred = x - x.mean(axis=0)
    data = scatter_of(centred, labels)
    prior = prior_of(data, shrinkage)
    s_mu, s_eps = start(data, prior)
    for _ in range(estimator.n_iter_):
        s_mu, s_eps = direct_update(centred, labels, s_mu, s_eps, prior)
    inverse = np.linalg.inv(joint(s_mu, s_eps, 2))
    assert relative(estimator.A_, np.linalg.inv(s_mu + s_eps) - inverse[:4, :4]) < 1e-8
    assert relative(estimator.G_, inverse[:4, 4:]) < 1e-8


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 4),
    counts=st.lists(st.integers(1, 5), min_size=2, max_size=7),
    weight=st.sampled_from([0.0, 0.5, 10.0]),
)
def test_any_update_equals_the_direct_one(
    seed: int, k: int, counts: list[int], weight: float
) -> None:
    x, labels = images_of(seed, k, counts)
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, k, k + 2))
    s_mu, s_eps = a @ a.T, b @ b.T + 0.1 * np.eye(k)
    data, prior = scatter_of(x, labels), Prior(weight, 0.4, 2.0)
    basis = diagonalise(s_mu, s_eps)
    expected = direct_update(x, labels, s_mu, s_eps, prior)
    for found, wanted in zip(update(data, prior, s_eps, basis), expected, strict=True):
        assert relative(found, wanted) < 1e-8
    direct = direct_log_likelihood(x, labels, s_mu, s_eps)
    assert log_likelihood(data, basis) == pytest.approx(direct, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 6),
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=20),
    spread=st.sampled_from([0.0, 0.01, 1.0, 30.0]),
    shrinkage=st.sampled_from([0.0, 0.01, 1.0, 50.0]),
)
def test_trap_the_likelihood_never_decreases(
    seed: int, k: int, counts: list[int], spread: float, shrinkage: float
) -> None:
    counts[0] += 3 * k  # S_eps is regular without a prior too
    data = scatter_of(*images_of(seed, k, counts, spread))
    found = expectation_maximisation(data, prior_of(data, shrinkage), 25, -np.inf)
    steps = np.diff(found.objective)
    assert len(steps) == 25
    assert (steps >= -1e-6).all()  # nats, all images together: rounding
    if shrinkage == 0:
        assert found.objective == found.log_likelihood


def test_the_paper_s_update_without_posterior_covariance_can_lose_likelihood() -> None:
    """Why ours has it: with few images per identity the expectations alone lose variance."""
    x, labels = images_of(0, 3, [2] * 40, 0.8)
    data = scatter_of(x, labels)
    s_mu, s_eps = start(data, NO_PRIOR)
    before = log_likelihood(data, diagonalise(s_mu, s_eps))
    for _ in range(10):
        basis = diagonalise(s_mu, s_eps)
        y = x @ basis.vectors
        means = np.stack([y[labels == i].mean(axis=0) for i in range(40)])
        expected = means * (2 * basis.ratios / (1 + 2 * basis.ratios))
        rest = y - expected[labels]
        back = s_eps @ basis.vectors
        s_mu = back @ (expected.T @ expected / 40) @ back.T
        s_eps = back @ (rest.T @ rest / len(rest)) @ back.T
    assert log_likelihood(data, diagonalise(s_mu, s_eps)) < before


def test_trap_the_last_matrices_are_returned_never_the_best_convergence() -> None:
    x, labels = images_of(3, 3, [4, 6, 2, 8, 5])
    data = scatter_of(x, labels)
    for iterations in (1, 2, 7):
        found = expectation_maximisation(data, NO_PRIOR, iterations, -np.inf)
        s_mu, s_eps = start(data, NO_PRIOR)
        for _ in range(iterations):
            s_mu, s_eps = update(data, NO_PRIOR, s_eps, diagonalise(s_mu, s_eps))
        np.testing.assert_array_equal(found.s_mu, s_mu)
        np.testing.assert_array_equal(found.s_eps, s_eps)
        last = log_likelihood(data, diagonalise(s_mu, s_eps))
        assert found.log_likelihood[-1] == last and len(found.log_likelihood) == iterations + 1


def test_trap_a_likelihood_that_falls_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    data = scatter_of(*images_of(3, 3, [4, 6, 2, 8, 5]))

    def wrong(*arguments: object) -> tuple[np.ndarray, np.ndarray]:
        return 100 * np.eye(3), 100 * np.eye(3)

    monkeypatch.setattr(joint_bayesian_em, "update", wrong)
    with pytest.raises(ValueError, match=r"likelihood fell by .* in iteration 1"):
        expectation_maximisation(data, NO_PRIOR, 3, -np.inf)


def test_one_dimension_by_hand() -> None:
    """Two identities of two images: (1, 3) and (-2, -2); S_mu = 2, S_eps = 1.

    Means 2 and -2, m = 2: E[mu] = 4/5 of the mean, 1.6 and -1.6; variance 2·1/(2·2 + 1) = 0.4.
    S_mu = (2.56 + 2.56)/2 + 0.4 = 2.96. eps: -0.6, 1.4, -0.4, -0.4, squares' mean 0.66, plus 0.4.
    """
    x, labels = np.array([[1.0], [3.0], [-2.0], [-2.0]]), np.array([0, 0, 1, 1])
    data = scatter_of(x, labels)
    one = np.ones((1, 1))
    s_mu, s_eps = update(data, NO_PRIOR, one, diagonalise(2 * one, one))
    assert s_mu.item() == pytest.approx(2.96, abs=1e-12)
    assert s_eps.item() == pytest.approx(0.66 + 0.4, abs=1e-12)
    # Both pairs ~ N(0, [[3, 2], [2, 3]]): determinant 5, inverse [[3, -2], [-2, 3]]/5.
    quadratic = (3 * (1 + 9) - 4 * 3) / 5 + (3 * (4 + 4) - 4 * 4) / 5
    expected = -2 * math.log(2 * math.pi) - math.log(5) - quadratic / 2
    assert log_likelihood(data, diagonalise(2 * one, one)) == pytest.approx(expected, abs=1e-12)


def test_it_ends_when_an_iteration_gains_little() -> None:
    data = scatter_of(*images_of(5, 3, [6] * 30))
    found = expectation_maximisation(data, NO_PRIOR, 500, 1e-6)
    steps = np.diff(found.objective)
    assert len(steps) < 500
    assert steps[-1] < 1e-6 * data.images <= steps[:-1].min()


def test_the_model_is_recovered_from_many_images() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3000), 4)
    s_mu, s_eps = np.diag([4.0, 1.0, 0.25]), np.array([[1, 0.3, 0], [0.3, 1, 0], [0, 0, 2.0]])
    mu = rng.standard_normal((3000, 3)) * np.sqrt(np.diag(s_mu))
    x = mu[labels] + rng.multivariate_normal(np.zeros(3), s_eps, len(labels))
    found = expectation_maximisation(scatter_of(x, labels), NO_PRIOR, 100, 1e-7)
    np.testing.assert_allclose(found.s_mu, s_mu, atol=0.15)
    np.testing.assert_allclose(found.s_eps, s_eps, atol=0.05)


def test_a_singular_scatter_is_refused_and_mended_by_the_prior() -> None:
    x, labels = images_of(2, 6, [2, 2, 2])
    data = scatter_of(x, labels)
    with pytest.raises(ValueError, match="rank 3 of 6"):
        expectation_maximisation(data, NO_PRIOR, 5, 0)
    found = expectation_maximisation(data, prior_of(data, 0.1), 50, -np.inf)
    assert np.linalg.eigvalsh(found.s_eps)[0] > 0
    assert (np.diff(found.objective) >= -1e-9).all()
