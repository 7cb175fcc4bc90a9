"""Scores of many pairs of few templates: any list gives what single pairs give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.similarity import scoring as sparse_pairs
from facebench.similarity.base import Projection, projected_pairs
from facebench.similarity.scoring import many_pairs


def projection(templates: int, width: int = 12) -> Projection:
    rng = np.random.default_rng(templates)
    rows = rng.normal(size=(templates, width)).astype(np.float32)
    return Projection(rows, rng.normal(size=templates))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 300),
    st.sampled_from([1, 4, 16, 64]),
    st.sampled_from([0.0, 0.05, 2.0]),
    st.integers(0, 99),
)
def test_blocks_give_the_scores_of_single_pairs(templates, pairs, tile, dense, seed) -> None:
    projected = projection(templates)
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, templates, pairs).astype(np.int32) for _ in "lr")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("TILE", tile), ("_DENSE", dense), ("_MANY", 0)):
            patch.setattr(sparse_pairs, name, value)
        found = many_pairs(projected, left, right)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, projected_pairs(projected, left, right), atol=2e-5)


def test_few_pairs_are_summed_in_float64_and_clipped() -> None:
    projected = projection(5)
    left, right = np.array([0, 1, 4], np.int32), np.array([3, 1, 4], np.int32)
    found = many_pairs(projected, left, right, -1.0, 1.0)
    assert found.dtype == np.float64 and found.min() >= -1 and found.max() <= 1
    assert np.array_equal(found, projected_pairs(projected, left, right, -1.0, 1.0))


def test_blocks_are_clipped_too(monkeypatch) -> None:
    monkeypatch.setattr(sparse_pairs, "_MANY", 0)
    index = np.arange(30, dtype=np.int32)
    found = many_pairs(projection(30), index, index, -1.0, 1.0)
    assert found.max() == 1.0
