"""Small drawing tools: smooth curves, antialiased fills at a finer scale, and a table of noise."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.geometry import HEIGHT, WIDTH
from facebench.faces.synthetic.seeding import RENDERER_VERSION
from facebench.faces.types import Array, Image, Map

Fixed = NDArray[np.int32]
Lines = Fixed | list[Fixed]
"""Open lines of fixed points: a list of N x 2, or lines of one length as L x N x 2."""

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
def tiled_noise() -> Map:
    """2 x 2 noise tables: to be read with wrapping borders, which are slow, but seldom reached."""
    out = np.tile(noise_table(), (2, 2))
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


def stroke(image: Image, lines: Lines, colour: Any, width: int = 1) -> None:
    """Draw open lines of fixed points, width in pixels of the image."""
    cv2.polylines(
        image,
        lines,  # type: ignore[arg-type]  # an array of lines is a sequence of them
        False,
        colour,
        width,
        cv2.LINE_AA,
        _SHIFT,
    )


def disc(image: Image, x: int, y: int, radius: float, colour: Any) -> None:
    """Fill a disc about a fixed point, radius in canvas pixels."""
    size = max(int(radius * FINE * (1 << _SHIFT)), 1)
    cv2.circle(image, (x, y), size, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


class Stencil:
    """A single-channel drawing at the fine scale over the whole canvas or a window of it."""

    def __init__(self, around: Fixed | None = None, pad: int = 4, rows: bool = False) -> None:
        """A black mask, just large enough for the fixed points and pad canvas pixels about them.

        With rows, it has whole rows of the canvas.
        """
        self.x0, self.y0, self.x1, self.y1 = 0, 0, WIDTH, HEIGHT
        if around is not None:
            unit = FINE << _SHIFT
            left, top, wide, high = cv2.boundingRect(around)
            x0, y0 = left // unit, top // unit
            x1, y1 = (left + wide - 1) // unit, (top + high - 1) // unit
            self.y0 = max(min(y0 - pad, HEIGHT - 1), 0)
            self.y1 = min(max(y1 + pad + 1, self.y0 + 1), HEIGHT)
            if not rows:
                self.x0 = max(min(x0 - pad, WIDTH - 1), 0)
                self.x1 = min(max(x1 + pad + 1, self.x0 + 1), WIDTH)
        self.origin: Fixed | None = None  # of the window, unless that is the canvas's
        if self.x0 or self.y0:
            unit = FINE << _SHIFT
            self.origin = np.array([self.x0 * unit, self.y0 * unit], dtype=np.int32)
        shape = ((self.y1 - self.y0) * FINE, (self.x1 - self.x0) * FINE)
        self.image: Image = np.zeros(shape, dtype=np.uint8)

    def empty(self) -> Stencil:
        """Another black mask over the same window."""
        other = Stencil.__new__(Stencil)
        other.x0, other.y0, other.x1, other.y1 = self.x0, self.y0, self.x1, self.y1
        other.origin = self.origin
        other.image = np.zeros(self.image.shape, dtype=np.uint8)
        return other

    def local(self, points: Fixed) -> Fixed:
        """Fixed points of the canvas as those of the window."""
        return points if self.origin is None else points - self.origin

    def fill(self, points: Fixed, value: int) -> None:
        """Fill the polygon of fixed points."""
        fill(self.image, self.local(points), value)

    def stroke(self, lines: Lines, value: int, width: int = 1) -> None:
        """Draw open lines of fixed points, width in fine pixels."""
        if isinstance(lines, np.ndarray):
            stroke(self.image, self.local(lines), value, width)
        else:
            stroke(self.image, [self.local(line) for line in lines], value, width)

    def cover(self, blur: int = 0) -> Map:
        """h x w float32 in [0, 1] of the window, softened by a box of blur fine pixels."""
        image = cv2.blur(self.image, (blur, blur)) if blur else self.image
        size = (self.x1 - self.x0, self.y1 - self.y0)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        out: Map = small.astype(np.float32)
        out *= np.float32(1 / 255)
        return out

    def window(self, fine: int = 1) -> tuple[slice, slice]:
        """Rows and columns of the window on the canvas, drawn so many times finer."""
        return slice(self.y0 * fine, self.y1 * fine), slice(self.x0 * fine, self.x1 * fine)

    def inside(self, other: Stencil) -> bool:
        """Whether the window lies in that of another."""
        across = other.x0 <= self.x0 and self.x1 <= other.x1
        return across and other.y0 <= self.y0 and self.y1 <= other.y1

    def within(self, other: Stencil) -> Stencil:
        """The part of the mask that lies in the window of another, sharing its image."""
        part = Stencil.__new__(Stencil)
        part.x0, part.y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        part.x1, part.y1 = (
            max(min(self.x1, other.x1), part.x0),
            max(min(self.y1, other.y1), part.y0),
        )
        part.origin = np.array([part.x0, part.y0], dtype=np.int32) * (FINE << _SHIFT)
        part.image = self.image[
            (part.y0 - self.y0) * FINE : (part.y1 - self.y0) * FINE,
            (part.x0 - self.x0) * FINE : (part.x1 - self.x0) * FINE,
        ]
        return part

    def of(self, picture: Map, around: Stencil | None = None) -> Map:
        """The part under the window, as a view, of a 3 x 128 x 112 picture or one around it."""
        rows, columns = self.window()
        if around is not None:
            rows = slice(rows.start - around.y0, rows.stop - around.y0)
            columns = slice(columns.start - around.x0, columns.stop - around.x0)
        return picture[:, rows, columns]

    def of_fine(self, image: Image, around: Stencil) -> Image:
        """The part under the window, as a view, of a fine picture of the window of a mask."""
        rows = slice((self.y0 - around.y0) * FINE, (self.y1 - around.y0) * FINE)
        return image[rows, (self.x0 - around.x0) * FINE : (self.x1 - around.x0) * FINE]

    def blend(
        self,
        picture: Map,
        colour: Any,
        blur: int = 0,
        strength: float = 1.0,
        around: Stencil | None = None,
    ) -> None:
        """Lay a colour over a picture in place, as opaque as the mask is white.

        The picture is the canvas's, 3 x 128 x 112, or of the window of a mask around this one.
        """
        alpha = self.cover(blur)
        if strength != 1:
            alpha *= np.float32(strength)
        seen = self
        if around is not None and not self.inside(around):
            seen = self.within(around)  # softened first: the mask goes on outside
            alpha = alpha[
                seen.y0 - self.y0 : seen.y1 - self.y0, seen.x0 - self.x0 : seen.x1 - self.x0
            ]
        blend(seen.of(picture, around), colour, alpha)


def blend(picture: Map, colour: Any, alpha: Map) -> None:
    """Lay a colour (3) over a 3 x h x w picture in place with coverage h x w."""
    blend_planes(picture, planes(colour), alpha)


def blend_planes(picture: Map, over: Map, alpha: Map) -> None:
    """Lay planes over a 3 x h x w picture in place with coverage h x w."""
    change = over - picture
    change *= alpha
    picture += change


def to_planes(image: Image) -> Map:
    """3 x h x w float32 of an h x w x 3 uint8 picture."""
    # As a transposition of pixels x channels, which is much faster than cv2.split.
    levels = cv2.transpose(image.reshape(-1, 3))
    return levels.astype(np.float32).reshape(3, *image.shape[:2])


def from_planes(picture: Map) -> Image:
    """h x w x 3 uint8 of a 3 x h x w float32 picture, rounded and bounded."""
    # All planes as one tall picture; interleaving bytes is much faster than interleaving floats.
    levels = cv2.convertScaleAbs(picture.reshape(-1, picture.shape[2])).reshape(picture.shape)
    return np.asarray(cv2.merge(list(levels)), dtype=np.uint8)


def planes(colour: Any) -> Map:
    """A colour (3) as 3 x 1 x 1 float32."""
    return np.asarray(colour, dtype=np.float32).reshape(3, 1, 1)


def rgb(colour: Array) -> tuple[int, int, int]:
    """A colour as cv2 takes it."""
    r, g, b = (min(max(int(v), 0), 255) for v in colour.tolist())
    return r, g, b
