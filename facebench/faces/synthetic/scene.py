"""What surrounds and covers the face: background, clothes, glasses, hat, hand, cast shadows."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.drawing import FINE, Stencil, fill, fixed, planes, rgb, spline
from facebench.faces.synthetic.geometry import HEIGHT, WIDTH, Pose
from facebench.faces.synthetic.identity import Identity
from facebench.faces.synthetic.outlines import Sketch
from facebench.faces.types import Array, Image, Map

_X: Map = np.arange(WIDTH, dtype=np.float32)[None, :]
_Y: Map = np.arange(HEIGHT, dtype=np.float32)[:, None]
_TURN = np.linspace(0, 2 * np.pi, 33)
_COS, _SIN, _SEVEN = np.cos(_TURN), np.sin(_TURN), np.linspace(-1, 1, 7)
_EAR_TINT: Array = np.array([0.96, 0.82, 0.80])


def background(rng: np.random.Generator) -> Image:
    """128 x 112 x 3 uint8: a blurred room, wall or garden."""
    # With plain numbers where there are few: numpy's uniform and normal add the same, but slowly.
    base = (5 + 245 * rng.random()) + 22 * rng.standard_normal(3)
    cells = int(rng.integers(2, 7))
    spread = 4 + 56 * rng.random()
    coarse = base + spread * (0.8 * rng.standard_normal((cells, cells, 1)))
    coarse = coarse + 0.35 * spread * rng.standard_normal((cells, cells, 3))
    small = np.minimum(np.maximum(coarse, 0), 255).astype(np.uint8)
    image: Image = cv2.resize(  # type: ignore[assignment]
        small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR
    )
    for _ in range(int(rng.integers(0, 6))):
        tinge = rng.standard_normal(4)
        tint = rgb(base + 55 * tinge[0] + 20 * tinge[1:])
        x, y, w, h, lean = rng.random(5).tolist()
        x, y, w, h, lean = -10 + 130 * x, -10 + 130 * y, 4 + 41 * w, 4 + 41 * h, -8 + 16 * lean
        box = np.array([(x, y), (x + w, y), (x + w + lean, y + 2 * h), (x + lean, y + 2 * h)])
        fill(image, fixed(box, 1), tint)
    size = (1, 3, 7, 13)[rng.integers(0, 4)]
    if size > 1:
        image = cv2.blur(image, (size, size))  # type: ignore[assignment]
    return image


def draw_body(sketch: Sketch, who: Identity) -> None:
    """Add neck and shoulders to the sketch."""
    neck, cloth = _body_outlines(who)
    sketch.add("neck", neck[:, 0], neck[:, 1], -16)
    sketch.add("cloth", cloth[:, 0], cloth[:, 1], -16)


@lru_cache(maxsize=4)
def _body_outlines(who: Identity) -> tuple[Array, Array]:
    """Canonical points of neck and clothes."""
    w = 0.80 * who.jaw_width + 4 * who.masculine
    neck = np.array([(-w, 25.0), (w, 25.0), (w + 1, 75), (w + 6, 95), (-w - 6, 95), (-w - 1, 75)])
    x = w + 3
    cloth = np.array(
        [
            (-x, 74.0),
            (0, 92),
            (x, 74),
            (x + 28, 84),
            (x + 60, 100),
            (0, 160),
            (-x - 60, 100),
            (-x - 28, 84),
        ]
    )
    return neck, cloth


def body(image: Image, how: Capture, skin: Array, sketch: Sketch) -> None:
    """Draw neck and shoulders onto the uint8 background."""
    shade = 0.42 * how.ambient + 0.24
    fill(image, sketch["neck"] // FINE, (skin * how.light_colour * shade).tolist())
    tint = how.cloth * (0.35 + 0.5 * how.ambient)
    fill(image, sketch["cloth"] // FINE, tint.tolist())


def ears(image: Image, how: Capture, skin: Array, sketch: Sketch) -> None:
    """Draw the ears onto the uint8 background."""
    outlines, folds = sketch.pair("ear") // FINE, sketch.pair("earfold") // FINE
    ground = skin * how.light_colour
    for side, outline, fold in zip((-1, 1), outlines, folds, strict=True):
        lit = how.ambient + (1 - how.ambient) * max(0.45 + 0.6 * side * float(how.light[0]), 0.0)
        tint = (ground * lit * _EAR_TINT).tolist()
        outer = [min(max(v, 0.0), 255.0) for v in tint]
        inner = [min(max(v * 0.72, 0.0), 255.0) for v in tint]
        fill(image, outline, outer)
        fill(image, fold, inner)


def glasses(image: Map, who: Identity, how: Capture, pose: Pose) -> None:
    """Put the glasses of this image on, in place."""
    if how.glasses == "none":
        return
    wide, high, square = how.glasses_size.tolist()
    rx = np.sign(_COS) * np.abs(_COS) ** (2 / square) * wide
    ry = np.sign(_SIN) * np.abs(_SIN) ** (2 / square) * high
    centre = max(who.eye_spacing, wide + 2.0)
    parts = Sketch()
    for name, side in (("left", -1), ("right", 1)):
        parts.add(name, side * centre + rx, -0.5 + ry, 7.0)
    parts.add("bridge", (centre - wide) * _SEVEN, -2.0 - 1.8 * (1 - _SEVEN**2), 4.0)
    for name, side in (("left arm", -1), ("right arm", 1)):
        x = np.array([side * (centre + wide), side * (who.face_width + 3)])
        parts.add(name, x, np.array([-4.0, -3.0]), -3.0)
    parts.project(pose)
    rims = [parts[name] for name in ("left", "right", "bridge", "left arm", "right arm")]
    lens = Stencil(np.concatenate(rims), 6)
    frame = lens.empty()
    for rim in rims[:2]:
        lens.fill(rim, 255)
    thick = {"frame": 2 + int(4 * (how.glasses_size[2] > 3)), "rimless": 1, "sun": 4}[how.glasses]
    frame.stroke(rims, 255, thick)
    under = lens.of(image)
    under *= 1 - np.float32(0.28) * np.roll(frame.cover(7), 2, axis=0)
    clear = {"frame": 0.10, "rimless": 0.08, "sun": 0.9}[how.glasses]
    glare = 200.0 * how.strength if how.glasses != "sun" else 30.0
    lens.blend(image, np.full(3, glare), 0, clear)
    frame.blend(image, how.glasses_colour, 0, 0.92)


def hat(image: Map, who: Identity, how: Capture, pose: Pose) -> None:
    """Put the hat of this image on, with its shadow on the forehead, in place."""
    if how.hat == "none":
        return
    rim, w = how.hat_height, who.temple_width + 6
    curve = 5.0 if how.hat == "cap" else 2.0
    t = np.linspace(-1, 1, 13)
    low = np.column_stack([w * t, rim + curve * (1 - t**2) - 2])
    top = np.array(
        [(w + 3, rim - 18), (w * 0.8, -78.0), (0, -88.0), (-w * 0.8, -78.0), (-w - 3, rim - 18)]
    )
    outline = np.concatenate([low, spline(5, 20, False) @ top])
    above = np.concatenate([np.full(13, 5.0), np.full(20, -4.0)])
    placed = fixed(pose.project(outline, above))
    mask = Stencil()
    mask.fill(placed, 255)
    alpha = mask.cover(3)
    lit = how.ambient + (1 - how.ambient) * 0.7
    dark = np.roll(mask.cover(21), 6, axis=0)
    image *= 1 - np.float32(0.45 * how.strength * (1 - how.ambient)) * dark
    ramp = np.float32(lit) * (np.float32(0.92) + np.float32(0.25 * how.light[0] / 56) * (_X - 56))
    if how.hat == "beanie":
        ramp = ramp * (1 + np.float32(0.08) * np.sin(_X * np.float32(0.9)))
    image += alpha * (planes(how.hat_colour) * ramp - image)
    if how.hat == "cap":
        ends = np.column_stack([w * 0.95 * t, rim - 1 + 7.5 * (1 - t**2)])
        edge = np.concatenate([low, ends[::-1]])
        shape = fixed(pose.project(edge, np.r_[np.full(13, 5.0), 5 + 12 * (1 - t**2)]))
        brim = Stencil(shape)
        brim.fill(shape, 255)
        brim.blend(image, how.hat_colour * 0.6 * lit, 3)


def hand(image: Map, how: Capture, skin: Array, rng: np.random.Generator) -> None:
    """Lay fingers over cheek or chin, in place."""
    if not how.hand:
        return
    x, y = rng.uniform(18, 94), rng.uniform(92, 118)
    angle = rng.uniform(-0.5, 0.5) + (0.5 if x < 56 else -0.5)
    along = np.array([np.sin(angle), -np.cos(angle)])
    across = np.array([np.cos(angle), np.sin(angle)])
    mask, gaps = Stencil(), Stencil()
    for k in range(4):
        root = np.array([x, y + 30]) + across * (k - 1.5) * 7.0
        tip = root + along * (36 - 3.5 * abs(k - 1.4))
        edge = across * 3.5
        mask.stroke([fixed(np.stack([root, tip]))], 255, 14)
        gaps.stroke([fixed(np.stack([root + edge, tip + edge]))], 150, 2)
    tint = skin * how.light_colour * (how.ambient + 0.65 * (1 - how.ambient))
    image *= 1 - np.float32(0.35) * mask.cover(15)
    mask.blend(image, tint, 3)
    image *= 1 - np.float32(0.5) * gaps.cover(3) * mask.cover(3)


def cast_shadow(image: Map, how: Capture) -> None:
    """Dim one side of the picture behind a soft edge, in place."""
    if how.shadow <= 0:
        return
    c, s = np.float32(np.cos(how.shadow_angle)), np.float32(np.sin(how.shadow_angle))
    ramp = (_X - 56) * c + (_Y - 64) * s - np.float32(how.shadow_offset)
    share = np.clip(ramp * np.float32(0.5 / how.shadow_soft) + np.float32(0.5), 0, 1)
    image *= 1 - np.float32(how.shadow) * share
