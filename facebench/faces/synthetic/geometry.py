"""The relief of a face, its pose, and the alignment of the posed face to the template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.identity import Identity
from facebench.faces.types import Array, Map

STEP = 2.0
LEFT, TOP = -68.0, -84.0
GRID_X: Array = np.arange(LEFT, 69.0, STEP)
GRID_Y: Array = np.arange(TOP, 89.0, STEP)

Bump = tuple[float, ...]
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


def both(x: float, y: float, sx: float, sy: float, amplitude: float) -> list[Bump]:
    """The same bump on both sides of the face."""
    return [(x, y, sx, sy, amplitude), (-x, y, sx, sy, amplitude)]


def factors(bumps: Sequence[Bump]) -> Factors:
    """The factors of axis-parallel Gaussians, along y with the amplitude."""
    columns = _columns(bumps)
    bell = _bell(_offsets(columns))
    bell[:, _COLUMNS:] *= columns[4]
    return (bell,)


def sloped_factors(bumps: Sequence[Bump]) -> Factors:
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


def _columns(bumps: Sequence[Bump]) -> Array:
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


HEIGHT, WIDTH, MARGIN = 128, 112, 8
TEMPLATE: Array = MARGIN + np.array(
    [
        (30.2946, 51.6963),
        (65.5318, 51.5014),
        (48.0252, 71.7366),
        (33.5493, 92.3655),
        (62.7299, 92.2041),
    ]
)
"""5 x 2: where eyes, nose tip and mouth corners lie in the 128 x 112 canvas, as x y in pixels."""

_TARGET = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
_GOAL = _TARGET.mean()
_TARGET_ARM = _TARGET - _GOAL


def mouth_y(who: Identity, how: Capture) -> float:
    """Height of the line between the lips, in template pixels below the eyes."""
    return who.mouth_height + 0.6 * how.mouth_open


def relief(who: Identity, how: Capture) -> tuple[Map, Map, Map]:
    """Height of the face above the plane of the eyes and its slopes, each on the canonical grid."""
    moved = sloped_factors(_moving_bumps(who, mouth_y(who, how), max(how.smile, 0.0)))
    fields = field_and_slopes(*replaced(_own_factors(who), _MOVING, moved))
    height, slope_x, slope_y = fields
    height -= _BOWL_X / (2 * who.flatness)
    height -= _BOWL_Y
    slope_x -= GRID_X / who.flatness
    slope_y -= _BOWL_SLOPE_Y
    height_, slope_x_, slope_y_ = quantised(fields)
    return height_, slope_x_, slope_y_


@lru_cache(maxsize=4)
def _own_factors(who: Identity) -> Factors:
    """The bumps of a face at rest."""
    moving = _moving_bumps(who, who.mouth_height, 0.0)
    return sloped_factors(_bumps(who, moving))


def _moving_bumps(who: Identity, mouth: float, smile: float) -> list[Bump]:
    """Those about the mouth, on the cheeks and beside the mouth, which the expression changes."""
    return [
        (0, mouth - 1, 13, 10, 3.2),
        (0, mouth - 8, 1.4, 4, -0.8),
        (0, mouth - 2.0 - 0.3 * who.upper_lip, 7, 1.9, 0.8 + 0.25 * who.upper_lip),
        (0, mouth + 0.8 + 0.5 * who.lower_lip, 6.5, 2.2, 0.7 + 0.35 * who.lower_lip),
        (0, mouth + 4 + who.lower_lip, 8, 2.6, -2.2),
        *both(25, 17 - 2.5 * smile, 9, 6, who.cheekbone + 1.4 * smile),
        *both(who.mouth_width + 5 + 2 * smile, mouth - 3, 3, 5, 0.6 + 1.2 * smile),
    ]


_MOVING = np.array([5, 6, 7, 8, 9, 26, 27, 32, 33])  # their places among all bumps


def _bumps(who: Identity, moving: list[Bump]) -> list[Bump]:
    """All bumps of a face."""
    eye, nose = who.eye_spacing, who.nose_length
    bridge, wide, bend = who.nose_bridge, who.nose_bridge_width, who.asymmetry[4]
    rows: list[Bump] = [
        (0, -3, wide * 1.1, 5, 2.2 * bridge),
        (bend * 0.6, nose * 0.30, wide, 4.5, 3.6 * bridge),
        (bend, nose * 0.60, wide * 1.1, 4.5, 5.4 * bridge),
        (bend * 0.5, nose - 2, who.nose_tip, 4.2, 6.0 + 2.5 * bridge),
        (0, nose - 0.5, who.nose_tip * 0.8, 2.6, 2.4),
        *moving[:5],
        (0, who.chin_length - 7, 5 + 0.3 * who.chin_width, 5, 3.6),
        (0, who.chin_length - 6, 0.9, 3.5, -0.8 * who.chin_cleft),
        (0, -28, 22, 12, 1.6),
        (0, -9, 3.5, 5, 1.0 * who.masculine - 1.0 * who.frown),
    ]
    rows += both(who.nose_width - 1.8, nose + 1.0, 2.6, 2.6, 3.2 * who.nostril)
    rows += both(eye * 0.72, -1, 6, 5.5, -0.9 * who.eye_depth)
    rows += both(eye, 0.5, 8, 5, -0.55 * who.eye_depth)
    rows += both(eye, 0.3, 5.2, 3.2, 2.2)
    rows += both(eye, 6.5, 6.5, 1.7, 0.7 * who.eye_bag)
    rows += both(eye, who.brow_height + 1, 9.5, 3.4, 0.7 + 1.4 * who.masculine)
    rows += moving[5:7]
    rows += both(24, 33, 8, 9, who.cheek_full - 0.5)
    rows += both(33, -22, 7, 12, -1.6)
    rows += moving[7:]
    return rows


_BOWL_X: Array = GRID_X**2
_BOWL_Y: Array = ((GRID_Y - 8) ** 2 / 230)[:, None]
_BOWL_SLOPE_Y: Array = ((GRID_Y - 8) / 115)[:, None]


@dataclass(frozen=True, slots=True)
class Pose:
    """A posed relief with its similarity to the canvas: canonical points in, canvas points out."""

    height: Map  # smoothed, so that turning does not fold the nose
    rotation: Array  # 3 x 3, head frame to camera frame
    distance: float
    rotor: complex  # the similarity: canvas = rotor * view + offset, on x + iy
    offset: complex

    def lift(self, points: Array) -> Array:
        """Height of the smoothed relief at N x 2 canonical points."""
        columns = np.asarray((points[:, :1] - LEFT) / STEP, dtype=np.float32)
        rows = np.asarray((points[:, 1:] - TOP) / STEP, dtype=np.float32)
        z = cv2.remap(self.height, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(z[:, 0], dtype=np.float64)

    def view(self, points: Array, above: Array | float = 0.0) -> NDArray[np.complex128]:
        """N x 2 canonical points on the relief (plus a height above it) as x + iy in the view."""
        raised = np.empty((len(points), 3))
        raised[:, :2] = points
        np.add(self.lift(points), above, out=raised[:, 2])
        x, y, z = (raised @ self.rotation.T).T
        near = self.distance / (self.distance - z)
        seen = np.empty(len(points), dtype=np.complex128)
        np.multiply(x, near, out=seen.real)
        np.multiply(y, near, out=seen.imag)
        return seen

    def project(self, points: Array, above: Array | float = 0.0) -> Array:
        """N x 2 canonical points as N x 2 canvas pixels."""
        at = self.view(points, above) * self.rotor + self.offset
        return at.view(np.float64).reshape(-1, 2)

    @property
    def zoom(self) -> float:
        """Canvas pixels per template pixel."""
        return abs(self.rotor)

    def canonical_maps(self) -> tuple[Map, Map]:
        """For every canvas pixel, its fractional column and row in the canonical grid."""
        back = 1 / self.rotor
        start = -self.offset * back
        u = np.float32(back.real) * _ACROSS - np.float32(back.imag) * _DOWN + np.float32(start.real)
        v = np.float32(back.imag) * _ACROSS + np.float32(back.real) * _DOWN + np.float32(start.imag)
        (c, _, s), (r10, r11, r12), (r20, r21, r22) = self.rotation.astype(np.float32)
        far = np.float32(1 / self.distance)
        x, y = u / c, v.copy()
        for _ in range(3):
            z = cv2.remap(
                self.height, *_cells(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            # near = 1 - (r20 x + r21 y + r22 z) far
            near = r20 * x
            near += r21 * y
            near += r22 * z
            near *= far
            np.subtract(1, near, out=near)
            # x, y = (u near - z s) / c, (v near - r10 x - r12 z) / r11
            x *= r10
            np.multiply(v, near, out=y)
            y -= x
            y -= r12 * z
            y /= r11
            np.multiply(u, near, out=x)
            z *= s
            x -= z
            x /= c
        columns, rows = _cells(x, y)
        return enlarged(columns), enlarged(rows)


def _cells(x: Map, y: Map) -> tuple[Map, Map]:
    """Canonical points as fractional columns and rows of the grid."""
    columns, rows = x - _LEFT, y - _TOP
    columns *= _CELL
    rows *= _CELL
    return columns, rows


def enlarged(small: Map) -> Map:
    """2h x 2w float32 of a map of h x w, quantised."""
    size = (2 * small.shape[1], 2 * small.shape[0])
    full = cv2.resize(quantised(small, 256.0), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, dtype=np.float32)


_ACROSS: Map = (np.arange(0, WIDTH, 2, dtype=np.float32) + np.float32(0.5))[None, :]
_DOWN: Map = (np.arange(0, HEIGHT, 2, dtype=np.float32) + np.float32(0.5))[:, None]
_LEFT, _TOP, _CELL = np.float32(LEFT), np.float32(TOP), np.float32(1 / STEP)


def head_rotation(yaw: float, pitch: float) -> Array:
    """3 x 3 rotation of the head by yaw about the vertical, then pitch about the horizontal."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    return np.array([(cy, 0, sy), (sp * sy, cp, -sp * cy), (-cp * sy, sp, cp * cy)])


