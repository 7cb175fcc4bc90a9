"""Blocks of scores: equal pairs have equal scores, whatever else is in the block."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.similarity.base import Projection, score_block
from facebench.similarity.cosine import Cosine

DIMENSIONS = [1, 2, 3, 16, 128, 160, 256, 512]
SIZES = [1, 2, 3, 5, 7, 17, 31, 33, 63, 65, 250, 511, 513]


def faces(n: int, dimension: int, seed: int = 0, scale: float = 1.0, bias: bool = False):
    """Projections of random faces, unit rows where there is no bias."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, dimension)).astype(np.float32)
    if not bias:
        return Cosine().project(vectors)
    spread = scale * 10.0 ** rng.uniform(-3, 3, size=(n, 1))
    return Projection((vectors * spread).astype(np.float32), rng.normal(size=n) * scale)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("bias", [False, True])
def test_a_score_is_the_same_in_every_block(dimension: int, bias: bool) -> None:
    left, right = (faces(513, dimension, seed, bias=bias) for seed in (1, 2))
    whole = score_block(left, right)
    assert whole.dtype == np.float32
    for n in SIZES:
        for m in (1, 2, 17, 64, 511):
            block = score_block(left[slice(513 - n, 513)], right[slice(513 - m, 513)])
            assert np.array_equal(block, whole[513 - n :, 513 - m :])
    assert np.array_equal(score_block(right, left), whole.T)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40), st.integers(1, 70))
def test_scores_are_those_of_float64(seed: int, n: int, m: int, dimension: int) -> None:
    for bias in (False, True):
        left, right = faces(n, dimension, seed, bias=bias), faces(m, dimension, seed + 1, bias=bias)
        exact = left.rows.astype(np.float64) @ right.rows.astype(np.float64).T
        exact += left.bias[:, None] + right.bias
        norms = [np.linalg.norm(side.rows.astype(np.float64), axis=1) for side in (left, right)]
        # The grid's part, and the rounding to float32.
        allowed = np.outer(*norms) * 1e-7 + np.abs(exact) * 2.0**-24
        assert (np.abs(score_block(left, right) - exact) <= allowed).all()


def test_zeros_stay_zero_and_nan_stays_nan() -> None:
    rows = np.array([[0, 0], [np.nan, 1], [3e-38, 0], [0.6, 0.8]], dtype=np.float32)
    one = Projection(rows, np.zeros(4))
    scores = score_block(one, one)
    assert np.isnan(scores[1]).all() and np.isnan(scores[:, 1]).all()
    assert (scores[0, [0, 2, 3]] == 0).all()
    assert scores[2, 3] == pytest.approx(1.8e-38) and scores[3, 3] == pytest.approx(1, abs=1e-7)


def test_float64_rows_keep_float64() -> None:
    one = faces(20, 8)
    one = Projection(one.rows.astype(np.float64), one.bias)
    scores = score_block(one, one)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, one.rows @ one.rows.T, rtol=0, atol=1e-15)
