"""Scores of comparisons: failures to acquire, dead embeddings, unknown similarities."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.embedding.types import Embeddings
from facebench.similarity import Cosine, pair_scores


def embeddings(vectors: list[list[float]], acquired: list[bool]) -> Embeddings:
    keys = tuple(f"face{number}" for number in range(len(vectors)))
    return Embeddings(keys, np.array(vectors, np.float32), np.array(acquired))


def test_faces_that_were_not_acquired_score_minus_infinity(
    caplog: pytest.LogCaptureFixture,
) -> None:
    some = embeddings([[1, 0], [0, 0], [1, 1]], [True, False, True])
    scores = pair_scores(some, np.array([0, 0, 1, 1]), np.array([2, 1, 2, 1]), Cosine())
    np.testing.assert_allclose(scores, [np.sqrt(0.5), -np.inf, -np.inf, -np.inf])
    assert caplog.text == ""


def test_dead_embeddings_are_alike_to_nobody_and_told(caplog: pytest.LogCaptureFixture) -> None:
    some = embeddings([[1, 0], [0, 0], [0, 0]], [True, True, True])
    scores = pair_scores(some, np.array([0, 1, 1]), np.array([1, 2, 1]), Cosine())
    np.testing.assert_array_equal(scores, [0, 0, 0])
    assert "2 of 3 embeddings are all zero (first: face1)" in caplog.text


def test_nobody_acquired() -> None:
    nobody = Embeddings(("a", "b"), np.zeros((2, 0), np.float32), np.zeros(2, bool))
    assert pair_scores(nobody, np.array([0]), np.array([1]), Cosine()) == [-np.inf]
