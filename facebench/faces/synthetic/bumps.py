"""Gaussian bumps on the canonical grid: what a face's relief and shades are made of.

Most bumps are a person's own, the same in all images; only few move with mouth, smile and light.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Map = NDArray[np.float32]

STEP = 2.0
LEFT, TOP = -68.0, -84.0
GRID_X: Array = np.arange(LEFT, 69.0, STEP)
GRID_Y: Array = np.arange(TOP, 89.0, STEP)

Row = tuple[float, ...]
"""One Gaussian bump: x, y, sx, sy, amplitude."""

Factors = tuple[Array, ...]
"""Of N bumps: N x (columns + rows), the factors along x and along y; and then their slopes."""

_COLUMNS = len(GRID_X)


def quantised(values: NDArray[Any], steps: float = 4096.0) -> Map:
    """float32 copy on a grid coarse enough to hide the last bits in which processors differ.

    The steps are a power of two, so that scaling loses nothing, before or after the conversion.
    """
    scaled = values * steps
    np.rint(scaled, out=scaled)
    out: Map = scaled.astype(np.float32, copy=False)
    out *= np.float32(1 / steps)
    return out


def both(x: float, y: float, sx: float, sy: float, amplitude: float) -> list[Row]:
    """The same bump on both sides of the face."""
    return [(x, y, sx, sy, amplitude), (-x, y, sx, sy, amplitude)]


def factors(bumps: Sequence[Row]) -> Factors:
    """The factors of axis-parallel Gaussians, along y with the amplitude."""
    columns = _columns(bumps)
    bell = _bell(_offsets(columns))
    bell[:, _COLUMNS:] *= columns[4]
    return (bell,)


def sloped_factors(bumps: Sequence[Row]) -> Factors:
    """The same factors, and the slopes of both."""
    columns = _columns(bumps)
    slope = _offsets(columns)
    bell = _bell(slope)
    bell[:, _COLUMNS:] *= columns[4]
    # The factors' logarithmic slopes.
    slope[:, :_COLUMNS] /= -columns[2]
    slope[:, _COLUMNS:] /= -columns[3]
    slope *= bell
    return bell, slope


def replaced(own: Factors, places: NDArray[np.intp], moved: Factors) -> Factors:
    """The factors with those of the bumps at these places replaced."""
    new = tuple(factor.copy() for factor in own)
    for factor, part in zip(new, moved, strict=True):
        factor[places] = part
    return new


def scaled(factors: Array, amplitudes: Array) -> Array:
    """The factors of N bumps with these amplitudes, N x 1, from those of bumps of height 1."""
    out = factors.copy()
    out[:, _COLUMNS:] *= amplitudes
    return out


def field(factors: Array) -> Array:
    """rows x columns: the sum of the Gaussians on the canonical grid."""
    return np.asarray(factors[:, _COLUMNS:].T @ factors[:, :_COLUMNS])


def field_and_slopes(factors: Array, slopes: Array) -> Array:
    """3 x rows x columns: the sum of the Gaussians and its slopes along x and y."""
    out = np.empty((3, len(GRID_Y), len(GRID_X)))
    gx, gy = factors[:, :_COLUMNS], factors[:, _COLUMNS:]
    dx, dy = slopes[:, :_COLUMNS], slopes[:, _COLUMNS:]
    for plane, down, across in zip(out, (gy, gy, dy), (gx, dx, gx), strict=True):
        np.matmul(down.T, across, out=plane)
    return out


def _columns(bumps: Sequence[Row]) -> Array:
    """5 x N x 1: the columns of the rows."""
    flat = np.fromiter(chain.from_iterable(bumps), np.float64, 5 * len(bumps))
    return flat.reshape(-1, 5).T[:, :, None]


def _offsets(columns: Array) -> Array:
    """N x (columns + rows): how many deviations the grid's points lie from each centre."""
    x, y, sx, sy, _ = columns
    out = np.empty((len(x), _COLUMNS + len(GRID_Y)))
    across, down = out[:, :_COLUMNS], out[:, _COLUMNS:]
    np.subtract(GRID_X, x, out=across)
    np.subtract(GRID_Y, y, out=down)
    across /= sx
    down /= sy
    return out


def _bell(offsets: Array) -> Array:
    """The Gaussian of the offsets."""
    out = -0.5 * offsets
    out *= offsets
    # Far tails would underflow, which makes processors very slow; in the sums, whose steps are
    # coarse, e**-300 is as nothing as they are.
    np.maximum(out, -300.0, out=out)
    return np.asarray(np.exp(out, out=out))
