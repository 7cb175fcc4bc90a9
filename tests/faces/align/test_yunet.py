from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.align.landmarks import read_landmarks
from facebench.faces.align.template import similarity_transform, warp
from facebench.faces.align.yunet import FACE_RULES, YuNetAligner, choose_face
from facebench.faces.lfw.folder import LfwSource
from facebench.faces.types import ImageError


@pytest.fixture
def model(shared_data: Path) -> Path:
    return shared_data / "yunet" / "yunet_n_320_320.onnx"


def test_landmarks_come_in_the_order_of_the_template(shared_data: Path, model: Path) -> None:
    folder = shared_data / "lfw-mini"
    source, listed = LfwSource(folder), read_landmarks(folder / "landmarks.txt")
    aligner = YuNetAligner(model)
    away = []
    for key in source.keys()[:30]:
        points = aligner.landmarks(source.read(key))
        assert points is not None and points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]
        away.append(np.linalg.norm(points - listed[key], axis=1).mean())
    assert np.median(away) < 8  # pixels of 250; eyes exchanged would be 40 apart
    key = source.keys()[0]
    points = aligner.landmarks(source.read(key))
    assert points is not None
    expected = warp(source.read(key), similarity_transform(points, (112, 96)), (112, 96))
    copy = pickle.loads(pickle.dumps(aligner))
    np.testing.assert_array_equal(copy(key, source.read(key), (112, 96)), expected)


@pytest.mark.parametrize("side", [700, 2000])
def test_landmarks_do_not_depend_on_the_size_of_the_picture(
    shared_data: Path, model: Path, side: int
) -> None:
    source, aligner = LfwSource(shared_data / "lfw-mini"), YuNetAligner(model)
    for key in source.keys()[:200:20]:
        image = source.read(key)
        large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        points, expected = aligner.landmarks(large), aligner.landmarks(image)
        assert points is not None and expected is not None
        # Pixels of 250, of which the eyes are 40 apart; without shrinking it is 20 to 120.
        assert np.abs(points * 250 / side - expected).max() < 6


def test_a_small_face_in_a_large_picture(shared_data: Path, model: Path) -> None:
    source, aligner = LfwSource(shared_data / "lfw-mini"), YuNetAligner(model)
    image = source.read(source.keys()[0])
    picture = np.full((2400, 3200, 3), 90, np.uint8)
    picture[300:550, 2000:2250] = image
    points, expected = aligner.landmarks(picture), aligner.landmarks(image)
    assert points is not None and expected is not None
    # The face is 10 pixels wide where it was found; its landmarks are those of the image itself.
    assert np.abs(points - (2000, 300) - expected).max() < 6


def test_no_face_is_a_failure_to_acquire(model: Path) -> None:
    aligner = YuNetAligner(model, score_threshold=0.7)
    assert aligner("k", np.full((250, 250, 3), 128, np.uint8), (112, 96)) is None
    assert "score>=0.7" in aligner.signature
    assert aligner.signature != YuNetAligner(model).signature


def test_the_large_and_central_face_is_chosen() -> None:
    faces = np.zeros((3, 15), np.float32)
    faces[0, :4] = (0, 0, 60, 60)
    faces[1, :4] = (95, 95, 50, 50)
    faces[2, :4] = (110, 110, 20, 20)
    assert choose_face(faces, (250, 250)) is not None
    np.testing.assert_array_equal(choose_face(faces, (250, 250)), faces[1])
    faces[0, :4] = (0, 0, 200, 200)
    np.testing.assert_array_equal(choose_face(faces, (250, 250)), faces[0])


def test_a_file_that_is_no_detector(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a YuNet"):
        YuNetAligner(tmp_path / "x.onnx")
    with pytest.raises(UserError, match="cannot read the YuNet model"):
        YuNetAligner(tmp_path / "absent.onnx")
    with pytest.raises(UserError, match="not a YuNet"):
        YuNetAligner(shared_data / "teacher" / "mobilefacenet.onnx")


FOUR = np.zeros((4, 15), np.float32)
FOUR[0, :4] = (0, 0, 100, 100)  # the largest, in a corner
FOUR[1, :4] = (95, 95, 70, 70)  # large and near the middle
FOUR[2, :4] = (115, 115, 20, 20)  # small, in the very middle
FOUR[3, :4] = (115, 115, 20, 20)


@pytest.mark.parametrize(
    ("rule", "row"), [("largest-central", 1), ("largest", 0), ("single", 0), ("centred", 2)]
)
def test_which_of_several_faces_is_taken(rule: str, row: int) -> None:
    # By hand: w·h − 2d² is 10,000 − 2·11,250 of the first, 4,900 − 100 of the second, 400 of the
    # third, which is as near to the middle as the fourth and stands before it.
    assert np.shares_memory(choose_face(FOUR, (250, 250), rule), FOUR[row])


def two_faces(shared_data: Path) -> np.ndarray:
    """A large face on the left, and a smaller one nearer to the middle."""
    source = LfwSource(shared_data / "lfw-mini")
    left, right = (source.read(key) for key in source.keys()[:40:30])
    picture = np.full((300, 620, 3), 90, np.uint8)
    picture[20:270, 10:260] = left
    picture[80:230, 270:420] = cv2.resize(right, (150, 150), interpolation=cv2.INTER_AREA)
    return picture


def test_rules_take_other_faces_and_stand_in_the_signature(shared_data: Path, model: Path) -> None:
    picture = two_faces(shared_data)
    middles = {}
    for rule in FACE_RULES[:1] + FACE_RULES[2:]:
        aligner = YuNetAligner(model, faces=rule)
        points = aligner.landmarks(picture)
        assert points is not None and f",{rule},found-in-320" in aligner.signature
        middles[rule] = points.mean(0)[0]
        assert pickle.loads(pickle.dumps(aligner)).faces == rule
    assert middles["largest"] < 260 < middles["centred"]
    # Records that were made before the rule could be chosen keep their signature.
    assert ",largest-central,found-in-320,refined)->similarity" in YuNetAligner(model).signature


def test_single_refuses_images_with_several_faces(shared_data: Path, model: Path) -> None:
    picture, one = two_faces(shared_data), LfwSource(shared_data / "lfw-mini")
    aligner = YuNetAligner(model, faces="single")
    with pytest.raises(ImageError, match=r"Ann/1\.jpg: 2 faces, where --faces single"):
        aligner("Ann/1.jpg", picture, (112, 96))
    counted = YuNetAligner(model, faces="single", on_missing="count")
    assert counted("Ann/1.jpg", picture, (112, 96)) is None
    assert counted.signature == aligner.signature  # the policy is in records by itself
    key = one.keys()[0]
    crop = aligner(key, one.read(key), (112, 96))
    assert crop is not None
    np.testing.assert_array_equal(crop, YuNetAligner(model)(key, one.read(key), (112, 96)))


def test_a_rule_that_there_is_not(model: Path) -> None:
    with pytest.raises(UserError, match=r"faces='centered': .* did you mean 'centred'\?"):
        YuNetAligner(model, faces="centered")
