"""Light on the relief: smooth maps computed on the canonical grid, then laid onto the canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.geometry import (
    Map,
    Pose,
    Row,
    both,
    bumps_fields,
    mouth_y,
    quantised,
)
from facebench.faces.synthetic.identity import Identity

Array = NDArray[np.float64]


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
    fields = np.empty((4, *slope_x.shape))
    level, gloss, red, beard = fields
    facing = normals.towards(light[0], light[1], light[2])
    facing += 0.12
    facing /= 1.12
    np.maximum(facing, 0, out=facing)
    counter = np.maximum(normals.towards(eye[0] - light[0], eye[1], eye[2]), 0)
    np.multiply((1 - how.ambient) * how.strength, facing, out=level)
    level += how.ambient
    counter *= how.fill * 0.4
    level += counter
    hollows, red[:], beard[:] = bumps_fields(
        _hollows(who, how, light), _redness(who), _beard(who, how)
    )
    np.negative(hollows, out=hollows)
    level *= np.exp(hollows, out=hollows)
    half = light + eye
    half /= math.sqrt(half.dot(half))
    np.maximum(normals.towards(half[0], half[1], half[2]), 0, out=gloss)
    for _ in range(4):  # to the 16th power
        gloss *= gloss
    red *= 0.3 + who.ruddy
    beard *= 1.3
    np.minimum(beard, 1, out=beard)
    return _on_canvas(pose, quantised(fields))


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


def _on_canvas(pose: Pose, fields: Map) -> Maps:
    """The maps of 4 fields on the canonical grid."""
    columns, rows = pose.canonical_maps()
    stack = cv2.merge(list(fields))
    out = cv2.remap(stack, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Separate planes, because a channel of an interleaved array is four times slower to use.
    split = np.empty((4, *columns.shape), dtype=np.float32)
    cv2.split(out, list(split))
    light, gloss, red, beard = split
    return Maps(light, gloss, red, beard, columns, rows)


def _hollows(who: Identity, how: Capture, light: Array) -> list[Row]:
    """How much darker hollows and the cast shadow of the nose are, as a log factor."""
    mouth, nose, eye = mouth_y(who, how), who.nose_length, who.eye_spacing
    hard = 1 - how.ambient
    above = max(-light[1], 0.0)
    smile = max(how.smile, 0)
    rows: list[Row] = [
        (-6.5 * light[0], nose + 2.5 + 5 * above, 5, 3.5, (0.15 + 0.75 * hard) * (0.35 + above)),
        (0, nose + 2.2, 0.6 * who.nose_width, 1.5, 0.28),
        (0, mouth + 3.6 + who.lower_lip, 7, 1.8, 0.2),
        (0, who.chin_length + 3, 26, 6, 0.5),
    ]
    side = 1.0 if light[0] > 0 else -1.0
    across = abs(light[0]) * hard
    rows.append((-side * (who.nose_width * 0.9), nose * 0.62, 3.2, 8, 0.75 * across))
    rows += both(eye * 0.58, -0.5, 4.2, 4.2, 0.14 + 0.05 * who.eye_depth)
    rows += both(eye, -4.8, 7.5, 2.4, (0.10 + 0.035 * who.eye_depth) * (1 + 1.6 * above))
    rows += both(eye, 5.5 + who.eye_bag, 6, 2, 0.06 + 0.09 * who.eye_bag)
    rows += both(who.nose_width + 1.2, nose + 0.5, 1.6, 3, 0.16)
    rows += both(who.mouth_width + 4.5 + 2 * smile, mouth - 1, 2.2, 3.5, 0.10 + 0.1 * smile)
    rows += both(27, 34, 5, 10, 0.05 - 0.05 * min(who.cheek_full, 1.0))
    rows += both(36, 34, 6, 16, 0.10)
    return rows


def _redness(who: Identity) -> list[Row]:
    """Blood under the skin: cheeks, nose, ears, round the eyes."""
    rows: list[Row] = [(0, who.nose_length - 1, 6, 5, 0.7), (0, 58, 9, 6, 0.3)]
    rows += both(24, 20, 9, 8, 0.9)
    rows += both(who.eye_spacing, 3.5, 9, 4, 0.35)
    return rows


def _beard(who: Identity, how: Capture) -> list[Row]:
    """Density of beard and moustache on the canonical grid."""
    mouth = mouth_y(who, how)
    lip = mouth - 4.2 - who.upper_lip
    chin = who.chin_length
    moustache: list[Row] = [(0.0, lip, 6.0, 2.2, 0.8), *both(9, lip + 1.4, 5, 2.6, 0.9)]
    goatee: list[Row] = [
        (0.0, chin - 4, 9.0, 6.5, 1.2),
        (0, mouth + 5 + who.lower_lip, 3, 2.5, 0.7),
    ]
    goatee += both(who.mouth_width + 3.5, mouth + 6, 2.8, 8, 0.8)
    jaw: list[Row] = both(20, 0.6 * who.jaw_height + 0.4 * chin, 10, 8, 1.0) + both(
        who.jaw_width - 1, who.jaw_height - 6, 6, 11, 1.0
    )
    jaw += both(who.face_width - 1, 14, 3.5, 11, 0.9)
    parts = {
        "stubble": moustache + goatee + jaw,
        "full": moustache + goatee + jaw,
        "moustache": moustache,
        "goatee": moustache + goatee,
        "none": moustache + goatee + jaw if who.masculine > 0.5 else goatee[:1],
    }[who.beard_style]
    # How dark a shaved chin is, and what the razor left, changes from image to image.
    strength = {"stubble": 0.42, "none": 0.10 if who.masculine > 0.5 else 0.0}
    share = who.beard_density * how.shave * strength.get(who.beard_style, 1.1)
    return [(x, y, sx, sy, amplitude * share) for x, y, sx, sy, amplitude in parts]
