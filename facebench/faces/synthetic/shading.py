"""Light on the relief: smooth maps computed on the canonical grid, then laid onto the canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.geometry import (
    GRID_X,
    GRID_Y,
    Bump,
    Factors,
    Pose,
    both,
    factors,
    field,
    mouth_y,
    quantised,
    replaced,
    scaled,
)
from facebench.faces.synthetic.identity import Identity
from facebench.faces.types import Array, Map


@dataclass(frozen=True, slots=True)
class Maps:
    """128 x 112 float32 each: light, gloss, redness, beard density; and canonical columns, rows."""

    light: Map
    gloss: Map
    red: Map
    beard: Map
    columns: Map
    rows: Map


def shade(who: Identity, how: Capture, pose: Pose, slope_x: Map, slope_y: Map) -> Maps:
    """The smooth maps of one image on its canvas."""
    light = pose.rotation.T @ how.light
    eye = pose.rotation.T @ np.array([0.0, 0.0, 1.0])
    normals = _Normals(slope_x, slope_y)
    density = _beard(who, how)
    fields = np.empty((2 if density is None else 3, *slope_x.shape))
    level, gloss = fields[:2]
    facing = normals.towards(light[0], light[1], light[2])
    facing += 0.12
    facing /= 1.12
    np.maximum(facing, 0, out=facing)
    counter = np.maximum(normals.towards(eye[0] - light[0], eye[1], eye[2]), 0)
    np.multiply((1 - how.ambient) * how.strength, facing, out=level)
    level += how.ambient
    counter *= how.fill * 0.4
    level += counter
    hollows = _hollows(who, how, light)
    np.negative(hollows, out=hollows)
    level *= np.exp(hollows, out=hollows)
    half = light + eye
    half /= math.sqrt(half.dot(half))
    np.maximum(normals.towards(half[0], half[1], half[2]), 0, out=gloss)
    for _ in range(4):  # to the 16th power
        gloss *= gloss
    if density is not None:
        density *= 1.3
        np.minimum(density, 1, out=fields[2])
    light_, gloss_, *beard = quantised(fields)
    return _on_canvas(pose, [light_, gloss_, _redness(who), *(beard or [_BARE])])


_BARE: Map = np.zeros((len(GRID_Y), len(GRID_X)), dtype=np.float32)


class _Normals:
    """The unit normals of a relief, by its slopes."""

    def __init__(self, slope_x: Map, slope_y: Map) -> None:
        length = np.sqrt(slope_x * slope_x + slope_y * slope_y + 1)
        # In double precision once, not anew for each direction.
        self._x, self._y, self._length = (a.astype(np.float64) for a in (slope_x, slope_y, length))

    def towards(self, x: float, y: float, z: float) -> Array:
        """Their scalar product with a direction."""
        out = x * self._x
        np.subtract(z, out, out=out)
        out -= y * self._y
        out /= self._length
        return np.asarray(out)


def _on_canvas(pose: Pose, fields: list[Map]) -> Maps:
    """The maps of 4 fields on the canonical grid."""
    columns, rows = pose.canonical_maps()
    stack = cv2.merge(fields)
    out = cv2.remap(stack, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Separate planes, because a channel of an interleaved array is four times slower to use; by a
    # transposition of pixels x channels, which is much faster than cv2.split.
    split = cv2.transpose(out.reshape(-1, 4)).reshape(4, *columns.shape)
    light, gloss, red, beard = split
    return Maps(light, gloss, red, beard, columns, rows)


def _hollows(who: Identity, how: Capture, light: Array) -> Array:
    """How much darker hollows and the cast shadow of the nose are, as a log factor."""
    moving = factors(_moving_hollows(who, how, light))
    return field(*replaced(_own_hollows(who), _MOVING_HOLLOWS, moving))


_MOVING_HOLLOWS = np.array([0, 2, 4, 7, 8, 13, 14])  # their places among all hollows


def _moving_hollows(who: Identity, how: Capture, light: Array) -> list[Bump]:
    """Those that light or expression change."""
    mouth, nose = mouth_y(who, how), who.nose_length
    x, y, _ = light.tolist()
    hard = 1 - how.ambient
    above = max(-y, 0.0)
    smile = max(how.smile, 0)
    side = 1.0 if x > 0 else -1.0
    return [
        (-6.5 * x, nose + 2.5 + 5 * above, 5, 3.5, (0.15 + 0.75 * hard) * (0.35 + above)),
        (0, mouth + 3.6 + who.lower_lip, 7, 1.8, 0.2),
        (-side * (who.nose_width * 0.9), nose * 0.62, 3.2, 8, 0.75 * (abs(x) * hard)),
        *both(who.eye_spacing, -4.8, 7.5, 2.4, (0.10 + 0.035 * who.eye_depth) * (1 + 1.6 * above)),
        *both(who.mouth_width + 4.5 + 2 * smile, mouth - 1, 2.2, 3.5, 0.10 + 0.1 * smile),
    ]


@lru_cache(maxsize=4)
def _own_hollows(who: Identity) -> Factors:
    """All hollows, with nothing yet at the places of those that change."""
    nose, eye = who.nose_length, who.eye_spacing
    later: Bump = (0, 0, 1, 1, 0)
    rows: list[Bump] = [
        later,
        (0, nose + 2.2, 0.6 * who.nose_width, 1.5, 0.28),
        later,
        (0, who.chin_length + 3, 26, 6, 0.5),
        later,
        *both(eye * 0.58, -0.5, 4.2, 4.2, 0.14 + 0.05 * who.eye_depth),
        later,
        later,
        *both(eye, 5.5 + who.eye_bag, 6, 2, 0.06 + 0.09 * who.eye_bag),
        *both(who.nose_width + 1.2, nose + 0.5, 1.6, 3, 0.16),
        later,
        later,
        *both(27, 34, 5, 10, 0.05 - 0.05 * min(who.cheek_full, 1.0)),
        *both(36, 34, 6, 16, 0.10),
    ]
    return factors(rows)


@lru_cache(maxsize=4)
def _redness(who: Identity) -> Map:
    """Blood under the skin: cheeks, nose, ears, round the eyes."""
    rows: list[Bump] = [(0, who.nose_length - 1, 6, 5, 0.7), (0, 58, 9, 6, 0.3)]
    rows += both(24, 20, 9, 8, 0.9)
    rows += both(who.eye_spacing, 3.5, 9, 4, 0.35)
    red = field(*factors(rows))
    red *= 0.3 + who.ruddy
    return quantised(red)


def _beard(who: Identity, how: Capture) -> Array | None:
    """Density of beard and moustache on the canonical grid, if there is any."""
    # How dark a shaved chin is, and what the razor left, changes from image to image.
    strength = {"stubble": 0.42, "none": 0.10 if who.masculine > 0.5 else 0.0}
    share = who.beard_density * how.shave * strength.get(who.beard_style, 1.1)
    if share == 0:
        return None
    mouth = mouth_y(who, how)
    at_rest = mouth == who.mouth_height
    unscaled, amplitudes = _own_beard(who) if at_rest else _beard_about(who, mouth)
    return field(scaled(unscaled, amplitudes * share))


@lru_cache(maxsize=4)
def _own_beard(who: Identity) -> tuple[Array, Array]:
    """The beard about a closed mouth, as in every other image."""
    return _beard_about(who, who.mouth_height)


def _beard_about(who: Identity, mouth: float) -> tuple[Array, Array]:
    """The bumps of a beard about a mouth at this height, without and with their amplitudes."""
    lip = mouth - 4.2 - who.upper_lip
    chin = who.chin_length
    moustache: list[Bump] = [(0.0, lip, 6.0, 2.2, 0.8), *both(9, lip + 1.4, 5, 2.6, 0.9)]
    goatee: list[Bump] = [
        (0.0, chin - 4, 9.0, 6.5, 1.2),
        (0, mouth + 5 + who.lower_lip, 3, 2.5, 0.7),
    ]
    goatee += both(who.mouth_width + 3.5, mouth + 6, 2.8, 8, 0.8)
    jaw: list[Bump] = both(20, 0.6 * who.jaw_height + 0.4 * chin, 10, 8, 1.0) + both(
        who.jaw_width - 1, who.jaw_height - 6, 6, 11, 1.0
    )
    jaw += both(who.face_width - 1, 14, 3.5, 11, 0.9)
    parts = {"moustache": moustache, "goatee": moustache + goatee}
    rows = parts.get(who.beard_style, moustache + goatee + jaw)
    *_, amplitudes = zip(*rows, strict=True)
    (unscaled,) = factors([(*row[:4], 1.0) for row in rows])
    return unscaled, np.array(amplitudes)[:, None]
