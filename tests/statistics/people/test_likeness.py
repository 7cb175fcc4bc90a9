"""Pairs that are alike, by brute force, and how many of strangers chance puts there."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from facebench.statistics.people import likeness
from facebench.statistics.people.likeness import Strangers, alike_pairs


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.floats(-0.5, 0.99), st.integers(1, 12))
def test_pairs_equal_loops(seed: int, count: int, limit: float, most: int) -> None:
    rows = np.random.default_rng(seed).integers(-3, 4, (count, 3)).astype(np.float32)
    rows += np.float32(0.01)
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    every = {(a, b): float(vectors[a] @ vectors[b]) for a, b in combinations(range(count), 2)}
    sure = sum(score >= limit + 1e-5 for score in every.values())
    maybe = sum(score >= limit - 1e-5 for score in every.values())
    usual = likeness._BLOCK
    try:
        likeness._BLOCK = 7  # so that blocks meet
        pairs, scores, total = alike_pairs(vectors, limit, most)
    finally:
        likeness._BLOCK = usual
    assert sure <= total <= maybe and len(pairs) == min(most, total)
    assert all(a < b for a, b in pairs.tolist()) and (np.diff(scores) <= 0).all()
    assert len(set(map(tuple, pairs.tolist()))) == len(pairs)
    for pair, score in zip(pairs.tolist(), scores, strict=True):
        assert score == pytest.approx(every[tuple(pair)], abs=1e-5)
    kept = sorted(every.values(), reverse=True)[: len(pairs)]
    assert scores.tolist() == pytest.approx(kept, abs=1e-5)


def test_strangers_are_expected_by_the_normal_tail() -> None:
    found = Strangers.of(np.array([0.0, 0.1, 0.2, 0.3]), 1_000_000)
    spread = float(np.std([0.0, 0.1, 0.2, 0.3], ddof=1))
    assert found.expected(0.6) == pytest.approx(1e6 * norm.sf(0.6, 0.15, spread))
    limit = found.reached_by(1.0)
    assert found.expected(limit) == pytest.approx(1.0)
    assert Strangers(10, 0.9, 0.5).reached_by(0.001) == 1.0  # no cosine is above
    assert Strangers.of(np.array([0.4]), 5).expected(0.5) == 0
