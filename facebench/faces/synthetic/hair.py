"""Hair: its outline by style, its strands, and what of it hangs behind the head."""

from __future__ import annotations

import cv2
import numpy as np

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.drawing import (
    FINE,
    Stencil,
    blend_planes,
    fill,
    planes,
    spline,
    tiled_noise,
)
from facebench.faces.synthetic.geometry import HEIGHT, LEFT, STEP, TOP, enlarged
from facebench.faces.synthetic.identity import Identity
from facebench.faces.synthetic.outlines import Sketch
from facebench.faces.synthetic.shading import Maps
from facebench.faces.types import Array, Image, Map

_VOLUME = {
    "shaved": 0.0,
    "crop": 1.5,
    "side": 3.5,
    "fringe": 4.0,
    "receding": 1.5,
    "curly": 8.0,
    "centre": 3.5,
    "back": 2.5,
}

# How a strand leans at each point of the hairline: down, and away from the middle.
_LEAN: Array = 32 * np.column_stack([0.35 * np.sign(np.arange(49) - 24), np.ones(49)])


def _hairline(who: Identity, how: Capture, rng: np.random.Generator) -> Array:
    """17 x 2 canonical points from the left sideburn over the forehead to the right one."""
    w, t, style = who.face_width, who.temple_width, who.hair_style
    top, recede = who.hairline + how.hair_down, who.hairline_recede
    long = how.hair_length
    half = np.array(
        [
            (0.0, top + 0.9 * who.hairline_peak),
            (9.0, top - 0.35 * recede),
            (19.0, top + 1.5 - 0.75 * recede),
            (27.5, top + 7.0 - 0.8 * recede),
            (t - 4.0, -21.0 - 0.2 * recede),
            (t - 1.0, -13.0),
            (w - 2.2, -4.0),
            (w - 1.6, 6.0),
            (w + 1.5, 10.0 + 4 * (who.masculine > 0.5) * how.shave),
        ]
    )
    right, left = half.copy(), half * [-1, 1]
    if style == "fringe":
        low = -15.5 + 0.5 * (who.hairline + 38) + 1.2 * how.hair_down - 4 * (1 - long)
        for line in (right, left):
            line[:4, 1] = low + np.array([0, 0.4, 1.2, 2.2]) + rng.normal(0, 1.1, 4)
            line[4:6, 0] -= 2.0
    elif style == "side":
        drop, bare = (right, left) if who.part < 0 else (left, right)
        drop[:4, 1] += np.array([2.0, 5.5, 8.5, 7.0]) * (0.5 + 0.7 * long)
        bare[1:4, 1] -= 1.5
    elif style == "centre":
        for line in (right, left):
            line[0, 1] = top - 3
            line[1:5, 1] += np.array([2.5, 6.0, 7.0, 5.0])
            line[5:, 0] -= np.array([2.0, 3.0, 3.5, 4.0]) * (0.3 + 0.9 * long)
            line[7:, 1] += np.array([6.0, 20.0]) * (0.2 + long)
    elif style == "back":
        right[:4, 1] -= 2.0
        left[:4, 1] -= 2.0
    if who.masculine <= 0.5 and style in ("side", "fringe", "back") and long > 0.45:
        right[7:, 1] += [2.0, 16.0 * long]
        left[7:, 1] += [2.0, 16.0 * long]
    right[:6, 0] += 0.6 * how.hair_shift
    left[:6, 0] += 0.6 * how.hair_shift
    return np.concatenate([left[:0:-1], right])


def _crown(who: Identity, how: Capture, line: Array) -> Array:
    """The outer edge of the hair, from the right end of the hairline back to the left one."""
    volume = _VOLUME[who.hair_style] * (0.6 + 0.9 * how.hair_volume) * (0.7 + 0.6 * who.wave)
    w, t = who.face_width, who.temple_width
    half = np.array(
        [
            (w + 2.5 + 0.9 * volume, 0.5 * line[-1, 1] + 2),
            (w + 2.5 + volume, -12.0),
            (t + 4.5 + volume, -30.0),
            (t * 0.95 + volume, -50.0),
            (t * 0.62 + 0.6 * volume, -68.0 - volume),
        ]
    )
    return np.concatenate([half, [(0.0, -74.0 - volume)], half[::-1] * [-1, 1]])


