"""Faces that no one has: two aligned ones mixed, for a teacher to say where they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.faces.types import Image
from facebench.training.crops import CROP_SIZE

_ROWS, _COLUMNS = (axis.astype(np.float32) for axis in np.mgrid[: CROP_SIZE[0], : CROP_SIZE[1]])
# Rows and columns of a crop where the template has eyes and mouth, and their half extents.
_EYES, _MOUTH = (59.6, 56.0, 11.0, 36.0), (100.3, 56.0, 13.0, 26.0)


def morph(first: Image, second: Image, rng: np.random.Generator) -> Image:
    """Two crops uint8 128×112×3, of two people or one → a mixture of both, mirrored at random.

    Half of them are blends, three in ten the upper part of one over the lower part of the other,
    the rest have the other's eyes or mouth.
    """
    kind = rng.random()
    if kind < 0.5:
        share: NDArray[np.float32] | np.float32 = np.float32(rng.uniform(0.3, 0.7))
    elif kind < 0.8:
        share = _seam(rng.uniform(60, 96), rng.uniform(2, 8))
    else:
        share = _window(*(_EYES if rng.random() < 0.6 else _MOUTH))[..., None]
    if rng.random() < 0.5:
        second = second[:, ::-1]
    mixed = first + (second.astype(np.float32) - first) * share
    return np.asarray(mixed.round(), np.uint8)


def _seam(row: float, softness: float) -> NDArray[np.float32]:
    """128×1×1: 0 above a row and 1 below, over some rows."""
    return np.asarray(1 / (1 + np.exp((row - _ROWS[:, :1, None]) / softness)), np.float32)


def _window(row: float, column: float, height: float, width: float) -> NDArray[np.float32]:
    """128×112: 1 in the middle of an ellipse, falling softly to 0 around it."""
    distance = ((_ROWS - row) / height) ** 2 + ((_COLUMNS - column) / width) ** 2
    return np.asarray(np.exp(-(distance**2) / 2), np.float32)
