"""Painting the lit skin and features of one face."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.drawing import (
    FINE,
    Stencil,
    blend,
    disc,
    fill,
    from_planes,
    noise_table,
    planes,
    rgb,
    stroke,
    to_planes,
)
from facebench.faces.synthetic.geometry import HEIGHT, WIDTH, Pose
from facebench.faces.synthetic.identity import Identity
from facebench.faces.synthetic.outlines import Sketch
from facebench.faces.synthetic.shading import Maps
from facebench.faces.types import Array, Image, Map

_RED = planes([0.02, -0.17, -0.15])
_INK = planes([0.72, 0.82, 0.84])
_WHITE: Array = np.array([226.0, 218.0, 212.0])

Rgb = tuple[int, int, int]

_UNIT = FINE * 16  # of fixed points in a canvas pixel


def skin_tone(who: Identity, how: Capture) -> Array:
    """The skin colour of this image: a tan comes and goes."""
    return np.asarray(who.skin * np.exp(how.tan * np.array([-0.5, -1.0, -1.3])))


def paint_face(
    who: Identity,
    how: Capture,
    skin: Array,
    pose: Pose,
    sketch: Sketch,
    maps: Maps,
    head: Stencil,
    rng: np.random.Generator,
) -> Map:
    """3 x h x w float32 of the head's window: lit skin with all features, right inside the head."""
    at, at_fine = head.window(), head.window(FINE)
    noise = noise_table()
    ox, oy = (int(rng.integers(0, 256 - HEIGHT)) for _ in range(2))
    pores = noise[oy : oy + HEIGHT, ox : ox + WIDTH][at]
    grain = 1 + np.float32(0.016 * who.texture) * pores
    albedo: Map = maps.red[at] * _RED
    albedo += 1
    albedo *= grain
    albedo *= planes(skin)
    if who.masculine > 0.5:
        rough = np.minimum(np.maximum(maps.beard[at] * (1 + np.float32(0.28) * pores), 0), 0.93)
        blend(albedo, 0.85 * who.hair + 0.06 * skin, rough)

    size = (at[1].stop - at[1].start, at[0].stop - at[0].start)
    # What is drawn outside of the window is never seen.
    fine: Image = np.empty((HEIGHT * FINE, WIDTH * FINE, 3), dtype=np.uint8)
    cv2.resize(
        from_planes(albedo),
        (size[0] * FINE, size[1] * FINE),
        dst=fine[at_fine],
        interpolation=cv2.INTER_LINEAR,
    )
    _spots(fine, who, skin, sketch)
    ink = Stencil()
    _eyes(fine, ink, who, how, skin, pose, sketch)
    _lines(ink, who, how, sketch)
    _mouth(fine, ink, how, skin, sketch)
    drawn: Image = cv2.resize(  # type: ignore[assignment]
        fine[at_fine], size, interpolation=cv2.INTER_AREA
    )
    out = to_planes(drawn)
    _lips_and_brows(out, head, who, how, skin, sketch)
    dark = ink.within(head).cover(3) * _INK
    out *= np.subtract(1, dark, out=dark)

    light: Map = maps.light[at] * planes(how.light_colour)
    light[0] += np.float32(0.05) * (1 - np.minimum(light[0], 1))  # blood lights up the shadows
    out *= light
    out += np.float32(how.gloss * 90) * maps.gloss[at]
    return out


def _lips_and_brows(
    out: Map, head: Stencil, who: Identity, how: Capture, skin: Array, sketch: Sketch
) -> None:
    """Lay what is soft over the skin in the head's window in place."""
    lips = Stencil(np.concatenate([sketch["upperlip"], sketch["lowerlip"]]))
    lips.fill(sketch["upperlip"], 225)
    lips.fill(sketch["lowerlip"], 190)
    lips.fill(sketch["gap"], 0)
    red = who.lip_red
    lip = skin * who.lip_dark * np.array([1.04 + 0.05 * red, 0.80 - 0.18 * red, 0.82 - 0.14 * red])
    if who.masculine < 0.5 and how.makeup > 0:
        lip = lip + 0.55 * how.makeup * (np.array([165.0, 38.0, 55.0]) - lip)
    lips.blend(out, lip, 3, around=head)
    tint = np.minimum(who.hair * 0.75, 0.62 * skin)
    for name in ("l", "r"):
        hairs = sketch["hairs" + name]
        brow = Stencil(np.concatenate([sketch["brow" + name], hairs]))
        brow.fill(sketch["brow" + name], int(150 * who.brow_dark))
        brow.stroke(hairs.reshape(-1, 2, 2), int(min(255, 235 * who.brow_dark)))
        brow.blend(out, tint, 3, around=head)


def _spots(fine: Image, who: Identity, skin: Array, sketch: Sketch) -> None:
    """Freckles, moles, scar."""
    if len(who.freckles):
        tint = rgb(skin * (1 - who.freckle_dark * np.array([0.8, 1.1, 1.3])))
        radii = who.freckles[:, 2].tolist()
        for (x, y), radius in zip(sketch["freckles"].tolist(), radii, strict=True):
            disc(fine, x, y, radius, tint)
    if len(who.moles):
        for (x, y), mole in zip(sketch["moles"].tolist(), who.moles, strict=True):
            tint = rgb(skin * (1 - mole[3]) * np.array([1.0, 0.85, 0.8]))
            disc(fine, x, y, float(mole[2]), tint)
    if len(who.scar):
        contrast = float(who.scar[0, 4])
        stroke(fine, [sketch["scar"]], rgb(skin * (1 + contrast * np.array([0.6, 0.3, 0.3]))), 2)