def draw_hair(sketch: Sketch, who: Identity, how: Capture, rng: np.random.Generator) -> None:
    """Add the outlines of the hair to the sketch."""
    style = who.hair_style
    line = spline(17, 49, False) @ _hairline(who, how, rng)
    crown = spline(11, 34, False) @ _crown(who, how, line)
    rough = {"curly": 1.3, "shaved": 0.15}.get(style, 0.5)
    line = line + rng.normal(0, rough, line.shape)
    crown = crown + rng.normal(0, 1.6 * rough, crown.shape)
    sketch.add("hairline", line[:, 0], line[:, 1], 0.8)
    sketch.add("crown", crown[:, 0], crown[:, 1], -9)
    long = style in ("centre", "curly") or who.masculine <= 0.5
    if not long or style in ("shaved", "crop") or (how.hair_length < 0.4 and style != "curly"):
        return
    wide = who.face_width + 4 + 12 * how.hair_volume * (0.4 + who.wave)
    low = 25 + 75 * how.hair_length if style != "curly" else 30.0 + 25 * how.hair_length
    points = np.array(
        [
            (-wide * 0.8, -45.0),
            (-wide, -15),
            (-wide - 2, 20),
            (-wide * 0.95, low),
            (0, low + 5),
            (wide * 0.95, low),
            (wide + 2, 20),
            (wide, -15),
            (wide * 0.8, -45),
        ]
    )
    outline = spline(9, 36, True) @ points
    sketch.add("backhair", outline[:, 0], outline[:, 1], -8)


def back_hair(image: Image, who: Identity, how: Capture, sketch: Sketch) -> None:
    """Draw what hangs behind head and neck onto the uint8 background."""
    if "backhair" in sketch:
        shade = 0.30 + 0.32 * how.ambient
        fill(image, sketch["backhair"] // FINE, (who.hair * shade).tolist())


def paint_hair(
    image: Map, who: Identity, how: Capture, sketch: Sketch, maps: Maps, rng: np.random.Generator
) -> None:
    """Lay the lit hair over the face in place."""
    style = who.hair_style
    line = sketch["hairline"]
    edge = np.concatenate([line, sketch["crown"]])
    strands = np.empty((0, 2, 2), dtype=np.int32)
    if style != "shaved":
        # Loose strands cross the hairline, so that its edge is not a cut-out.
        root = rng.integers(2, 47, 34)
        length = rng.uniform(0.3, 1.0, (34, 1)) * (1.5 + 2.5 * _VOLUME[style] / 4)
        roots, lean = line[root], _LEAN[root]
        ends = np.empty((34, 2, 2))
        np.subtract(roots, 3 * lean, out=ends[:, 0])
        np.add(roots, lean * length, out=ends[:, 1])
        strands = np.rint(ends, out=ends).astype(np.int32)
    mask = Stencil(np.concatenate([edge, strands.reshape(-1, 2)]), rows=True)
    mask.fill(edge, 255)
    if len(strands):
        mask.stroke(strands, 235)
    alpha = mask.cover(7 if style in ("shaved", "receding") else 3)
    if style == "shaved":
        alpha *= np.float32(0.5)
    elif style == "receding":
        alpha *= np.float32(0.88)
    rows = slice(mask.y0, mask.y1)
    texture = _strands(who, maps, rows, rng)
    light = np.minimum(maps.light[rows], 1.3)
    light *= np.float32(0.62)
    light += np.float32(0.28 * how.ambient + 0.12)
    light *= 1 + np.float32(0.30) * texture
    texture += 1
    texture *= np.float32(0.10 * how.strength) * maps.gloss[rows]
    light += texture
    np.maximum(light, np.float32(0.05), out=light)
    colour = light * planes(who.hair * how.light_colour)
    colour += 2
    blend_planes(mask.of(image), colour, alpha)


def _strands(who: Identity, maps: Maps, rows_: slice, rng: np.random.Generator) -> Map:
    """Texture of some rows of the canvas: noise drawn out along the flow from the parting."""
    ox, oy = rng.uniform(0, 256, 2).tolist()
    if who.hair_style in ("curly", "shaved", "crop"):
        scale = {"curly": 0.8, "shaved": 2.4, "crop": 1.6}[who.hair_style]
        columns = maps.columns[rows_] * np.float32(scale * STEP * 0.5)
        columns += np.float32(ox)
        rows = maps.rows[rows_] * np.float32(scale * STEP * 0.35)
        rows += np.float32(oy)
    else:
        px = {"centre": 0.0, "side": who.part, "receding": who.part}.get(who.hair_style, 2.0)
        py = who.hairline - (2 if who.hair_style in ("centre", "side") else 24)
        # At half the resolution; a row more at either end, where there is one, to enlarge from.
        first, last = (
            max(rows_.start // 2 - 1, 0) * 2,
            min((rows_.stop + 1) // 2 + 1, HEIGHT // 2) * 2,
        )
        x = maps.columns[first:last:2, ::2] * np.float32(STEP) + np.float32(LEFT - px)
        y = maps.rows[first:last:2, ::2] * np.float32(STEP) + np.float32(TOP - py)
        radius = np.sqrt(x * x + y * y)
        angle = np.arctan2(x, -y)
        wave = np.float32(2.6 * who.wave) * np.sin(radius * np.float32(0.22) + angle * 2)
        inner = slice(rows_.start - first, rows_.stop - first)
        columns = enlarged(angle * 26 + wave + np.float32(ox))[inner]
        rows = enlarged(radius * 0.14 + np.float32(oy))[inner]
    return np.asarray(
        cv2.remap(tiled_noise(), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP),
        dtype=np.float32,
    )
