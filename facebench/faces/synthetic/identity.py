"""Who a synthetic person is: the parameters of geometry and appearance that no photograph changes.

Lengths are in *template pixels* (the eyes of the alignment template are 35.2 of them apart), with
the origin between the eyes, x to the right, y down and z towards the viewer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from facebench.faces.synthetic.seeding import ROLE_IDENTITY, generator
from facebench.faces.types import Array

HAIR_STYLES = ("shaved", "crop", "side", "fringe", "receding", "curly", "centre", "back")
BEARD_STYLES = ("none", "stubble", "moustache", "goatee", "full")

SKIN_ANCHORS = np.array(  # sRGB anchors from lightest to darkest
    [
        (244, 210, 192),
        (231, 188, 162),
        (212, 163, 130),
        (184, 131, 98),
        (142, 94, 66),
        (97, 62, 46),
    ],
    dtype=np.float64,
)
_HAIR = np.array(  # blond, light brown, auburn, brown, dark brown, black
    [(196, 160, 104), (138, 100, 64), (128, 62, 34), (84, 56, 38), (52, 37, 28), (26, 22, 22)],
    dtype=np.float64,
)
_IRIS = np.array(  # pale blue, grey, green, hazel, brown, dark brown
    [(112, 152, 186), (124, 136, 142), (104, 128, 84), (128, 100, 54), (92, 58, 32), (52, 34, 24)],
    dtype=np.float64,
)


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """The fixed parameters of one synthetic person (lengths in template pixels, colours sRGB).

    Compared and hashed as an object, so that what depends on the person alone can be cached.
    """

    age: float
    masculine: float
    skin: Array
    ruddy: float
    texture: float
    # the head
    face_width: float
    temple_width: float
    jaw_width: float
    jaw_height: float
    chin_width: float
    chin_length: float
    flatness: float
    cheekbone: float
    cheek_full: float
    # eyes and brows
    eye_spacing: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    eye_skew: float
    eye_depth: float
    iris_size: float
    iris: Array
    lid_crease: float
    eye_bag: float
    lashes: float
    brow_height: float
    brow_arch: float
    brow_tilt: float
    brow_length: float
    brow_thick: float
    brow_taper: float
    brow_gap: float
    brow_dark: float
    # nose and mouth
    nose_length: float
    nose_width: float
    nose_tip: float
    nose_bridge: float
    nose_bridge_width: float
    nostril: float
    nose_upturn: float
    mouth_height: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    cupid: float
    mouth_corner: float
    lip_red: float
    lip_dark: float
    # the frame
    ear_size: float
    ear_out: float
    ear_height: float
    hair_style: str
    hair: Array
    hair_grey: float
    hairline: float
    hairline_peak: float
    hairline_recede: float
    part: float
    wave: float
    beard_style: str
    beard_density: float
    # what age and chance left
    forehead_lines: float
    crow_feet: float
    nasolabial: float
    frown: float
    chin_cleft: float
    freckles: Array  # N x 3: x, y, radius
    freckle_dark: float
    moles: Array  # N x 4: x, y, radius, darkness
    scar: Array  # 0 or 1 x 5: x, y, length, angle, contrast
    asymmetry: Array  # 5: eye height, eye size, brow, mouth tilt, nose bend


def _ramp(anchors: Array, position: float) -> Array:
    """The colour at position in [0, 1] along a list of anchor colours."""
    at = min(max(position, 0.0), 1.0) * (len(anchors) - 1)
    low = min(int(at), len(anchors) - 2)
    return np.asarray(anchors[low] + (at - low) * (anchors[low + 1] - anchors[low]))


def _bounded(values: Array, low: float, high: float) -> Array:
    """As np.clip, but faster for few values."""
    return np.asarray(np.minimum(np.maximum(values, low), high))


def _choose(u: float, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    """The name whose share of the weights holds u in [0, 1)."""
    total = sum(weights)
    edges = [edge / total for edge in accumulate(weights)]
    return names[min(bisect_right(edges, u), len(names) - 1)]


@lru_cache(maxsize=2048)
def sample_identity(seed: int, identity: int) -> Identity:
    """The person with this number: the same parameters for the same (version, seed, identity)."""
    rng = generator(seed, ROLE_IDENTITY, identity)
    normal: Iterator[float] = iter(_bounded(rng.standard_normal(80), -2.4, 2.4).tolist())
    uniform: Iterator[float] = iter(rng.random(40).tolist())

    def n(mean: float, deviation: float) -> float:
        return mean + deviation * next(normal)

    def u() -> float:
        return next(uniform)

    masc = min(max((0.82 if u() < 0.5 else 0.18) + n(0, 0.13), 0.0), 1.0)
    m = masc - 0.5
    age = 18 + 57 * u() ** 1.3
    old = max(age - 32, 0) / 43
    tone = u()
    skin = _bounded(
        _ramp(SKIN_ANCHORS, tone) * np.exp([n(0, 0.02), n(0, 0.025), n(0, 0.05)]), 20, 250
    )
    # Dark hair and eyes are commoner than fair ones, the more so the darker the skin.
    hair_at = min(1.0, 0.25 + 0.55 * tone + 0.55 * (u() - 0.35))
    iris_at = min(1.0, 0.15 + 0.8 * tone + 0.75 * (u() - 0.4))
    hair = _bounded(_ramp(_HAIR, hair_at) * np.exp([n(0, 0.1), n(0, 0.08), n(0, 0.1)]), 8, 235)
    grey = min(max((age - 42) / 30 + n(0, 0.25), 0.0), 1.0) if age > 38 else 0.0
    hair = hair * (1 - grey) + grey * np.array([172.0, 170.0, 168.0])
    if masc > 0.5:
        style = _choose(u(), HAIR_STYLES, (2, 3.2, 2.4, 1.2, 1.2 + 3 * old, 1.2, 0.5, 1.4))
        beard = _choose(u(), BEARD_STYLES, (4.6, 2.2, 1.0, 1.0, 1.6))
    else:
        style = _choose(u(), HAIR_STYLES, (0.1, 0.8, 2.6, 2.6, 0.0, 1.4, 2.8, 2.0))
        beard = "none"
    freckled = u() < 0.22 * (1.3 - tone)
    count = int(18 + 40 * u()) if freckled else 0
    spots = rng.random((count, 4))
    freckles = np.stack(
        [
            (spots[:, 0] + spots[:, 1] - 1) * 34,
            14 + (spots[:, 2] - 0.5) * 30,
            0.35 + 0.4 * spots[:, 3],
        ],
        axis=1,
    )
    marks = rng.random((int(4.2 * u() ** 1.6), 4))
    moles = np.stack(
        [
            (marks[:, 0] * 2 - 1) * 32,
            -30 + 86 * marks[:, 1],
            0.6 + 0.8 * marks[:, 2],
            0.45 + 0.4 * marks[:, 3],
        ],
        axis=1,
    )
    line = rng.random((1 if u() < 0.1 else 0, 5))
    scar = line * [56, 84, 10, np.pi, 0.25] + [-28, -30, 5, 0, 0.15]
    who = Identity(
        age=age,
        masculine=masc,
        skin=skin,
        ruddy=max(n(0.5, 0.3), 0.0),
        texture=max(n(0.6, 0.25) + 0.5 * old, 0.15),
        face_width=n(39.5, 2.3) + 1.5 * m,
        temple_width=n(36.5, 1.7),
        jaw_width=n(31.5, 3.0) + 4.0 * m,
        jaw_height=n(41, 2.8),
        chin_width=n(13, 2.8) + 4.0 * m,
        chin_length=n(65.5, 3.0) + 3.0 * m,
        flatness=n(38, 3.5),
        cheekbone=n(2.6, 1.2) - 0.5 * m,
        cheek_full=n(0.6, 1.7),
        eye_spacing=n(17.4, 0.95),
        eye_width=n(8.3, 0.8) - 0.5 * m,
        eye_open=n(3.1, 0.62) - 0.5 * m - 0.4 * old,
        eye_tilt=n(-0.05, 0.085) + 0.05 * m + 0.05 * old,
        eye_skew=n(0, 0.28),
        eye_depth=max(n(3.2, 1.4) + 1.5 * m, 0.2),
        iris_size=n(3.45, 0.26),
        iris=_bounded(_ramp(_IRIS, iris_at) * np.exp(n(0, 0.12)), 15, 220),
        lid_crease=min(max(n(0.6, 0.45), 0.0), 1.4),
        eye_bag=max(n(0.15, 0.3) + 0.8 * old, 0.0),
        lashes=min(max(n(0.55, 0.25) - 0.7 * m, 0.0), 1.2),
        brow_height=n(-11.0, 1.5) + 2.0 * m,
        brow_arch=n(1.9, 1.2) - 1.3 * m,
        brow_tilt=n(-0.03, 0.1) + 0.06 * m,
        brow_length=n(10.6, 1.3),
        brow_thick=max(n(1.75, 0.5) + 1.3 * m, 0.6),
        brow_taper=min(max(n(0.55, 0.2), 0.1), 0.95),
        brow_gap=n(0.0, 1.5) - 0.8 * m,
        brow_dark=min(max(n(0.72, 0.2) - 0.25 * grey, 0.2), 1.0),
        nose_length=n(21.5, 2.1),
        nose_width=n(7.9, 1.15) + 0.9 * m,
        nose_tip=n(4.2, 0.8) + 0.4 * m,
        nose_bridge=max(n(1.0, 0.3), 0.25),
        nose_bridge_width=n(3.3, 0.6) + 0.4 * m,
        nostril=max(n(1.0, 0.25), 0.4),
        nose_upturn=n(0, 1.0),
        mouth_height=n(40.5, 1.7),
        mouth_width=n(14.3, 1.5) + 0.6 * m,
        upper_lip=max(n(3.0, 0.95) - 0.8 * m - 0.8 * old, 0.8),
        lower_lip=max(n(4.5, 1.05) - 0.6 * m - 0.8 * old, 1.4),
        cupid=max(n(0.9, 0.5), 0.0),
        mouth_corner=n(0, 0.9) + 0.5 * old,
        lip_red=max(n(0.5, 0.3) - 0.4 * m, 0.0),
        lip_dark=n(0.8, 0.07),
        ear_size=n(11.5, 1.4) + m + old,
        ear_out=max(n(4.4, 1.5), 1.2),
        ear_height=n(8, 2.0),
        hair_style=style,
        hair=hair,
        hair_grey=grey,
        hairline=n(-38.5, 3.0) - (5 * old * masc if style == "receding" else 0),
        hairline_peak=n(0.6, 1.6),
        hairline_recede=max(n(2.5, 2.0) + 4 * m, 0) + (9 if style == "receding" else 0),
        part=(1 if u() < 0.5 else -1) * (8 + 10 * u()),
        wave=u(),
        beard_style=beard,
        beard_density=n(0.75, 0.15),
        forehead_lines=max(n(0.0, 0.25) + 0.95 * old, 0.0),
        crow_feet=max(n(0.0, 0.25) + 0.9 * old, 0.0),
        nasolabial=max(n(0.3, 0.25) + 0.6 * old, 0.0),
        frown=max(n(0.05, 0.35) + 0.4 * old, 0.0),
        chin_cleft=max(n(-0.5, 0.7) + 0.5 * m, 0.0),
        freckles=freckles,
        freckle_dark=0.1 + 0.16 * u(),
        moles=moles,
        scar=scar,
        asymmetry=np.array([n(0, 0.35), n(0, 0.05), n(0, 0.5), n(0, 0.4), n(0, 0.8)]),
    )
    for array in (who.skin, who.iris, who.hair, who.freckles, who.moles, who.scar, who.asymmetry):
        array.setflags(write=False)  # the person is cached, and shared by all images
    return who
