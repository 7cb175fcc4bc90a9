"""Sums of rows by segments against the loop that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.similarity.cosine import Cosine
from facebench.similarity.pooling import MeanPooler
from facebench.similarity.segments import Segments, inverse, quick_norms

EPS = float(np.finfo(np.float32).eps)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 120),
    groups=st.integers(1, 9),
    width=st.integers(1, 5),
    double=st.booleans(),
    ordered=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_are_those_of_a_loop(
    n: int, groups: int, width: int, double: bool, ordered: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    places = rng.integers(0, groups, n)
    if ordered:
        places.sort()
    rows = rng.standard_normal((n, width)).astype(np.float64 if double else np.float32)
    weights = rng.uniform(0, 3, n)
    segments = Segments.of(places)
    found, numbers = segments.rows(rows, weights), segments.numbers(weights)
    assert segments.which.tolist() == sorted(set(places.tolist()))
    for row, place in enumerate(segments.which):
        own = places == place
        parts = rows[own].astype(np.float64) * weights[own, None]
        error = (1e-14 if double else 20 * EPS) * np.abs(parts).sum(axis=0)
        assert (np.abs(found[row] - parts.sum(axis=0)) <= error).all()
        assert numbers[row] == pytest.approx(weights[own].sum(), rel=1e-13)


def test_the_error_does_not_grow_with_the_number_of_rows() -> None:
    """A hundred thousand equal rows: float32 alone would be off by one in a thousand."""
    rows = np.full((100_000, 3), 0.1, np.float32)
    found = Segments.of(np.zeros(100_000, np.int64)).rows(rows, np.ones(100_000))
    np.testing.assert_allclose(found[0], 100_000 * np.float64(np.float32(0.1)), rtol=20 * EPS)


@pytest.mark.parametrize("size", [1e-38, 1e-22, 1.0, 1e22, 3e37])
def test_norms_and_weights_of_any_size(size: float) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.uniform(0.5, 1, (40, 6)) * size).astype(np.float32)
    vectors[3] = 0
    expected = np.linalg.norm(vectors.astype(np.float64), axis=1)
    norms = quick_norms(vectors)
    np.testing.assert_allclose(norms, expected, rtol=8 * EPS)
    rows = Segments.of(np.zeros(40, np.int64)).rows(vectors, inverse(norms))
    unit = vectors.astype(np.float64) * inverse(expected)[:, None]
    np.testing.assert_allclose(rows[0], unit.sum(axis=0), rtol=20 * EPS)


def test_videos_of_vectors_of_all_sizes_are_pooled() -> None:
    rng = np.random.default_rng(1)
    frames = rng.standard_normal((4, 30, 8))
    sizes = np.array([1e-30, 1e-3, 1.0, 1e30])[:, None, None]
    vectors = (frames * sizes).astype(np.float32).reshape(120, 8)
    pooler = MeanPooler("mean-score", Cosine(), 4)
    pooler.add(np.repeat(np.arange(4), 30), vectors)
    exact = vectors.astype(np.float64).reshape(4, 30, 8)
    unit = exact / np.linalg.norm(exact, axis=2, keepdims=True)
    rows = pooler.finish(np.float64).projection.rows
    np.testing.assert_allclose(rows, unit.mean(axis=1), rtol=0, atol=20 * EPS)
