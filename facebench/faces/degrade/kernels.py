"""What makes crops harder: fewer rows of pixels, JPEG, blur, darkness; uint8 in and out.

The same crop gives the same bytes on every processor: a kernel is a matrix of whole numbers for
each axis, so that float64 holds every sum exactly, in whatever order it is taken. JPEG is that of
OpenCV's libjpeg, in whole numbers, too.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facebench.faces.types import Array, Image

_CUBIC = -0.75  # Keys 1981, with the a of OpenCV's INTER_CUBIC
_ONE = 1 << 16  # what the weights of a new pixel add up to, where they are no exact shares


def reduced(crop: Image, rows: int) -> Image:
    """As a camera of fewer pixels would have seen it: down to N rows by area, up again by cubics.

    Columns in proportion, rounded, at least one. Both kernels are those of OpenCV's INTER_AREA and
    INTER_CUBIC; the small image has whole numbers, too. ValueError: more rows than the crop has.
    """
    height, width = crop.shape[:2]
    if not 1 <= rows <= height:
        raise ValueError(f"reduced: {rows} rows of a crop of {height}")
    columns = max(1, (2 * width * rows + height) // (2 * height))
    return enlarged(shrunk(crop, (rows, columns)), (height, width))


def shrunk(image: Image, size: tuple[int, int]) -> Image:
    """To fewer rows and columns: each pixel is the mean over the area that it covers."""
    height, width = image.shape[:2]
    return _weighted(image, _areas(height, size[0]), _areas(width, size[1]), height * width)


@lru_cache(maxsize=64)
def _areas(given: int, wanted: int) -> Array:
    """How much of each old pixel every new one covers, in units of 1/wanted: wanted×given."""
    edges = np.arange(given + 1) * wanted
    low, high = np.arange(wanted)[:, None] * given, np.arange(1, wanted + 1)[:, None] * given
    covered = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    shares: Array = np.maximum(covered, 0).astype(np.float64)
    return shares


def enlarged(image: Image, size: tuple[int, int]) -> Image:
    """To more rows and columns by cubic convolution (Keys 1981, a = −0.75), edges repeated."""
    height, width = image.shape[:2]
    return _weighted(image, _cubics(height, size[0]), _cubics(width, size[1]), _ONE * _ONE)


@lru_cache(maxsize=64)
def _cubics(given: int, wanted: int) -> Array:
    """Weights of the four old pixels around the centre of every new one, in 65,536ths."""
    places, rest = np.divmod((2 * np.arange(wanted) + 1) * given - wanted, 2 * wanted)
    x, a = rest / (2 * wanted), _CUBIC
    before, after = 1 + x, 1 - x
    weights = np.rint(
        _ONE
        * np.stack(
            [
                ((a * before - 5 * a) * before + 8 * a) * before - 4 * a,
                np.zeros_like(x),
                ((a + 2) * after - (a + 3)) * after * after + 1,
                ((a * (1 + after) - 5 * a) * (1 + after) + 8 * a) * (1 + after) - 4 * a,
            ]
        )
    )
    weights[1] = _ONE - weights.sum(axis=0)
    found = np.zeros((wanted, given))
    for tap, weight in zip(range(-1, 3), weights, strict=True):
        np.add.at(found, (np.arange(wanted), np.clip(places + tap, 0, given - 1)), weight)
    return found


def as_jpeg(crop: Image, quality: int) -> Image:
    """Written as JPEG and read again, by OpenCV's libjpeg: baseline, colours at half the rows and
    columns (4:2:0), its own tables for the quality.
    """
    import cv2  # late: names of degradations need no picture

    parameters = {
        cv2.IMWRITE_JPEG_QUALITY: quality,
        cv2.IMWRITE_JPEG_PROGRESSIVE: 0,
        cv2.IMWRITE_JPEG_OPTIMIZE: 0,
        cv2.IMWRITE_JPEG_RST_INTERVAL: 0,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    }
    flat = [number for pair in parameters.items() for number in pair]
    _, written = cv2.imencode(".jpg", np.ascontiguousarray(crop[:, :, ::-1]), flat)
    read = cv2.imdecode(written, cv2.IMREAD_COLOR)
    assert read is not None  # it was written a line ago
    return np.ascontiguousarray(read[:, :, ::-1]).astype(np.uint8, copy=False)


def blurred(crop: Image, sigma: float) -> Image:
    """By a Gaussian of sigma pixels of the crop, cut at 4 sigma, edges mirrored (not repeated)."""
    height, width = crop.shape[:2]
    return _weighted(crop, _blurs(height, sigma), _blurs(width, sigma), _ONE * _ONE)


@lru_cache(maxsize=64)
def gaussian(sigma: float) -> tuple[int, ...]:
    """Weights at 0…r, r = 4 sigma rounded up, and alike at 0…−r, as whole numbers that add up to
    65,536 on both sides together.
    """
    radius = math.ceil(4 * sigma)
    plain = [math.exp(-0.5 * (place / sigma) ** 2) for place in range(radius + 1)]
    total = 2 * sum(plain) - plain[0]
    weights = [round(_ONE * one / total) for one in plain]
    weights[0] = _ONE - 2 * sum(weights[1:])
    return tuple(weights)


@lru_cache(maxsize=64)
def _blurs(length: int, sigma: float) -> Array:
    weights = gaussian(sigma)
    found, period = np.zeros((length, length)), max(1, 2 * length - 2)
    for place in range(1 - len(weights), len(weights)):
        beyond = (np.arange(length) + place) % period
        within = np.minimum(beyond, period - beyond) if length > 1 else beyond
        np.add.at(found, (np.arange(length), within), weights[abs(place)])
    return found


def darkened(crop: Image, share: float) -> Image:
    """Every value times a share, to even: less light on a camera whose values are not stretched."""
    table: NDArray[np.uint8] = _rounded(np.arange(256) * share)
    return table[crop]


def _weighted(image: Image, down: Array, across: Array, total: int) -> Image:
    """Weighted sums over rows and columns, over what all weights add up to; halves to even."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float64)
    return _rounded((down @ planes @ across.T / total).transpose(1, 2, 0))


def _rounded(values: NDArray[np.floating]) -> Image:
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
