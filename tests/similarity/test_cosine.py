"""Cosines of pairs against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from facebench.similarity import cosine
from facebench.similarity.cosine import cosine_pairs

VALUES = st.floats(-(2.0**100), 2.0**100, width=32)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 9))


def by_definition(a: np.ndarray, b: np.ndarray) -> float:
    norm_a = math.sqrt(math.fsum(float(x) ** 2 for x in a))
    norm_b = math.sqrt(math.fsum(float(x) ** 2 for x in b))
    if norm_a == 0 or norm_b == 0:
        return 0.0
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / norm_a / norm_b


@settings(max_examples=200, deadline=None)
@given(SHAPES.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=VALUES)), st.data())
def test_cosines_equal_their_definition(vectors: np.ndarray, data: st.DataObject) -> None:
    rows = st.lists(st.integers(0, len(vectors) - 1), max_size=8)
    left = np.array(data.draw(rows), dtype=np.int64)
    right = np.resize(np.array(data.draw(rows) or [0], dtype=np.int64), left.shape)
    expected = [by_definition(vectors[a], vectors[b]) for a, b in zip(left, right, strict=True)]
    scores = cosine_pairs(vectors, left, right)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, atol=1e-14)
    np.testing.assert_array_equal(scores, cosine_pairs(vectors, right, left))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 33)).astype(np.float32)
    left, right = rng.integers(0, 50, (2, 1001))
    whole = cosine_pairs(vectors, left, right)
    monkeypatch.setattr(cosine, "_BLOCK_VALUES", 33 * 7)
    np.testing.assert_array_equal(cosine_pairs(vectors, left, right), whole)


def test_a_face_is_wholly_like_itself_and_never_more() -> None:
    vectors = np.random.default_rng(1).standard_normal((500, 128)).astype(np.float32)
    rows = np.arange(500)
    scores = cosine_pairs(vectors, rows, rows)
    assert (scores <= 1).all() and (scores > 1 - 1e-15).all()
    opposite = cosine_pairs(np.concatenate([vectors, -vectors]), rows, rows + 500)
    assert (opposite >= -1).all() and (opposite < -1 + 1e-15).all()


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ([0, 3], [0, 1], "rows 0 to 3 of 3"),
        ([0, 1], [-1, 1], "right names rows -1"),
        ([0, 1], [0], "one length"),
        ([[0]], [[0]], "one length"),
        ([0.0], [0], "row numbers"),
    ],
)
def test_wrong_rows_are_refused(left: list, right: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cosine_pairs(np.ones((3, 2), np.float32), np.array(left), np.array(right))


def test_wrong_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        cosine_pairs(np.ones(3, np.float32), np.array([0]), np.array([0]))
