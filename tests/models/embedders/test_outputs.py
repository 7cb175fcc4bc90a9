"""Checks on what goes into a model and what comes out."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.models.embedders.base import as_embeddings, check_faces, failed, in_fixed_batches


def test_embeddings_are_float32_rows() -> None:
    out = as_embeddings("m", np.ones((2, 5, 1, 1), np.float16), 2)
    assert out.shape == (2, 5) and out.dtype == np.float32


@pytest.mark.parametrize(
    "output",
    [np.ones((3, 5)), np.ones(2), np.ones((2, 5, 2)), np.ones((2, 5), np.int64), np.float64(1)],
)
def test_other_shapes_are_refused(output: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"model m gave .* for 2 faces"):
        as_embeddings("m", np.asarray(output), 2)


def test_broken_embeddings_are_counted() -> None:
    output = np.ones((4, 3))
    output[1, 0] = output[3, 2] = np.nan
    with pytest.raises(UserError, match="model m gave NaN for 2 of 4 faces"):
        as_embeddings("m", output, 4)
    output[:] = 1
    output[0, 0] = np.inf
    with pytest.raises(UserError, match="gave infinite values for 1 of 4 faces"):
        as_embeddings("m", output, 4)
    with pytest.raises(UserError, match="infinite values for 1 of 1"):
        as_embeddings("m", np.full((1, 2), 1e300), 1)  # beyond float32


def test_one_number_per_face_is_no_embedding() -> None:
    for output in (np.ones((4, 1)), np.ones((4, 1, 1, 1))):
        with pytest.raises(UserError, match=r"one number per face.*output="):
            as_embeddings("m", output, 4)


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8])
def test_fixed_batches_are_filled_up(n: int) -> None:
    seen = []

    def run(x: np.ndarray) -> np.ndarray:
        seen.append(len(x))
        return x * 2

    x = np.arange(n)[:, None]
    np.testing.assert_array_equal(in_fixed_batches(run, x, 4), x * 2)
    assert set(seen) == {4} and len(seen) == -(-n // 4)
    np.testing.assert_array_equal(in_fixed_batches(run, x, None), x * 2)


def test_a_wrong_number_of_rows_is_not_hidden() -> None:
    assert len(in_fixed_batches(lambda x: x[:1], np.zeros((5, 2)), 2)) == 1


def test_faces_of_another_kind_are_a_programming_error() -> None:
    check_faces(np.zeros((0, 112, 96, 3), np.uint8), (112, 96))
    for faces in (
        np.zeros((1, 96, 112, 3), np.uint8),
        np.zeros((1, 112, 96, 3), np.float32),
        np.zeros((112, 96, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match="faces must be uint8 N×112×96×3"):
            check_faces(faces, (112, 96))


def test_a_failure_is_one_line() -> None:
    error = failed("m", RuntimeError("\n  first\nsecond"), 3)
    assert "m failed on 3 faces: RuntimeError: first;" in str(error) and "second" not in str(error)