def _eyes(
    fine: Image, ink: Stencil, who: Identity, how: Capture, skin: Array, pose: Pose, sketch: Sketch
) -> None:
    """White, iris, pupil, highlight and lids of both eyes."""
    lash = min(int(130 + 90 * who.lashes), 235)
    crease = int(125 * min(who.lid_crease, 1.0))
    white = rgb(_WHITE * (0.45 + 0.55 * min(skin[0] / 230, 1.0)))
    irises = _iris_colours(who)
    if how.eye_opening > 0.2:
        windows = [Stencil(opening, 2) for opening in sketch.pair("eye")]
        eyes = list(zip("lr", windows, strict=True))
        # Both together, unless one would reach into the other's window.
        together = windows[0].x1 <= windows[1].x0
        for some in (eyes,) if together else (eyes[:1], eyes[1:]):
            _eyeballs(fine, who.iris_size * pose.zoom, white, irises, how, sketch, some)
    ink.stroke(sketch.pair("lower"), 60)
    ink.stroke(sketch.pair("lash"), lash, 2)
    if crease > 8:
        ink.stroke(sketch.pair("crease"), crease)
    if who.eye_bag > 0.25:
        ink.stroke(sketch.pair("bag"), int(min(40 * who.eye_bag, 70)), 2)


@lru_cache(maxsize=4)
def _iris_colours(who: Identity) -> tuple[Rgb, Rgb, Rgb]:
    """Of its rim, ring and lower part."""
    return rgb(who.iris * 0.5), rgb(who.iris), rgb(who.iris * 1.22)


def _eyeballs(
    fine: Image,
    radius: float,
    white: Rgb,
    irises: tuple[Rgb, Rgb, Rgb],
    how: Capture,
    sketch: Sketch,
    eyes: list[tuple[str, Stencil]],
) -> None:
    """What shows between the lids of these eyes, each with its window."""
    openings = [sketch["eye" + name] for name, _ in eyes]
    lids = Stencil(np.concatenate(openings), 2)
    for opening in openings:
        lids.fill(opening, 255)
    shadow = lids.empty()
    # The upper lids' shadows on the balls.
    shadow.stroke([sketch["lash" + name] for name, _ in eyes], 105, 4)
    balls = np.empty((*lids.image.shape, 3), dtype=np.uint8)
    high, wide = lids.image.shape
    cv2.rectangle(balls, (0, 0), (wide, high), white, cv2.FILLED)
    parts = [window.of_fine(balls, lids) for _, window in eyes]
    centres = [window.local(sketch["iris" + name])[0].tolist() for name, window in eyes]
    unit = radius * _UNIT
    for ball, (x, y) in zip(parts, centres, strict=True):
        disc(ball, x, y, radius, irises[0])
        disc(ball, x, y, radius * 0.82, irises[1])
        disc(ball, x, y + round(0.3 * unit), radius * 0.5, irises[2])
        disc(ball, x, y, radius * 0.42, (12, 10, 10))
    cv2.subtract(balls, cv2.merge([shadow.image] * 3), dst=balls)
    aside, down = 0.46 * how.light[0] * unit, (0.46 * how.light[1] - 0.1) * unit
    for ball, (x, y) in zip(parts, centres, strict=True):
        disc(ball, x + round(aside), y + round(down), 0.62, (250, 250, 250))
    _mix(fine[lids.window(FINE)], balls, lids.image)


def _mix(under: Image, over: Image, weight: Image) -> None:
    """Lay one picture over another in place: (over weight + under (255 - weight) + 127) // 255."""
    # As under 255 + (over - under) weight, where what overflows on the way comes back.
    mixed = under.astype(np.uint16)
    change = over.astype(np.uint16)
    change -= mixed
    change *= np.asarray(cv2.merge([weight] * 3), dtype=np.uint8)
    mixed *= 255
    mixed += change
    mixed += 127
    mixed //= 255
    under[:] = mixed


def _lines(ink: Stencil, who: Identity, how: Capture, sketch: Sketch) -> None:
    """Nostrils, the wings of the nose, folds and wrinkles."""
    smile = max(how.smile, 0)
    forehead = int(min((1 + 0.4 * how.brow_raise) * 75 * who.forehead_lines, 110))
    if forehead > 8:
        ink.stroke(sketch["lines"].reshape(3, 9, 2), forehead)
    fold = int(min(40 * who.nasolabial + 30 * smile, 70))
    crow = int(min((0.5 + 0.8 * smile) * 90 * who.crow_feet, 110))
    if fold > 8:
        ink.stroke(sketch.pair("fold"), fold // 2, 4)
        ink.stroke(sketch.pair("fold"), fold, 2)
    if crow > 8:
        ink.stroke(sketch.pair("crow").reshape(6, 4, 2), crow)
    if who.frown > 0.15:
        ink.stroke(sketch.pair("frown"), int(min(90 * who.frown, 100)), 2)
    ink.stroke(sketch.pair("wing"), 85)
    for nostril in sketch.pair("nostril"):
        ink.fill(nostril, 170)


def _mouth(fine: Image, ink: Stencil, how: Capture, skin: Array, sketch: Sketch) -> None:
    """What shows between and on the lips."""
    if how.mouth_open > 0.03 or how.smile > 0.37:
        fill(fine, sketch["gap"], (52, 22, 22))
        if how.smile > 0.1:
            white = 150 + 75 * min(how.smile + 0.2, 1.0)
            fill(fine, sketch["teeth"], rgb(np.array([1.0, 0.96, 0.9]) * white))
    ink.stroke([sketch["lipline"]], 150)
    ink.stroke([sketch["underlip"]], 32, 3)
    stroke(fine, [sketch["lipgloss"]], rgb(np.minimum(skin * 1.06, 255)), 1)
