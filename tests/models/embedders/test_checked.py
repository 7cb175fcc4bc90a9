"""The shell around every network's pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.models.embedders.base import CheckedEmbedder, Preprocessing


class Shell(CheckedEmbedder):
    id, preprocessing = "shell", Preprocessing(size=(4, 3))

    def __init__(self, run: Callable[[np.ndarray], np.ndarray], batch: int | None = None) -> None:
        self._given, self.batch = run, batch

    def _run(self, faces: np.ndarray) -> np.ndarray:
        return self._given(faces)


FACES = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)


def test_batches_are_filled_and_the_dimension_is_noted() -> None:
    sizes: list[int] = []

    def run(faces: np.ndarray) -> np.ndarray:
        sizes.append(len(faces))
        return faces.reshape(len(faces), -1).astype(float)

    shell = Shell(run, batch=2)
    assert shell.forward(FACES[:0]).shape == (0, 0)
    out = shell.forward(FACES)
    np.testing.assert_array_equal(out, FACES.reshape(5, -1))
    assert sizes == [2, 2, 2] and shell.dimension == 36 and out.dtype == np.float32
    assert shell.forward(FACES[:0]).shape == (0, 36)


def test_failures_are_one_line_and_refusals_pass() -> None:
    def breaks(faces: np.ndarray) -> np.ndarray:
        raise RuntimeError("first\nsecond")

    def refuses(faces: np.ndarray) -> np.ndarray:
        raise UserError("as it is")

    with pytest.raises(UserError, match="model shell failed on 5 faces: RuntimeError: first;"):
        Shell(breaks).forward(FACES)
    with pytest.raises(UserError, match=r"^as it is$"):
        Shell(refuses).forward(FACES)
    with pytest.raises(UserError, match=r"model shell gave float64 5 for 5 faces"):
        Shell(lambda faces: np.zeros(5)).forward(FACES)
    with pytest.raises(ValueError, match="faces must be uint8"):
        Shell(breaks).forward(FACES[:, :3])