def landmarks(who: Identity, how: Capture) -> Array:
    """5 x 2 canonical points: eyes, nose tip, mouth corners of this person and expression."""
    corner = mouth_corners(who, how)
    lift = 0.5 * who.asymmetry[0]
    return np.array(
        [
            (-who.eye_spacing, lift),
            (who.eye_spacing, -lift),
            (0.5 * who.asymmetry[4], who.nose_length - 1.0),
            corner[0],
            corner[1],
        ]
    )


def mouth_corners(who: Identity, how: Capture) -> Array:
    """2 x 2: the corners of the mouth, which a smile draws outwards and up."""
    wide = who.mouth_width + 3.2 * how.smile - 1.6 * how.mouth_open * (1 - max(how.smile, 0))
    y = mouth_y(who, how) + who.mouth_corner - 2.2 * how.smile
    tilt = 0.5 * who.asymmetry[3]
    return np.array([(-wide, y + tilt), (wide, y - tilt)])


def pose_face(who: Identity, how: Capture, height: Map) -> Pose:
    """Turn the head, then find the similarity that lays its five landmarks on the template."""
    smooth = cv2.GaussianBlur(height, (0, 0), 1.6, borderType=cv2.BORDER_REPLICATE)
    turn = head_rotation(how.yaw, how.pitch)
    posed = Pose(quantised(smooth), turn, how.distance, 1 + 0j, 0j)
    source = posed.view(landmarks(who, how))
    centre = source.sum() / len(source)
    arm = source - centre
    rotor = complex(np.vdot(arm, _TARGET_ARM) / np.vdot(arm, arm))
    rotor *= how.scale * complex(math.cos(how.roll), math.sin(how.roll))
    goal = _GOAL + complex(how.shift[0], how.shift[1])
    return Pose(posed.height, turn, how.distance, rotor, complex(goal - rotor * centre))
