"""The lines of a face: closed and open curves of canonical points."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.drawing import Fixed, fixed, spline
from facebench.faces.synthetic.geometry import Pose, mouth_corners, mouth_y
from facebench.faces.synthetic.identity import Identity
from facebench.faces.types import Array

_SIDES = np.array([[-1.0], [1.0]])
"""2 x 1: left and right, to draw both sides of the face at once."""

_T = np.linspace(-1, 1, 17)
_SIDE_T = _SIDES * _T
_LID = (1 - _T**2) ** 0.8
_LIP = (1 - np.abs(_T) ** 2.4) ** 0.9
_BOW = np.exp(-((_T / 0.16) ** 2)) - 0.55 * np.exp(-(((np.abs(_T) - 0.3) / 0.2) ** 2))
_LOW = (1 - _T**2) ** 0.75
_CREASE = 1.1 * _LID
_BACK = slice(-2, 0, -1)  # the way back along a line, without its ends
_PEAK, _DOME = 0.75 + 0.25 * (1 - np.abs(_T)), 1 - _T**2
_B = np.linspace(0, 1, 11)
_B2, _B3, _THIN = _B * 2.1, 3.4 * _B**3, _B**1.6
_ARCH = np.sin(np.pi * np.clip(_B, 0, 1) ** 1.25)
_RAISED = 0.8 + 0.3 * _ARCH
_BROW_END = np.minimum(1, (_B + 0.12) * 5) * np.minimum(1, (1.06 - _B) * 4)
_EAR = np.array(
    [
        (0.0, -0.75),
        (0.35, -1.0),
        (0.85, -0.95),
        (1.0, -0.5),
        (0.85, 0.1),
        (0.55, 0.65),
        (0.2, 1.0),
        (-0.1, 0.85),
        (-0.1, 0.0),
    ]
)
_EAR = spline(len(_EAR), 24, True) @ _EAR
_EAR_FOLD = _EAR[:14] * [0.6, 0.66]
_ROOT = np.linspace(0.02, 0.98, 15)
_LEAN = 1.2 + 1.6 * _ROOT
_FOLD = np.linspace(0, 1, 7)
_FOLD_BULGE = np.sin(np.pi * _FOLD)
_CROW = np.linspace(1.8, 6.5, 4)
_CROW_Y = np.concatenate([k * _CROW + 0.04 * _CROW**2 - 0.3 for k in (-0.45, 0.05, 0.5)])
_CROW_X = np.tile(_CROW, 3)
_AROUND = np.linspace(0, 2 * np.pi, 12, endpoint=False) - 0.3
_COS, _SIN = np.cos(_AROUND), np.sin(_AROUND)
_ASKEW = 0.15 * _SIDES * _COS
_WING = np.linspace(-0.55, 1.25, 8)
_WING_X, _WING_Y = 0.62 + 0.40 * np.cos(_WING - 0.35), 3.6 * np.sin(_WING)
_NINE = np.linspace(-1, 1, 9)
_LINES_X = np.concatenate([_NINE * (17 + 2 * k) for k in range(3)])
_LINES_Y = np.repeat([-20.0, -25.0, -30.0], 9)
_LINES_WAVE = np.concatenate([1.6 * np.cos(_NINE * 4.0 + k) for k in range(3)])
_FOUR = np.linspace(0, 1, 4)
_FROWN_X, _FROWN_Y = _SIDES * (2.4 + 0.9 * _FOUR), 6 * _FOUR


def face_outline(who: Identity) -> Array:
    """60 x 2 canonical points around the face, from the chin over the right side of the picture."""
    w, chin = who.face_width, who.chin_length
    jaw_y = who.jaw_height
    half = [
        (who.chin_width * 0.62, chin - 1.2),
        (who.chin_width * 1.25, chin - 4.5),
        (0.42 * who.chin_width * 1.3 + 0.58 * who.jaw_width, 0.45 * chin + 0.55 * jaw_y),
        (who.jaw_width, jaw_y),
        (0.45 * who.jaw_width + 0.55 * w + 0.4, 0.5 * jaw_y + 5),
        (w, 4.0),
        (0.5 * (w + who.temple_width) + 0.3, -14.0),
        (who.temple_width, -30.0),
        (who.temple_width * 0.93, -48.0),
        (who.temple_width * 0.66, -66.0),
    ]
    right = np.array(half)
    left = right[::-1] * [-1, 1]
    ring = np.concatenate([[(0.0, chin)], right, [(0.0, -74.0)], left])
    return np.asarray(spline(len(ring), 60, True) @ ring)


def draw_lines(who: Identity, how: Capture) -> Sketch:
    """All curves of head and inner face with this expression."""
    sketch = Sketch(_own_curves(who))
    corners = mouth_corners(who, how)
    _eyes(sketch, who, how)
    _brows(sketch, who, how)
    _folds(sketch, who, how, corners)
    _mouth(sketch, who, how, corners)
    _nose(sketch, who, how)
    # Three lines of 9 points in one curve.
    sketch.add("lines", _LINES_X, _LINES_Y + 0.5 * (-how.brow_raise - _LINES_WAVE))
    return sketch


# What depends on the person alone is drawn once for consecutive images.
@lru_cache(maxsize=4)
def _own_curves(who: Identity) -> Sketch:
    """The curves that neither expression nor light changes."""
    sketch = Sketch()
    x, y = face_outline(who).T
    sketch.add("head", x, y)
    sketch.add("skull", x * 0.985, y * 0.99 - 1.5, -20)
    ear_x = (who.face_width - 1.5 + _EAR[:, 0] * who.ear_out * 1.6) * _SIDES
    sketch.add_pair("ear", ear_x, _twice(who.ear_height + _EAR[:, 1] * who.ear_size), -7.0)
    fold_x = (who.face_width - 0.5 + _EAR_FOLD[:, 0] * who.ear_out * 1.6) * _SIDES
    fold_y = who.ear_height + _EAR_FOLD[:, 1] * who.ear_size
    sketch.add_pair("earfold", fold_x, _twice(fold_y), -7.0)
    eye = _own_eye(who)
    bag_x = eye.cx + _SIDE_T * who.eye_width * 0.95
    bag_y = eye.tilt + eye.size * 0.8 + 1.2 + 2.6 * _LID
    sketch.add_pair("bag", bag_x[:, 1:-1], bag_y[:, 1:-1])
    outer = who.eye_spacing + who.eye_width
    sketch.add_pair("crow", _SIDES * (outer + _CROW_X), _twice(_CROW_Y))  # three lines of 4
    sketch.add_pair("frown", _FROWN_X, _twice(who.brow_height + 3.5 - _FROWN_Y))
    if len(who.freckles):
        sketch.add("freckles", who.freckles[:, 0], who.freckles[:, 1])
    if len(who.moles):
        sketch.add("moles", who.moles[:, 0], who.moles[:, 1])
    if len(who.scar):
        x, y, length, angle, _ = who.scar[0]
        t = np.linspace(-0.5, 0.5, 5) * length
        sketch.add("scar", x + t * np.cos(angle) + 0.06 * t**2, y + t * np.sin(angle))
    return sketch.joined()


def _twice(y: Array) -> Array:
    """2 x N: the same heights on both sides."""
    return np.stack([y, y])


class _Eye(NamedTuple):
    """What of both eyes does not change: 2 x 1 or 2 x 17, left and right."""

    cx: Array
    cy: Array
    size: Array
    x: Array
    ring_x: Array
    crease_x: Array
    tilt: Array
    skew: Array


@lru_cache(maxsize=4)
def _own_eye(who: Identity) -> _Eye:
    cx, cy = _SIDES * who.eye_spacing, -_SIDES * who.asymmetry[0]
    wide = who.eye_width
    x = cx + _SIDE_T * wide
    return _Eye(
        cx=cx,
        cy=cy,
        size=who.eye_open * (1 + _SIDES * who.asymmetry[1]),
        x=x,
        ring_x=np.concatenate([x, x[:, _BACK]], axis=1),
        crease_x=cx + _SIDES * (_T * 1.04) * wide,
        tilt=who.eye_tilt * _T * wide + cy,
        skew=1 + who.eye_skew * _T,
    )


def _eyes(sketch: Sketch, who: Identity, how: Capture) -> None:
    eye = _own_eye(who)
    tilt, size, skew = eye.tilt, eye.size, eye.skew
    smile = max(how.smile, 0)
    open_ = how.eye_opening * (1 - 0.2 * smile)
    upper = tilt - size * (1.25 * open_ - 0.55 * max(1 - open_, 0)) * _LID * skew
    lower = tilt + size * (0.5 + 0.22 * open_ - 0.2 * smile) * _LID * (2 - skew)
    upper = np.minimum(upper, lower)
    top = tilt - size * 1.25 * (0.5 + 0.5 * open_) * _LID * skew
    gaze_x, gaze_y = how.gaze.tolist()
    gaze_x -= 4.0 * float(np.sin(how.yaw)) * 0.5
    sketch.add_pair("eye", eye.ring_x, np.concatenate([upper, lower[:, _BACK]], axis=1))
    sketch.add_pair("lash", eye.x, upper - 0.15)
    sketch.add_pair("lower", eye.x, lower)
    sketch.add_pair("crease", eye.crease_x, top - 0.9 - _CREASE)
    sketch.add_pair("iris", eye.cx + gaze_x, eye.cy - 0.35 * size + gaze_y)


class _Brow(NamedTuple):
    """What of both brows does not change."""

    level: Array
    thick: Array
    askew: Array
    ring_x: Array
    hairs_x: Array
    over: Array
    under: Array


@lru_cache(maxsize=4)
def _own_brow(who: Identity) -> _Brow:
    inner = max(who.eye_spacing - who.brow_length * 1.02 - who.brow_gap, 1.5)
    x = inner + _B2 * who.brow_length
    thick = who.brow_thick * (1 - who.brow_taper * _THIN) * _BROW_END
    rx, rt = np.interp(_ROOT, _B, x), np.interp(_ROOT, _B, thick)
    hairs_x = np.stack([rx - 0.4 * _LEAN, rx + _LEAN], axis=1)
    return _Brow(
        level=who.brow_height - who.brow_arch * _ARCH + who.brow_tilt * (x - who.eye_spacing),
        thick=thick,
        askew=_SIDES * who.asymmetry[2],
        ring_x=_SIDES * np.concatenate([x, x[::-1]]),
        hairs_x=_SIDES * hairs_x.ravel(),
        over=rt,
        under=rt * (1.1 - 0.5 * _ROOT),
    )


def _brows(sketch: Sketch, who: Identity, how: Capture) -> None:
    brow = _own_brow(who)
    y = brow.level - how.brow_raise * _RAISED + brow.askew + _B3
    ring_y = np.concatenate([y - brow.thick, (y + brow.thick)[:, ::-1]], axis=1)
    hairs_y = np.empty((2, 15, 2))
    for side in range(2):
        root = np.interp(_ROOT, _B, y[side])
        np.add(root, brow.over, out=hairs_y[side, :, 0])
        np.subtract(root, brow.under, out=hairs_y[side, :, 1])
    sketch.add_pair("brow", brow.ring_x, ring_y)
    sketch.add_pair("hairs", brow.hairs_x, hairs_y)


def _folds(sketch: Sketch, who: Identity, how: Capture, corners: Array) -> None:
    """From the wings of the nose past the corners of the mouth."""
    start_x, start_y = _SIDES * (who.nose_width + 1.5), who.nose_length - 2.0
    end_x, end_y = corners[:, :1] + _SIDES * 3.2, corners[:, 1:] + 1.5
    bulge = 1.5 + 2.0 * max(how.smile, 0)
    fold_x = start_x + (end_x - start_x) * _FOLD + _SIDES * bulge * _FOLD_BULGE
    sketch.add_pair("fold", fold_x, start_y + (end_y - start_y) * _FOLD)


def _mouth(sketch: Sketch, who: Identity, how: Capture, corners: Array) -> None:
    (left_x, left_y), (right_x, right_y) = corners.tolist()
    x = (left_x + right_x) / 2 + _T * (right_x - left_x) / 2
    level = (left_y + right_y) / 2 + _T * (right_y - left_y) / 2
    sag = (mouth_y(who, how) - (left_y + right_y) / 2) * _DOME
    gape = how.mouth_open * 6.5 + max(how.smile - 0.35, 0) * 3.8
    middle = level + sag
    line = middle - 0.35 * gape * _LIP * 0.8
    line2 = middle + 0.65 * gape * _LIP
    thin = 1 - 0.22 * max(how.smile, 0)
    top = line - who.upper_lip * thin * _LIP * _PEAK
    top = top + 0.9 * who.cupid * _BOW
    low = line2 + who.lower_lip * thin * _LOW
    teeth = line + np.minimum(gape * _LIP * 0.92, 3.8)
    around = np.concatenate([x, x[_BACK]])
    sketch.add("upperlip", around, np.concatenate([top, line[_BACK]]))
    sketch.add("lowerlip", around, np.concatenate([line2, low[_BACK]]))
    sketch.add("gap", around, np.concatenate([line, line2[_BACK]]))
    sketch.add("teeth", around[2:-2], np.concatenate([line, teeth[_BACK]])[2:-2])
    sketch.add("lipline", x, line)
    sketch.add("underlip", x[4:-4], low[4:-4] + 1.2)
    sketch.add("lipgloss", x[6:11], (0.55 * line2 + 0.45 * low)[6:11])


@lru_cache(maxsize=4)
def _own_nose(who: Identity) -> tuple[Array, Array, Array]:
    """2 x 12 each: x of the nostrils about their middles, and y; 2 x 8: y of the wings."""
    base = who.nose_length + 1.2
    size = 1.0 + 0.9 * who.nostril
    tall = 0.36 * max(who.nose_upturn + 1.2, 0.3) + 0.35
    return size * _COS, base + 0.4 + tall * _SIN + _ASKEW, _twice(base - 2.0 + _WING_Y)


def _nose(sketch: Sketch, who: Identity, how: Capture) -> None:
    wide = who.nose_width * (1 + 0.08 * max(how.smile, 0))
    across, hole_y, wing_y = _own_nose(who)
    sketch.add_pair("nostril", 0.42 * wide * _SIDES + across, hole_y)
    sketch.add_pair("wing", _SIDES * wide * _WING_X, wing_y)


class Sketch:
    """Curves by name: add canonical points, project them together, take fixed canvas points."""

    def __init__(self, start: Sketch | None = None) -> None:
        """An empty sketch, or one that goes on from another."""
        self._at: dict[str, slice] = {}
        self._x: list[Array] = []
        self._y: list[Array] = []
        self._above: list[float] = []
        self._sizes: list[int] = []
        self._count = 0
        self._fixed: Fixed = np.empty((0, 2), dtype=np.int32)
        if start is not None:
            self._at.update(start._at)
            self._x += start._x
            self._y += start._y
            self._above += start._above
            self._sizes += start._sizes
            self._count = start._count

    def add(self, name: str, x: Array, y: Array, above: float = 0.0) -> None:
        """Add a curve that lies so far above the relief."""
        size = len(x)
        self._at[name] = slice(self._count, self._count + size)
        self._extend(x, y, size, above)

    def add_pair(self, name: str, x: Array, y: Array, above: float = 0.0) -> None:
        """Add 2 x N points: a curve left and one right, by the name with l and with r."""
        size, start = x.shape[1], self._count
        self._at[name + "l"] = slice(start, start + size)
        self._at[name + "r"] = slice(start + size, start + 2 * size)
        self._extend(x.ravel(), y.ravel(), 2 * size, above)

    def _extend(self, x: Array, y: Array, size: int, above: float) -> None:
        self._count += size
        self._x.append(x)
        self._y.append(y)
        self._above.append(above)
        self._sizes.append(size)

    def joined(self) -> Sketch:
        """The same curves, faster to go on from."""
        out = Sketch(self)
        out._x, out._y = [np.concatenate(self._x)], [np.concatenate(self._y)]
        return out

    def project(self, pose: Pose) -> None:
        """Project all curves onto the canvas."""
        points = np.empty((self._count, 2))
        np.concatenate(self._x, out=points[:, 0])
        np.concatenate(self._y, out=points[:, 1])
        self._fixed = fixed(pose.project(points, np.repeat(self._above, self._sizes)))

    def pair(self, name: str) -> Fixed:
        """2 x N x 2: a curve left and right."""
        left, right = self._at[name + "l"], self._at[name + "r"]
        return self._fixed[left.start : right.stop].reshape(2, -1, 2)

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def __getitem__(self, name: str) -> Fixed:
        return self._fixed[self._at[name]]
