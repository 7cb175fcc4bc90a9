"""Files of five landmarks per image: read, and asked whether they can be faces at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.opening import read_list, wrong_line
from facebench.faces.align.template import TEMPLATE_112X96, usable
from facebench.faces.lfw.lists import some

Points = NDArray[np.float64]  # 5×2, x y in pixels of the image
ORDERS = ("xyxy", "xxyy")
"""Of the ten numbers of a row: x y of each point, or x of all points and then y of all."""

# Root mean square distance from the template after the best similarity, in distances of its eyes.
# A solid face turned by 90° has .45, nodding by 80° .5; of LFW's 13,233 the worst has .35. Read in
# the other order LFW's have .48 in the median, with left and right exchanged .65.
NO_FACE, DOUBTFUL = 0.55, 0.3
_LEAST_SPREAD = 1.0  # pixels from the middle of the points, root mean square; LFW's have 20 to 55
_UPRIGHT = np.pi / 4
_LOOKED_AT = 1000  # rows in which another order is looked for, of which there are 120
_LEFT_RIGHT = (1, 0, 2, 4, 3)
_NAMES = ("left eye", "right eye", "nose", "left corner", "right corner of the mouth")


def read_landmarks(path: Path, order: str = ORDERS[0]) -> dict[str, Points]:
    """Five points, float64 5×2 in pixels, by key, from rows of a key and ten numbers.

    order: one of `ORDERS`. UserError naming file and line: rows that are none, a key twice, and a
    file whose rows on the whole can be no faces as they were read; it says how to read them.
    """
    rows = _rows(path)
    lines = np.array([line for line, _ in rows.values()])
    numbers = np.stack([row for _, row in rows.values()])
    points = _ordered(numbers, order)
    good = usable(points)
    if not good.all():
        raise UserError(
            f"{path}, line {lines[np.argmin(good)]}: its five points are no numbers or one and the "
            "same place; leave the row out where no face was found, and count such images as "
            "failures to acquire with --on-missing count"
        )
    _refuse_misread(path, lines, numbers, order)
    return dict(zip(rows, points, strict=True))


def check_order(order: str) -> None:
    """UserError with the nearest name where no order is called so."""
    if order not in ORDERS:
        known = ", ".join(ORDERS)
        raise UserError(f"no order of landmarks {order!r}{nearest(order, ORDERS)} ({known})")


def impossible(landmarks: Mapping[str, Points], keys: Sequence[str]) -> list[str]:
    """Those of the keys whose points can be no face, seen from whatever side; sorted."""
    there = sorted(key for key in set(keys) if key in landmarks)
    if not there:
        return []
    points = np.stack([landmarks[key] for key in there])
    wrong = (_misfit(points)[0] > NO_FACE) | (_spread(points) < _LEAST_SPREAD)
    return [key for key, is_wrong in zip(there, wrong, strict=True) if is_wrong]


def impossible_remark(keys: Sequence[str], total: int) -> str:
    """The sentence on faces that `impossible` found."""
    return (
        f"the landmarks of {some(keys)} of {total:,} images can be no face; these count as "
        "failures to acquire"
    )


def _misfit(points: Points) -> tuple[Points, Points]:
    """Of N×5×2: how far each is from the template after the best similarity (see `NO_FACE`), and
    the angle that this turns by, in radians; float64 N each.
    """
    z = points[..., 0] + 1j * points[..., 1]
    z = z - z.mean(1, keepdims=True)
    goal = np.array([complex(*point) for point in TEMPLATE_112X96])
    eyes = abs(goal[1] - goal[0])
    goal = goal - goal.mean()
    turn = (z.conj() @ goal) / np.square(np.abs(z)).sum(1)
    away = np.square(np.abs(turn[:, None] * z - goal)).mean(1)
    return np.sqrt(away) / eyes, np.angle(turn)


def _spread(points: Points) -> Points:
    away = points - points.mean(1, keepdims=True)
    return np.asarray(np.sqrt(np.square(away).sum(2).mean(1)))


def _ordered(numbers: Points, order: str) -> Points:
    """N×10 numbers as N×5×2 points."""
    if order == ORDERS[0]:
        return numbers.reshape(-1, 5, 2)
    return numbers.reshape(-1, 2, 5).transpose(0, 2, 1)


def _refuse_misread(path: Path, lines: NDArray[np.int64], numbers: Points, order: str) -> None:
    """UserError where most rows are no faces, or plainly better ones when read in another way."""
    points = _ordered(numbers, order)
    misfit = _misfit(points)[0]
    typical = float(np.median(misfit))
    if typical > DOUBTFUL and (better := _better_way(numbers, order, typical / 2)):
        raise _misread(path, lines, misfit > typical / 2, better)
    if typical > NO_FACE:
        remedy = "check which points they are, and their order"
        raise _misread(path, lines, misfit > NO_FACE, remedy)
    small = _spread(points) < _LEAST_SPREAD
    if np.median(small):
        remedy = "they lie within a pixel: are they shares of the image's side? write pixels"
        raise _misread(path, lines, small, remedy)


def _better_way(numbers: Points, order: str, most: float) -> str | None:
    """How to read rows N×10 so that most are faces that misfit less than ``most``."""
    numbers = numbers[:: max(1, len(numbers) // _LOOKED_AT)]
    points, other = _ordered(numbers, order), ORDERS[1 - ORDERS.index(order)]
    ways = {
        f"read in the other order they are: --landmarks-order {other}": _ordered(numbers, other),
        "with left and right exchanged they are: the eye and the corner of the mouth that are on "
        "the left in the image come first": points[:, _LEFT_RIGHT],
        "with x and y exchanged they are: write x before y": points[..., ::-1],
        "with y counted from below they are: count it from the top of the image": points * (1, -1),
    }
    ways |= {_in_order(places): points[:, places] for places in permutations(range(5))}
    for remedy, way in ways.items():
        fits, turns = (np.median(np.abs(values)) for values in _misfit(way))
        if fits < most and turns < _UPRIGHT:
            return remedy
    return None


def _in_order(places: Sequence[int]) -> str:
    """What to do where the points of `_NAMES` stand in other places of a row."""
    there = ", ".join(_NAMES[places.index(place)] for place in range(5))
    return f"as {there} they are: write them in the order above"


def _misread(
    path: Path, lines: NDArray[np.int64], wrong: NDArray[np.bool_], remedy: str
) -> UserError:
    return UserError(
        f"{path}, line {lines[np.argmax(wrong)]}: as left eye, right eye, nose, left and right "
        f"corner of the mouth (left in the image) these points are no face, and so in "
        f"{int(wrong.sum()):,} of {len(wrong):,} rows; {remedy}"
    )


def _rows(path: Path) -> dict[str, tuple[int, Points]]:
    """Line and ten numbers of every key."""
    found: dict[str, tuple[int, Points]] = {}
    lines = read_list(path, "the landmarks", "rows of file and ten numbers")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        text = line.rstrip()
        key, *fields = text.split("\t") if "\t" in text else text.rsplit(None, 10)
        try:
            row = np.array([float(field) for field in fields]).reshape(10)
        except ValueError as error:
            raise _bad_row(path, number) from error
        if key in found:
            raise wrong_line(path, number, f"{key} has a row already")
        found[key] = (number, row)
    return found


def _bad_row(path: Path, number: int) -> UserError:
    what = "expected a file name and x y of five points, separated by tabs or spaces"
    return wrong_line(path, number, what)
