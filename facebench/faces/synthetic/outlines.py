"""The lines of a face: closed and open curves of canonical points, projected in one go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.capture import Capture
from facebench.faces.synthetic.drawing import Fixed, fixed, spline
from facebench.faces.synthetic.geometry import Pose, mouth_corners, mouth_y
from facebench.faces.synthetic.identity import Identity

Array = NDArray[np.float64]

_T = np.linspace(-1, 1, 17)
_LID = (1 - _T**2) ** 0.8
_LIP = (1 - np.abs(_T) ** 2.4) ** 0.9
_BOW = np.exp(-((_T / 0.16) ** 2)) - 0.55 * np.exp(-(((np.abs(_T) - 0.3) / 0.2) ** 2))
_LOW = (1 - _T**2) ** 0.75
_B = np.linspace(0, 1, 11)
_ARCH = np.sin(np.pi * np.clip(_B, 0, 1) ** 1.25)
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
_ROOT = np.linspace(0.02, 0.98, 15)
_FOLD = np.linspace(0, 1, 7)
_FOLD_BULGE = np.sin(np.pi * _FOLD)
_CROW = np.linspace(1.8, 6.5, 4)
_AROUND = np.linspace(0, 2 * np.pi, 12, endpoint=False) - 0.3
_COS, _SIN = np.cos(_AROUND), np.sin(_AROUND)
_WING = np.linspace(-0.55, 1.25, 8)
_WING_X, _WING_Y = 0.62 + 0.40 * np.cos(_WING - 0.35), 3.6 * np.sin(_WING)
_NINE = np.linspace(-1, 1, 9)
_FOUR = np.linspace(0, 1, 4)


class Sketch:
    """Curves by name: add canonical points, project them together, take fixed canvas points."""

    def __init__(self) -> None:
        self._at: dict[str, slice] = {}
        self._x: list[Array] = []
        self._y: list[Array] = []
        self._above: list[float] = []
        self._sizes: list[int] = []
        self._count = 0
        self._fixed: Fixed = np.empty((0, 2), dtype=np.int32)

    def add(self, name: str, x: Array, y: Array, above: float = 0.0) -> None:
        """Add a curve that lies so far above the relief."""
        self._at[name] = slice(self._count, self._count + len(x))
        self._count += len(x)
        self._x.append(x)
        self._y.append(y)
        self._above.append(above)
        self._sizes.append(len(x))

    def project(self, pose: Pose) -> None:
        """Project all curves onto the canvas."""
        points = np.column_stack([np.concatenate(self._x), np.concatenate(self._y)])
        self._fixed = fixed(pose.project(points, np.repeat(self._above, self._sizes)))

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def __getitem__(self, name: str) -> Fixed:
        return self._fixed[self._at[name]]


def face_outline(who: Identity) -> Array:
    """56 x 2 canonical points around the face, from the chin over the right side of the picture."""
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
    """All curves of the inner face with this expression."""
    sketch = Sketch()
    outline = face_outline(who)
    sketch.add("head", outline[:, 0], outline[:, 1])
    sketch.add("skull", outline[:, 0] * 0.985, outline[:, 1] * 0.99 - 1.5, -20)
    for side, name in ((-1, "l"), (1, "r")):
        _eye(sketch, who, how, side, name)
        _brow(sketch, who, how, side, name)
        _cheek_lines(sketch, who, how, side, name)
        x = (who.face_width - 1.5 + _EAR[:, 0] * who.ear_out * 1.6) * side
        y = who.ear_height + _EAR[:, 1] * who.ear_size
        sketch.add("ear" + name, x, y, -7)
        inner = _EAR[:14] * [0.6, 0.66]
        x = (who.face_width - 0.5 + inner[:, 0] * who.ear_out * 1.6) * side
        sketch.add("earfold" + name, x, who.ear_height + inner[:, 1] * who.ear_size, -7)
    _mouth(sketch, who, how)
    _nose(sketch, who, how)
    _forehead(sketch, who, how)
    if len(who.freckles):
        sketch.add("freckles", who.freckles[:, 0], who.freckles[:, 1])
    if len(who.moles):
        sketch.add("moles", who.moles[:, 0], who.moles[:, 1])
    if len(who.scar):
        x, y, length, angle, _ = who.scar[0]
        t = np.linspace(-0.5, 0.5, 5) * length
        sketch.add("scar", x + t * np.cos(angle) + 0.06 * t**2, y + t * np.sin(angle))
    return sketch


def _eye(sketch: Sketch, who: Identity, how: Capture, side: int, name: str) -> None:
    cx, cy = side * who.eye_spacing, -side * who.asymmetry[0]
    wide = who.eye_width
    size = who.eye_open * (1 + side * who.asymmetry[1])
    open_ = how.eye_opening * (1 - 0.2 * max(how.smile, 0))
    x = cx + side * _T * wide
    tilt = who.eye_tilt * _T * wide + cy
    skew = 1 + who.eye_skew * _T
    upper = tilt - size * (1.25 * open_ - 0.55 * max(1 - open_, 0)) * _LID * skew
    lower = tilt + size * (0.5 + 0.22 * open_ - 0.2 * max(how.smile, 0)) * _LID * (2 - skew)
    upper = np.minimum(upper, lower)
    sketch.add(
        "eye" + name, np.concatenate([x, x[-2:0:-1]]), np.concatenate([upper, lower[-2:0:-1]])
    )
    sketch.add("lash" + name, x, upper - 0.15)
    sketch.add("lower" + name, x, lower)
    top = tilt - size * 1.25 * (0.5 + 0.5 * open_) * _LID * skew
    sketch.add("crease" + name, cx + side * (_T * 1.04) * wide, top - 0.9 - 1.1 * _LID)
    bag = tilt + size * 0.8 + 1.2 + 2.6 * _LID
    sketch.add("bag" + name, (cx + side * _T * wide * 0.95)[1:-1], bag[1:-1])
    gaze = how.gaze - np.array([4.0 * np.sin(how.yaw) * 0.5, 0.0])
    sketch.add("iris" + name, np.array([cx + gaze[0]]), np.array([cy - 0.35 * size + gaze[1]]))


def _brow(sketch: Sketch, who: Identity, how: Capture, side: int, name: str) -> None:
    inner = max(who.eye_spacing - who.brow_length * 1.02 - who.brow_gap, 1.5)
    x = inner + _B * 2.1 * who.brow_length
    y = who.brow_height - who.brow_arch * _ARCH + who.brow_tilt * (x - who.eye_spacing)
    y = y - how.brow_raise * (0.8 + 0.3 * _ARCH) + side * who.asymmetry[2]
    y = y + 3.4 * _B**3
    thick = who.brow_thick * (1 - who.brow_taper * _B**1.6) * _BROW_END
    sketch.add(
        "brow" + name,
        side * np.concatenate([x, x[::-1]]),
        np.concatenate([y - thick, (y + thick)[::-1]]),
    )
    rx, ry, rt = (np.interp(_ROOT, _B, values) for values in (x, y, thick))
    lean = 1.2 + 1.6 * _ROOT
    hairs_x, hairs_y = np.empty((15, 2)), np.empty((15, 2))
    hairs_x[:, 0], hairs_x[:, 1] = rx - 0.4 * lean, rx + lean
    hairs_y[:, 0], hairs_y[:, 1] = ry + rt, ry - rt * (1.1 - 0.5 * _ROOT)
    sketch.add("hairs" + name, side * hairs_x.ravel(), hairs_y.ravel())


def _cheek_lines(sketch: Sketch, who: Identity, how: Capture, side: int, name: str) -> None:
    corner = mouth_corners(who, how)[(side + 1) // 2]
    start_x, start_y = side * (who.nose_width + 1.5), who.nose_length - 2.0
    end_x, end_y = corner[0] + side * 3.2, corner[1] + 1.5
    bulge = 1.5 + 2.0 * max(how.smile, 0)
    fold_x = start_x + (end_x - start_x) * _FOLD + side * bulge * _FOLD_BULGE
    sketch.add("fold" + name, fold_x, start_y + (end_y - start_y) * _FOLD)
    outer = who.eye_spacing + who.eye_width
    for k, slope in enumerate((-0.45, 0.05, 0.5)):
        sketch.add(f"crow{k}{name}", side * (outer + _CROW), slope * _CROW + 0.04 * _CROW**2 - 0.3)


def _mouth(sketch: Sketch, who: Identity, how: Capture) -> None:
    left, right = mouth_corners(who, how)
    x = (left[0] + right[0]) / 2 + _T * (right[0] - left[0]) / 2
    level = (left[1] + right[1]) / 2 + _T * (right[1] - left[1]) / 2
    middle = mouth_y(who, how)
    sag = (middle - (left[1] + right[1]) / 2) * (1 - _T**2)
    gape = how.mouth_open * 6.5 + max(how.smile - 0.35, 0) * 3.8
    line = level + sag - 0.35 * gape * _LIP * 0.8
    line2 = level + sag + 0.65 * gape * _LIP
    thin = 1 - 0.22 * max(how.smile, 0)
    top = line - who.upper_lip * thin * _LIP * (0.75 + 0.25 * (1 - np.abs(_T)))
    top = top + 0.9 * who.cupid * _BOW
    low = line2 + who.lower_lip * thin * _LOW
    back = slice(-2, 0, -1)
    sketch.add("upperlip", np.r_[x, x[back]], np.r_[top, line[back]])
    sketch.add("lowerlip", np.r_[x, x[back]], np.r_[line2, low[back]])
    sketch.add("gap", np.r_[x, x[back]], np.r_[line, line2[back]])
    teeth = line + np.minimum(gape * _LIP * 0.92, 3.8)
    sketch.add("teeth", np.r_[x, x[back]][2:-2], np.r_[line, teeth[back]][2:-2])
    sketch.add("lipline", x, line)
    sketch.add("underlip", x[4:-4], low[4:-4] + 1.2)
    sketch.add("lipgloss", x[6:11], (0.55 * line2 + 0.45 * low)[6:11])


def _nose(sketch: Sketch, who: Identity, how: Capture) -> None:
    wide = who.nose_width * (1 + 0.08 * max(how.smile, 0))
    base = who.nose_length + 1.2
    for side, name in ((-1, "l"), (1, "r")):
        hole = 0.42 * wide * side
        size = 1.0 + 0.9 * who.nostril
        tall = 0.36 * max(who.nose_upturn + 1.2, 0.3) + 0.35
        sketch.add(
            "nostril" + name, hole + size * _COS, base + 0.4 + tall * _SIN + 0.15 * side * _COS
        )
        sketch.add("wing" + name, side * wide * _WING_X, base - 2.0 + _WING_Y)


def _forehead(sketch: Sketch, who: Identity, how: Capture) -> None:
    for k, y in enumerate((-20.0, -25.0, -30.0)):
        rise = -how.brow_raise - 1.6 * np.cos(_NINE * 4.0 + k)
        sketch.add(f"line{k}", _NINE * (17 + 2 * k), y + 0.5 * rise)
    for side, name in ((-1, "l"), (1, "r")):
        sketch.add("frown" + name, side * (2.4 + 0.9 * _FOUR), who.brow_height + 3.5 - 6 * _FOUR)
