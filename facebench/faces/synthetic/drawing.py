"""Small drawing tools: smooth curves, antialiased fills at a finer scale, and a table of noise."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.geometry import HEIGHT, WIDTH
from facebench.faces.synthetic.seeding import RENDERER_VERSION

Array = NDArray[np.float64]
Map = NDArray[np.float32]
Image = NDArray[np.uint8]
Fixed = NDArray[np.int32]

FINE = 2
"""Features are drawn this many times finer than the canvas, then averaged down."""

_SHIFT = 4


@cache
def spline(controls: int, samples: int, closed: bool) -> Array:
    """samples x controls matrix of a Catmull-Rom curve through the controls."""
    segments = controls if closed else controls - 1
    matrix = np.zeros((samples, controls))
    for row in range(samples):
        at = row * segments / (samples if closed else samples - 1)
        i = min(int(at), segments - 1)
        t = at - i
        weights = (
            (-t + 2 * t**2 - t**3) / 2,
            (2 - 5 * t**2 + 3 * t**3) / 2,
            (t + 4 * t**2 - 3 * t**3) / 2,
            (-(t**2) + t**3) / 2,
        )
        for k, weight in zip(range(i - 1, i + 3), weights, strict=True):
            matrix[row, k % controls if closed else min(max(k, 0), controls - 1)] += weight
    matrix.setflags(write=False)
    return matrix


@cache
def noise_table() -> Map:
    """256 x 256 float32 of tileable noise, mean 0, deviation 1: coarse and fine mixed."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([RENDERER_VERSION, 77])))
    table = np.zeros((256, 256), dtype=np.float64)
    for cells, weight in ((256, 0.75), (128, 0.5), (32, 0.3)):
        coarse = rng.standard_normal((cells, cells))
        table += weight * np.kron(coarse, np.ones((256 // cells, 256 // cells)))
    table = (table - table.mean()) / table.std()
    out = np.asarray(np.rint(table * 256) / 256, dtype=np.float32)
    out.setflags(write=False)
    return out


@cache
def grain_table() -> Image:
    """400 x 400 x 3 uint8 of sensor noise, mean 128, deviation 25, more grey than coloured."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([RENDERER_VERSION, 78])))
    grain = 0.8 * rng.standard_normal((400, 400, 1)) + 0.6 * rng.standard_normal((400, 400, 3))
    out = np.asarray(np.clip(np.rint(128 + 25 * grain), 0, 255), dtype=np.uint8)
    out.setflags(write=False)
    return out


def fixed(points: Array, fine: int = FINE) -> Fixed:
    """N x 2 int32: canvas points as cv2 takes them, at the fine scale in sixteenths of a pixel."""
    scale = fine * (1 << _SHIFT)
    return np.rint(points * scale + (fine - 1) * (1 << _SHIFT) / 2).astype(np.int32)


def fill(image: Image, points: Fixed, colour: Any) -> None:
    """Fill the polygon of fixed points."""
    cv2.fillPoly(image, [points], colour, cv2.LINE_AA, _SHIFT)


def stroke(image: Image, lines: list[Fixed], colour: Any, width: int = 1) -> None:
    """Draw open lines of fixed points, width in pixels of the image."""
    cv2.polylines(image, lines, False, colour, width, cv2.LINE_AA, _SHIFT)


def disc(image: Image, centre: Fixed, radius: float, colour: Any, fine: int = FINE) -> None:
    """Fill a disc about a fixed point (2), radius in canvas pixels."""
    x, y = centre.tolist()
    size = max(int(radius * fine * (1 << _SHIFT)), 1)
    cv2.circle(image, (x, y), size, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


class Mask:
    """A single-channel drawing at the fine scale over the whole canvas or a window of it."""

    def __init__(self, around: Fixed | None = None, pad: int = 4) -> None:
        """A black mask, just large enough for the fixed points and pad canvas pixels about them."""
        self.x0, self.y0, self.x1, self.y1 = 0, 0, WIDTH, HEIGHT
        if around is not None:
            unit = FINE << _SHIFT
            x0, y0 = (around.min(axis=0) // unit).tolist()
            x1, y1 = (around.max(axis=0) // unit).tolist()
            self.x0, self.y0 = max(min(x0 - pad, WIDTH - 1), 0), max(min(y0 - pad, HEIGHT - 1), 0)
            self.x1 = min(max(x1 + pad + 1, self.x0 + 1), WIDTH)
            self.y1 = min(max(y1 + pad + 1, self.y0 + 1), HEIGHT)
        self.origin = np.array([self.x0, self.y0], dtype=np.int32) * (FINE << _SHIFT)
        shape = ((self.y1 - self.y0) * FINE, (self.x1 - self.x0) * FINE)
        self.image: Image = np.zeros(shape, dtype=np.uint8)

    def fill(self, points: Fixed, value: int) -> None:
        """Fill the polygon of fixed points."""
        fill(self.image, points - self.origin, value)

    def stroke(self, lines: list[Fixed], value: int, width: int = 1) -> None:
        """Draw open lines of fixed points, width in fine pixels."""
        stroke(self.image, [line - self.origin for line in lines], value, width)

    def cover(self, blur: int = 0) -> Map:
        """h x w float32 in [0, 1] of the window, softened by a box of blur fine pixels."""
        image = cv2.blur(self.image, (blur, blur)) if blur else self.image
        size = (self.x1 - self.x0, self.y1 - self.y0)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.float32) * np.float32(1 / 255)

    def of(self, picture: Map) -> Map:
        """The part of a 3 x 128 x 112 picture under the window, as a view."""
        return picture[:, self.y0 : self.y1, self.x0 : self.x1]

    def blend(self, picture: Map, colour: Any, blur: int = 0, strength: float = 1.0) -> None:
        """Lay a colour over a 3 x 128 x 112 picture in place, as opaque as the mask is white."""
        blend(self.of(picture), colour, self.cover(blur) * np.float32(strength))


def blend(picture: Map, colour: Any, alpha: Map) -> None:
    """Lay a colour (3) over a 3 x h x w picture in place with coverage h x w."""
    picture += alpha * (planes(colour) - picture)


def planes(colour: Any) -> Map:
    """A colour (3) as 3 x 1 x 1 float32."""
    return np.asarray(colour, dtype=np.float32).reshape(3, 1, 1)


def rgb(colour: Array) -> tuple[int, int, int]:
    """A colour as cv2 takes it."""
    r, g, b = (min(max(int(v), 0), 255) for v in colour.tolist())
    return r, g, b
