"""The faces of template lists: their files, their boxes, and the rules that cut them out."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.align.aligners import CentreCrop
from facebench.faces.align.template import TEMPLATE_112X96
from facebench.faces.ijb.align import FaceHints, make_template_aligner
from facebench.faces.ijb.ijbc import FacePoints
from facebench.faces.ijb.images import (
    EXPANSION,
    FaceBoxAligner,
    TemplateFaces,
    YuNetInBox,
    box_matrix,
    folder_contents,
)
from facebench.faces.types import ImageError
from tests.helpers.ijb_folders import write_image

BOXES = {"img/1.jpg#4,4,20,20": (4.0, 4.0, 20.0, 20.0), "img/2.jpg": (8.0, 8.0, 30.0, 20.0)}
POINTS = FacePoints({"1.jpg": np.array(TEMPLATE_112X96)}, {"1.jpg": 0.9})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("img/1.jpg", "img/2.jpg", "img/3#1.jpg"):
        write_image(tmp_path / name)
    return tmp_path


def test_a_face_of_several_is_in_its_images_file(root: Path) -> None:
    source = TemplateFaces(
        "ijba", root, ["img/1.jpg#4,4,20,20", "img/1.jpg#9,9,5,5", "img/3#1.jpg"]
    )
    first, second, third = source.keys()
    assert np.array_equal(source.read(first), source.read(second))
    assert source.read(third).shape == (64, 80, 3)
    assert source.missing([*source.keys(), "img/9.jpg#1,1,2,2"]) == ["img/9.jpg#1,1,2,2"]
    with pytest.raises(ImageError):
        source.read("../img/1.jpg")
    assert pickle.loads(pickle.dumps(source)).keys() == source.keys()


def test_the_fingerprint_is_of_contents(root: Path) -> None:
    source = TemplateFaces("ijba", root, ["img/1.jpg", "img/2.jpg"])
    before = source.fingerprint(source.keys())
    assert before.startswith("ijba-") and source.label(source.keys()) == before
    (root / "img/2.jpg").write_bytes((root / "img/1.jpg").read_bytes())
    assert source.fingerprint(source.keys()) != before


def test_a_rendering_is_called_by_its_name_only_where_it_is_whole(root: Path) -> None:
    expected = folder_contents(root)
    assert len(expected) == 16
    source = TemplateFaces("synthetic-ijba", root, ["img/1.jpg"], "synthetic", ("syn-v1", expected))
    assert source.label(source.keys()) == "syn-v1"
    (root / "img/2.jpg").unlink()
    assert source.label(source.keys()).startswith("syn-v1+")


def test_a_box_is_a_square_about_its_centre() -> None:
    # The box's centre, (60, 40), is that of an LFW image of 2.2 × 50 pixels a side.
    matrix = box_matrix((35.0, 20.0, 50.0, 40.0), (112, 96))
    side = EXPANSION * 50
    image = np.zeros((int(side), int(side), 3), np.uint8)
    centred = CentreCrop()
    assert centred(image=image, key="", size=(112, 96)).shape == (112, 96, 3)
    from facebench.faces.align.aligners import centre_matrix

    expected = centre_matrix((110, 110), (112, 96))
    shift = np.array([60 - 55, 40 - 55])
    point = np.array([70.0, 50.0])
    np.testing.assert_allclose(
        matrix[:, :2] @ point + matrix[:, 2],
        expected[:, :2] @ (point - shift) + expected[:, 2],
        atol=1e-9,
    )


def test_boxes_and_their_absence(root: Path) -> None:
    aligner = FaceBoxAligner({**BOXES, "blank.jpg": (np.nan,) * 4})
    image = TemplateFaces("ijba", root, BOXES).read("img/2.jpg")
    assert aligner("img/2.jpg", image, (112, 96)).shape == (112, 96, 3)
    assert aligner("img/2.jpg", image, (112, 112)).shape == (112, 112, 3)
    assert aligner("blank.jpg", image, (112, 96)) is None
    assert aligner("unknown.jpg", image, (112, 96)) is None
    assert "x2.2" in aligner.signature
    assert FaceBoxAligner({**BOXES, "img/2.jpg": (8, 8, 30, 21)}).signature != aligner.signature
    assert pickle.loads(pickle.dumps(aligner)).signature == aligner.signature


def test_the_detector_looks_into_the_square_only() -> None:
    seen = []

    class Detector:
        signature = "detector"

        def __call__(self, key: str, image: np.ndarray, size: tuple[int, int]) -> None:
            seen.append(image.shape)

    boxes = {"a": (30.0, 30.0, 10.0, 10.0), "edge": (0.0, 0.0, 10.0, 10.0), "out": (900, 0, 9, 9)}
    aligner = YuNetInBox(boxes, Detector())
    image = np.zeros((64, 80, 3), np.uint8)
    for key in ("a", "edge", "out", "unknown"):
        if key != "out":
            aligner(key, image, (112, 96))
    assert seen == [(22, 22, 3), (16, 16, 3)]
    assert aligner.signature.endswith("->detector")


class Blind:
    signature = "blind"

    def __call__(self, key: str, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return np.zeros((*size, 3), np.uint8)


@pytest.mark.parametrize(
    ("box", "accepted"),
    [
        ((0, 0, 80, 64), True),
        ((-10, 0, 20, 20), True),  # exactly half of it inside
        ((-11, 0, 20, 20), False),
        ((0, 54, 20, 20), True),
        ((0, 55, 20, 20), False),
        ((70.5, 0, 20, 20), False),
        ((-6, -6, 20, 20), False),  # 0.7 × 0.7
        ((-5, -5, 20, 20), True),  # 0.75 × 0.75
        ((9000, 9000, 110, 110), False),
        ((-9000, 3, 110, 20), False),
        ((-100, -100, 280, 264), False),  # all of the image is inside the box, not the box in it
    ],
)
def test_trap_a_box_outside_its_image_is_not_an_empty_crop(box, accepted: bool) -> None:
    boxes, image = {"a.jpg": tuple(map(float, box))}, np.zeros((64, 80, 3), np.uint8)
    shown = ",".join(f"{value:g}" for value in box)
    for make in (FaceBoxAligner, lambda boxes, *rest: YuNetInBox(boxes, Blind(), *rest)):
        if accepted:
            assert make(boxes)("a.jpg", image, (112, 96)) is not None
            continue
        with pytest.raises(ImageError, match=rf"a\.jpg: .* {shown} is inside .* 80×64"):
            make(boxes)("a.jpg", image, (112, 96))
        assert make(boxes, "count")("a.jpg", image, (112, 96)) is None


def test_faces_without_a_box() -> None:
    hints = FaceHints({**BOXES, "blank.jpg": (np.nan,) * 4})
    keys = ["blank.jpg", "img/2.jpg"]
    for rule in ("auto", "centre"):
        with pytest.raises(UserError, match=r"1 \(blank.jpg\) of 2 faces have no face box"):
            make_template_aligner(rule, hints, keys)
        aligner = make_template_aligner(rule, hints, keys, on_missing="count")
        assert aligner("blank.jpg", np.zeros((64, 80, 3), np.uint8), (112, 96)) is None


def test_trap_auto_never_falls_back_to_the_centre_of_the_image() -> None:
    path = Path("/d/meta/ijbc_name_5pts_score.txt")
    for hints, what in (
        (FaceHints(absent=path), f"landmarks absent: add {path}, or choose detector=YUNET"),
        (FaceHints(), "these data have no landmarks: name a file with landmarks=, or choose de"),
    ):
        for rule in ("auto", "landmarks"):
            for on_missing in ("error", "count"):
                with pytest.raises(UserError, match=what + r".* or align='centre'$"):
                    make_template_aligner(rule, hints, ["1.jpg"], on_missing=on_missing)
        chosen = make_template_aligner("centre", hints, ["1.jpg"])
        assert chosen.signature.startswith("centre-crop(")


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (FaceHints(BOXES), "face-box("),
        (FaceHints(BOXES, aligned=True), "template-crop"),
        (FaceHints(points=(POINTS, Path(__file__))), "landmarks-5pt("),
    ],
)
def test_the_automatic_rule(hints: FaceHints, expected: str) -> None:
    key = "1.jpg" if hints.points else "img/2.jpg"
    assert make_template_aligner("auto", hints, [key]).signature.startswith(expected)


def test_rules_by_name() -> None:
    hints = FaceHints(BOXES)
    assert make_template_aligner("none", hints, []).signature == "none"
    assert make_template_aligner("template", hints, []).signature == "template-crop"
    for rule, options, message in (
        ("centr", {}, "did you mean 'centre'"),
        ("landmarks", {}, "these data have no landmarks"),
        ("yunet", {}, "needs the detector's ONNX file"),
        ("centre", {"landmarks": "x.txt"}, "landmarks='x.txt' has no effect with align='centre'"),
        ("none", {"detector": "x.onnx"}, "detector='x.onnx' has no effect with align='none'"),
    ):
        with pytest.raises(UserError, match=message):
            make_template_aligner(rule, hints, [], **options)


def test_faces_without_landmarks() -> None:
    hints = FaceHints(points=(POINTS, Path(__file__)))
    with pytest.raises(UserError, match=r"1 \(2.jpg\) of 2 images have no row"):
        make_template_aligner("auto", hints, ["1.jpg", "2.jpg"])
    aligner = make_template_aligner("auto", hints, ["1.jpg", "2.jpg"], on_missing="count")
    assert aligner("2.jpg", np.zeros((112, 96, 3), np.uint8), (112, 96)) is None


def test_yunet_finds_a_face_in_its_box(shared_data: Path) -> None:
    model = next((shared_data / "yunet").glob("*.onnx"))
    image_path = next((shared_data / "lfw-mini").rglob("*_0001.jpg"))
    source = TemplateFaces("lfw", image_path.parent, [image_path.name])
    boxes = {image_path.name: (68.0, 68.0, 114.0, 114.0)}
    aligner = make_template_aligner("auto", FaceHints(boxes), [], detector=model)
    face = aligner(image_path.name, source.read(image_path.name), (112, 96))
    by_box = FaceBoxAligner(boxes)(image_path.name, source.read(image_path.name), (112, 96))
    assert face is not None and by_box is not None
    # Both show the same face at the same size: far more alike than to a shifted one.
    apart = np.abs(face.astype(int) - by_box).mean()
    assert apart < np.abs(face.astype(int) - np.roll(by_box, 30, axis=0)).mean()
