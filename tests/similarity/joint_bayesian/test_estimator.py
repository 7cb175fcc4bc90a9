"""Joint Bayesian as an estimator: its scores against the normal densities that define them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.base import clone

from facebench.base.errors import UserError
from facebench.similarity.base import Projection, score_block
from facebench.similarity.joint_bayesian.estimator import JointBayesian
from facebench.similarity.joint_bayesian.model import JointBayesianModel, Preparation
from facebench.similarity.learned import JointBayesianSimilarity
from facebench.similarity.metric_file import MetricFacts, as_stored


def people(seed: int = 0, identities: int = 20, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings with an offset, 1 to 9 of each identity, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(identities), rng.integers(1, 10, identities)))
    mix = np.linalg.qr(rng.standard_normal((k, k)))[0] * rng.uniform(0.5, 2, k)
    x = 2 * rng.standard_normal((identities, k))[labels] + rng.standard_normal((len(labels), k))
    return 3 + x @ mix, labels


def log_ratio(x1: np.ndarray, x2: np.ndarray, s_mu: np.ndarray, s_eps: np.ndarray) -> float:
    """log N([x1, x2] | same) - log N([x1, x2] | different), Chen et al. 2012, Section 3.1."""
    total = s_mu + s_eps
    same = np.block([[total, s_mu], [s_mu, total]])
    other = np.block([[total, 0 * s_mu], [0 * s_mu, total]])
    both = np.concatenate([x1, x2])
    densities = [multivariate_normal(cov=covariance).logpdf(both) for covariance in (same, other)]
    return float(densities[0] - densities[1])


def fitted(**parameters: object) -> tuple[JointBayesian, np.ndarray]:
    x, labels = people()
    return JointBayesian(**parameters).fit(x, labels), x  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 6), shrinkage=st.sampled_from([0.0, 1.0, 20.0]))
def test_scores_are_log_ratios_of_normals_with_their_constant(
    seed: int, k: int, shrinkage: float
) -> None:
    x, labels = people(seed, 30, k)
    estimator = JointBayesian(shrinkage=shrinkage, iterations=5).fit(x, labels)
    left, right = x[:8], x[8:16]
    mean = x.mean(axis=0)
    expected = [
        log_ratio(a - mean, b - mean, estimator.S_mu_, estimator.S_eps_)
        for a, b in zip(left, right, strict=True)
    ]
    np.testing.assert_allclose(estimator.score_pairs(left, right), expected, rtol=1e-7, atol=1e-7)
    mirrored = estimator.score_pairs(right, left)
    np.testing.assert_allclose(mirrored, estimator.score_pairs(left, right), atol=1e-12)


def test_a_and_g_are_the_paper_s() -> None:
    """Equations 4 to 6: A = (S_mu + S_eps)^-1 - (F + G), [[F+G, G], [G, F+G]] the inverse of
    the covariance of two images of one identity."""
    estimator, x = fitted(shrinkage=0.0)
    s_mu, s_eps = estimator.S_mu_, estimator.S_eps_
    total = s_mu + s_eps
    inverse = np.linalg.inv(np.block([[total, s_mu], [s_mu, total]]))
    a, g = np.linalg.inv(total) - inverse[:5, :5], inverse[:5, 5:]
    np.testing.assert_allclose(estimator.A_, a, rtol=1e-8, atol=1e-8 * np.abs(a).max())
    np.testing.assert_allclose(estimator.G_, g, rtol=1e-8, atol=1e-8 * np.abs(g).max())
    y = x - x.mean(axis=0)
    own = np.einsum("ij,jk,ik->i", y, a, y)
    expected = own[:, None] / 2 + own[None, :] / 2 - y @ g @ y.T + estimator.constant_
    np.testing.assert_allclose(estimator.score_matrix(x, x), expected, atol=1e-8)


def test_one_dimension_by_hand() -> None:
    """S_mu = S_eps = 1: same [[2, 1], [1, 2]], determinant 3; different determinant 4.

    r(x, y) = -(2x² - 2xy + 2y²)/6 + (x² + y²)/4 + log(4/3)/2; r(1, 1) = 1/6 + log(4/3)/2.
    """
    model = JointBayesianModel(Preparation("none", np.zeros(1), None), np.ones((1, 1)), np.ones(1))
    projected = model.project(np.array([[1.0], [2.0], [-1.0]]))
    scores = score_block(projected, projected)
    constant = math.log(4 / 3) / 2
    assert scores[0, 0] == pytest.approx(1 / 6 + constant, abs=1e-14)
    assert scores[0, 1] == pytest.approx(-(2 - 4 + 8) / 6 + 5 / 4 + constant, abs=1e-14)
    assert scores[0, 2] == pytest.approx(-1 + 1 / 2 + constant, abs=1e-14)
    assert model.A.item() == pytest.approx(-1 / 6) and model.G.item() == pytest.approx(-1 / 3)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    frames=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_pairs_blocks_and_means_over_frames_are_one(
    seed: int, frames: tuple[int, int], dtype: type[np.floating]
) -> None:
    estimator, _ = fitted(n_components=3)
    rng = np.random.default_rng(seed)
    a, b = (3 + rng.standard_normal((n, 5)) for n in frames)
    matrix = estimator.score_matrix(a, b)
    i, j = np.divmod(np.arange(matrix.size), frames[1])
    np.testing.assert_allclose(estimator.score_pairs(a[i], b[j]), matrix.ravel(), atol=1e-12)
    similarity = JointBayesianSimilarity(estimator.model_, MetricFacts(), "")
    left, right = similarity.project(a, dtype), similarity.project(b, dtype)
    tolerance = 1e-12 if dtype is np.float64 else 1e-5 * (1 + np.abs(matrix).max())
    np.testing.assert_allclose(score_block(left, right), matrix, atol=tolerance)
    means = [
        Projection(p.rows.mean(axis=0, keepdims=True), p.bias.mean(keepdims=True))
        for p in (left, right)
    ]
    assert score_block(*means).item() == pytest.approx(matrix.mean(), abs=tolerance)
    both = np.concatenate([a, b]).astype(np.float32)
    pairs = similarity.pairs(both, i, frames[0] + j)
    np.testing.assert_allclose(pairs, matrix.ravel(), atol=1e-5 * (1 + np.abs(matrix).max()))


def test_trap_identities_are_not_centred_one_by_one() -> None:
    """np.cov centres what it is given: per identity, that takes away the very mean it has."""
    x, labels = people(identities=200)
    estimator = JointBayesian(shrinkage=0.0).fit(x, labels)
    means = np.stack([x[labels == i].mean(axis=0) for i in range(200)]) - x.mean(axis=0)
    share = np.trace(estimator.S_mu_) / np.trace(means.T @ means / len(means))
    assert 0.7 < share < 1.0
    moved = JointBayesian(shrinkage=0.0).fit(x + 1000, labels)
    np.testing.assert_allclose(moved.S_mu_, estimator.S_mu_, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("normalise", ["none", "unit", "centred"])
def test_trap_arguments_are_not_changed(normalise: str) -> None:
    x, labels = people()
    kept, kept_labels = x.copy(), labels.copy()
    estimator = JointBayesian(3, normalise=normalise).fit(x, labels)  # type: ignore[arg-type]
    estimator.score_pairs(x, x)
    estimator.score_matrix(x, x)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(labels, kept_labels)
    assert x.shape == kept.shape


@pytest.mark.parametrize("n_components", [None, 3])
@pytest.mark.parametrize("shrinkage", [0.0, 20.0])
def test_trap_the_likelihood_is_recorded_and_never_decreases(
    n_components: int | None, shrinkage: float
) -> None:
    seen: list[tuple[int, float]] = []
    x, labels = people()
    estimator = JointBayesian(n_components, shrinkage=shrinkage, tolerance=0.0, iterations=30)
    estimator.fit(x, labels, lambda number, likelihood: seen.append((number, likelihood)))
    assert len(estimator.objective_) == estimator.n_iter_ + 1 == len(seen) + 1
    assert (np.diff(estimator.objective_) >= -1e-9).all()
    assert seen[-1] == (estimator.n_iter_, estimator.log_likelihood_[-1] / len(x))
    if not shrinkage:
        np.testing.assert_array_equal(estimator.objective_, estimator.log_likelihood_)


def test_few_identities_of_many_dimensions_tell_others_apart() -> None:
    """90 people of 30 images, 256 dimensions, PCA 100; 100 others, better than by cosine."""
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(256))
    mu = rng.standard_normal((190, 256)) * scale
    noise = rng.standard_normal((256, 256)) @ np.diag(scale) / 12
    x = np.repeat(mu, 30, axis=0) + 1.3 * rng.standard_normal((190 * 30, 256)) @ noise
    labels = np.repeat(np.arange(190), 30)
    known = labels < 90
    estimator = JointBayesian(100).fit(x[known], labels[known])
    other = x[~known].reshape(100, 30, 256)
    mated = estimator.score_pairs(other[:, 0], other[:, 1])
    rest = estimator.score_matrix(other[:, 0], other[:, 1])[~np.eye(100, dtype=bool)]
    assert np.isfinite(rest).all()
    unit = other / np.linalg.norm(other, axis=2, keepdims=True)
    cosines = unit[:, 0] @ unit[:, 1].T
    by_cosine = np.diagonal(cosines)[:, None] > cosines[~np.eye(100, dtype=bool)][None, :]
    assert (mated[:, None] > rest[None, :]).mean() > max(by_cosine.mean(), 0.9)
    assert 0.1 * mated.mean() > max(rest.mean(), 0)


def test_strong_shrinkage_is_centred_cosine() -> None:
    x, labels = people(identities=50)
    estimator = JointBayesian(normalise="centred", shrinkage=1e9).fit(x, labels)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    unit -= unit.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    scores, cosines = estimator.score_matrix(x, x), unit @ unit.T
    slope, offset = np.polyfit(cosines.ravel(), scores.ravel(), 1)
    assert slope > 0
    np.testing.assert_allclose(scores, slope * cosines + offset, atol=1e-5 * slope)


def test_a_zero_embedding_has_finite_scores() -> None:
    for normalise in ("none", "unit", "centred"):
        estimator, x = fitted(normalise=normalise)
        assert np.isfinite(estimator.score_matrix(np.zeros((1, 5)), x)).all()


def test_pca_keeps_the_largest_variances_and_leaves_out_none_at_all() -> None:
    x, labels = people(k=4)
    wide = np.hstack([x, np.zeros((len(x), 3)), x[:, :1]])
    estimator = JointBayesian(6).fit(wide, labels)
    components = estimator.model_.preparation.components
    assert components is not None and components.shape == (4, 8)
    np.testing.assert_allclose(components @ components.T, np.eye(4), atol=1e-12)
    one = JointBayesian(1).fit(x, labels).model_.preparation.components
    assert one is not None
    axis = np.linalg.svd(x - x.mean(axis=0))[2][0]
    assert abs(axis @ one[0]) == pytest.approx(1)


def test_it_is_an_estimator() -> None:
    estimator = JointBayesian(7, normalise="unit", shrinkage=3.0)
    assert estimator.get_params() == {
        "n_components": 7,
        "normalise": "unit",
        "iterations": 100,
        "tolerance": 1e-6,
        "shrinkage": 3.0,
    }
    x, labels = people(k=8)
    copied = clone(estimator.fit(x, labels))
    assert copied.get_params() == estimator.get_params() and not hasattr(copied, "model_")
    named = JointBayesian(7, normalise="unit", shrinkage=3.0).fit(x, np.char.mod("p%03d", labels))
    np.testing.assert_array_equal(named.score_matrix(x, x), estimator.score_matrix(x, x))


@pytest.mark.parametrize("n_components", [None, 3])
def test_saved_and_loaded_is_the_same(tmp_path: Path, n_components: int | None) -> None:
    estimator, x = fitted(n_components=n_components, normalise="unit")
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    estimator.save(first, fitted_on="toys")
    estimator.save(second, fitted_on="toys")
    assert first.read_bytes() == second.read_bytes()
    found = JointBayesian.load(first)
    stored = as_stored(estimator.model_)
    expected = score_block(stored.project(x), stored.project(x))
    np.testing.assert_array_equal(found.score_matrix(x, x), expected)
    scores = estimator.score_matrix(x, x)
    np.testing.assert_allclose(found.score_matrix(x, x), scores, atol=1e-5 * np.abs(scores).max())
    found.save(second, fitted_on="toys")
    assert first.read_bytes() == second.read_bytes()
    assert (found.identities_, found.images_) == (20, len(x))
    np.testing.assert_allclose(found.S_mu_, estimator.S_mu_, atol=1e-6)
    np.testing.assert_allclose(found.S_eps_, estimator.S_eps_, atol=1e-6)


def test_a_wrong_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="cannot be read"):
        JointBayesian.load(path)
    path.write_bytes(b"no metric")
    with pytest.raises(UserError, match="not a metric file") as caught:
        JointBayesian.load(path)
    assert "\n" not in str(caught.value)


X, Y = people()


@pytest.mark.parametrize(
    ("x", "y", "parameters", "message"),
    [
        (X[:, 0], Y, {}, "N×D"),
        (X, Y[1:], {}, "N×D"),
        (np.where(X > 3, np.nan, X), Y, {}, "NaN"),
        (X, np.zeros(len(X)), {}, "1 identities"),
        (X, np.arange(len(X)), {}, "no identity has two images"),
        (np.ones_like(X), Y, {}, "no identity has two images that differ"),
        (X, Y, {"n_components": 9}, "from 1 to 5"),
        (X, Y, {"normalise": "units"}, "did you mean 'unit'"),
        (X, Y, {"iterations": 0}, "at least 1"),
        (np.hstack([X, X]), Y, {"shrinkage": 0.0}, "rank 5 of 10"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    x: np.ndarray, y: np.ndarray, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        JointBayesian(**parameters).fit(x, y)  # type: ignore[arg-type]


def test_embeddings_of_another_length_are_refused() -> None:
    estimator, _ = fitted()
    with pytest.raises(ValueError, match="fitted on embeddings of 5"):
        estimator.score_pairs(np.ones((2, 6)), np.ones((2, 6)))
    with pytest.raises(ValueError, match="3 rows and X2 2"):
        estimator.score_pairs(np.ones((3, 5)), np.ones((2, 5)))
