"""Augmented views of whole crops: what a network and its teacher are both shown."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.types import Image
from facebench.lab.data.augment import warp_crop
from facebench.lab.data.crops import CROP_SIZE

# Of views and morphs: another number wherever the same seed gives other pixels.
VIEWS_VERSION = 1


def view(crop: Image, rng: np.random.Generator) -> Image:
    """A crop uint8 128×112×3 → one of the same size: moved, mirrored, relit, degraded or covered.

    The margins stay, so that the teacher's larger face is cut from the very same pixels.
    """
    face = warp_crop(crop, _movement(rng), CROP_SIZE, cv2.BORDER_REFLECT_101)
    if rng.random() < 0.5:
        face = face[:, ::-1]
    face = cv2.LUT(np.ascontiguousarray(face), _tones(rng))
    if rng.random() < 0.15:
        face = cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    face = _degraded(face, rng)
    if rng.random() < 0.15:
        _cover(face, rng)
    return np.ascontiguousarray(face)


def _movement(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random similarity 2×3 about the middle of the crop, of a landmark detector's errors."""
    angle, zoom = rng.normal(0, 4.0), np.exp(rng.normal(0, 0.04))
    matrix = cv2.getRotationMatrix2D((CROP_SIZE[1] / 2, CROP_SIZE[0] / 2), angle, zoom)
    matrix[:, 2] += np.clip(rng.normal(0, 2.0, 2), -6, 6)
    return np.asarray(matrix, np.float64)


def _tones(rng: np.random.Generator) -> Image:
    """A table uint8 1×256×3 of gamma, contrast, brightness, and a gain for each colour."""
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.25))
    contrast = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.04, 3))
    table = (levels - 0.5) * contrast + 0.5 + rng.normal(0, 0.06)
    return np.asarray((table.clip(0, 1) * 255).round(), np.uint8)[None]


def _degraded(face: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Nearly half of the faces: out of focus, of lower resolution, or compressed."""
    kind = rng.random()
    if kind < 0.15:
        return cv2.GaussianBlur(face, (0, 0), rng.uniform(0.5, 1.5))
    if kind < 0.3:
        factor = rng.uniform(0.3, 0.8)
        small = cv2.resize(face, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, face.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if kind < 0.45:
        quality = int(rng.integers(20, 70))
        _, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return face


def _cover(face: NDArray[Any], rng: np.random.Generator) -> None:
    """A rectangle of one colour over some of the face, in place."""
    height, width = rng.integers(12, 45, 2)
    top, left = rng.integers(0, face.shape[0] - height), rng.integers(0, face.shape[1] - width)
    face[top : top + height, left : left + width] = rng.integers(0, 256, 3)


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
