"""Files of landmarks: what they hold, and what is refused because it can be no face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.align.landmarks import ORDERS, check_order, impossible, read_landmarks
from facebench.faces.align.template import TEMPLATE_112X96

ROW = "A/A_0001.jpg\t104\t112\t148\t117\t129\t134\t95\t152\t148\t158\n"


def write(path: Path, points: dict[str, np.ndarray], order: str = "xyxy") -> Path:
    rows = (p.T if order == "xxyy" else p for p in points.values())
    lines = [
        "\t".join([key, *map(str, row.ravel())]) for key, row in zip(points, rows, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def lfw(shared_data: Path) -> dict[str, np.ndarray]:
    return read_landmarks(shared_data / "lfw-mini" / "landmarks.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (ROW[:-5].encode(), "line 1: expected a file name"),
        (ROW.replace("148", "x").encode(), "line 1"),
        (ROW.replace("148", "nan").encode(), "line 1: its five points are no numbers"),
        ((ROW + "B.jpg" + 10 * "\t0" + "\n").encode(), "line 2: .* on_missing='count'"),
        ((ROW + ROW).encode(), "line 2: A/A_0001.jpg has a row already"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "landmarks.txt"
    path.write_bytes(text)
    with pytest.raises(UserError, match=message):
        read_landmarks(path)
    with pytest.raises(UserError, match="cannot read the landmarks"):
        read_landmarks(tmp_path / "absent.txt")


def test_a_key_may_hold_what_unicode_takes_for_a_line_break(tmp_path: Path) -> None:
    path, key = tmp_path / "landmarks.txt", "A/one\u2028two\x85.jpg"
    path.write_text(ROW.replace("A/A_0001.jpg", key).replace("\n", "\t\r\n") + ROW, newline="")
    found = read_landmarks(path)
    assert list(found) == [key, "A/A_0001.jpg"]
    np.testing.assert_array_equal(found[key], found["A/A_0001.jpg"])


def test_the_orders_of_a_row(tmp_path: Path, lfw: dict[str, np.ndarray]) -> None:
    path = write(tmp_path / "landmarks.txt", lfw, "xxyy")
    found = read_landmarks(path, "xxyy")
    assert found.keys() == lfw.keys()
    assert all(np.array_equal(found[key], lfw[key]) for key in lfw)
    for name in ORDERS:
        check_order(name)
    with pytest.raises(UserError, match="did you mean 'xxyy'"):
        check_order("xxy")


@pytest.mark.parametrize(
    ("change", "order", "says"),
    [
        (lambda p: p.T.reshape(5, 2), "xyxy", "landmarks_order='xxyy'"),
        (lambda p: p, "xxyy", "landmarks_order='xyxy'"),
        (lambda p: p[[1, 0, 2, 4, 3]], "xyxy", "with left and right exchanged they are"),
        (lambda p: p[[1, 0, 2, 3, 4]], "xyxy", "as right eye, left eye, nose, left corner, right"),
        (lambda p: p[[0, 1, 2, 4, 3]], "xyxy", "nose, right corner of the mouth, left corner they"),
        (lambda p: p[[0, 1, 3, 4, 2]], "xyxy", "right eye, left corner, right corner of the mouth"),
        (lambda p: p[[2, 0, 1, 3, 4]], "xyxy", "as nose, left eye, right eye, left corner, right"),
        (lambda p: p * 0 + [[0], [0], [50], [0], [0]], "xyxy", "check which points they are"),
        (lambda p: p[:, ::-1], "xyxy", "with x and y exchanged they are"),
        (lambda p: p * (1, -1) + (0, 250), "xyxy", "with y counted from below they are"),
        (lambda p: p / 250, "xyxy", "are they shares of the image's side"),
    ],
)
def test_a_file_that_is_misread_on_the_whole(
    tmp_path: Path, lfw: dict[str, np.ndarray], change, order: str, says: str
) -> None:
    path = write(tmp_path / "landmarks.txt", {key: change(p) for key, p in lfw.items()})
    with pytest.raises(UserError) as caught:
        read_landmarks(path, order)
    message = str(caught.value)
    assert message.startswith(f"{path}, line ") and says in message and "\n" not in message
    assert f"of {len(lfw):,} rows" in message


def test_no_face_of_lfw_is_refused(shared_data: Path) -> None:
    found = read_landmarks(shared_data / "protocols" / "lfw_landmarks.txt")
    assert impossible(found, list(found)) == []


def solid_face(yaw: float, pitch: float = 0) -> np.ndarray:
    """The template as a solid face (its nose before its eyes), turned by degrees, seen from far."""
    depth = np.array([[0], [0], [18], [4], [4]])
    x, y, z = np.hstack([np.array(TEMPLATE_112X96), depth]).T
    x, y = x - x.mean(), y - y.mean()
    x, z = (x * np.cos(np.radians(yaw)) + z * np.sin(np.radians(yaw)), z)
    y = y * np.cos(np.radians(pitch)) + z * np.sin(np.radians(pitch))
    return np.stack([x, y], 1) * 2 + 100


def test_profiles_and_faces_upside_down_are_faces(tmp_path: Path) -> None:
    turned = {f"{yaw}": solid_face(yaw) for yaw in range(-90, 91, 15)}
    turned |= {f"p{pitch}": solid_face(0, pitch) for pitch in range(-75, 76, 15)}
    found = read_landmarks(write(tmp_path / "turned.txt", turned))
    assert impossible(found, list(found)) == []
    profiles = {f"{n}": solid_face(yaw) for n, yaw in enumerate((-90, -80, 80, 90) * 5)}
    assert len(read_landmarks(write(tmp_path / "profiles.txt", profiles))) == 20
    down = {key: 250 - points for key, points in turned.items()}
    assert len(read_landmarks(write(tmp_path / "down.txt", down))) == len(down)


def test_a_few_wrong_rows_are_told_one_by_one(tmp_path: Path, lfw: dict[str, np.ndarray]) -> None:
    points = dict(lfw)
    first, second, third = list(points)[:3]
    points[first] = points[first][[1, 0, 2, 4, 3]]
    points[second] = points[second] / 250
    found = read_landmarks(write(tmp_path / "landmarks.txt", points))
    assert impossible(found, [third, second, first, "absent"]) == sorted([first, second])
