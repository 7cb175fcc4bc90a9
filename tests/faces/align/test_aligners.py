from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.align.aligners import (
    LFW_MEAN_LANDMARKS,
    CentreCrop,
    LandmarkAligner,
    NoAlignment,
    TemplateCrop,
    centre_matrix,
    template_matrix,
)
from facebench.faces.align.landmarks import read_landmarks
from facebench.faces.align.template import similarity_transform, template, warp

ROW = "A/A_0001.jpg\t104\t112\t148\t117\t129\t134\t95\t152\t148\t158\n"
RANDOM = np.random.default_rng(0).integers(0, 255, (250, 250, 3), np.uint8)


def test_landmarks_bring_the_face_to_the_template(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.txt"
    path.write_text(ROW + "\n")
    aligner = LandmarkAligner.from_file(path)
    points = read_landmarks(path)["A/A_0001.jpg"]
    assert points.tolist()[1] == [148, 117]
    expected = warp(RANDOM, similarity_transform(points, (112, 112)), (112, 112))
    np.testing.assert_array_equal(aligner("A/A_0001.jpg", RANDOM, (112, 112)), expected)
    assert aligner.signature.startswith("landmarks-5pt(")
    path.write_text(ROW.replace("104", "105"))
    assert LandmarkAligner.from_file(path).signature != aligner.signature


def test_what_can_be_no_face_is_not_acquired(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.txt"
    shown = [float(number) for number in ROW.split("\t")[1:]]
    turned = [*shown[2:4], *shown[:2], *shown[4:6], *shown[8:], *shown[6:8]]
    rows = {"a": shown, "b": shown, "c": turned, "d": [n / 250 for n in shown]}
    path.write_text("".join("\t".join(map(str, (k, *row))) + "\n" for k, row in rows.items()))
    aligner = LandmarkAligner.from_file(path)
    aligner.require(["a", "b", "c", "d"])
    found = {key: aligner(key, RANDOM, (112, 112)) is not None for key in rows}
    assert found == {"a": True, "b": True, "c": False, "d": False}
    assert aligner.remarks == (
        "the landmarks of 2 (c, d) of 4 images can be no face; these count as failures to acquire",
    )
    # An image that is smaller than the landmarks say, down to a single pixel.
    assert aligner("a", RANDOM[:200, :200], (112, 112)) is not None
    assert aligner("a", RANDOM[:60, :60], (112, 112)) is None
    assert aligner("a", RANDOM[:1, :1], (112, 112)) is None
    # A protocol's own points are taken as they are.
    own = LandmarkAligner(aligner.landmarks, "0" * 64, published=True)
    own.require(list(rows))
    assert own.remarks == ()
    assert all(own(key, RANDOM[:60, :60], (112, 112)) is not None for key in rows)


def test_an_image_without_landmarks_is_an_error_or_counted(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.txt"
    path.write_text(ROW)
    strict = LandmarkAligner.from_file(path)
    with pytest.raises(UserError, match=r"2 \(B, C\) of 3 images have no row .*on_missing='count'"):
        strict.require(["C", "A/A_0001.jpg", "B"])
    with pytest.raises(UserError, match="no row"):
        strict("B", RANDOM, (112, 96))
    counting = LandmarkAligner.from_file(path, on_missing="count")
    counting.require(["B"])
    assert counting("B", RANDOM, (112, 96)) is None


def test_the_centre_crop_is_lfw_mean_landmarks_and_scales_with_the_image() -> None:
    mean = np.array(LFW_MEAN_LANDMARKS)
    matrix = centre_matrix((250, 250), (112, 96))
    np.testing.assert_allclose(matrix, similarity_transform(mean, (112, 96)))
    moved = mean @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(moved - template((112, 96))).max() < 2
    double = centre_matrix((500, 600), (112, 96))
    np.testing.assert_allclose(double[:, :2] * 2, matrix[:, :2])
    centre = double[:, :2] @ (300, 250) + double[:, 2]
    np.testing.assert_allclose(centre, matrix[:, :2] @ (125, 125) + matrix[:, 2])
    assert CentreCrop()("k", RANDOM, (112, 96)).shape == (112, 96, 3)


def test_the_mean_is_that_of_the_landmarks_of_lfw(shared_data: Path) -> None:
    found = read_landmarks(shared_data / "protocols" / "lfw_landmarks.txt")
    assert len(found) == 13233
    np.testing.assert_allclose(
        np.mean(list(found.values()), axis=0), LFW_MEAN_LANDMARKS, atol=0.0006
    )


@pytest.mark.parametrize(
    ("shape", "size", "rows", "columns"),
    [
        ((112, 112), (112, 112), slice(0, 112), slice(0, 112)),
        ((112, 112), (112, 96), slice(0, 112), slice(8, 104)),
        ((128, 112), (112, 96), slice(8, 120), slice(8, 104)),
        ((128, 112), (112, 112), slice(8, 120), slice(0, 112)),
        ((112, 96), (112, 96), slice(0, 112), slice(0, 96)),
    ],
)
def test_aligned_crops_are_cut_without_interpolation(
    shape: tuple[int, int], size: tuple[int, int], rows: slice, columns: slice
) -> None:
    image = RANDOM[: shape[0], : shape[1]]
    crop = TemplateCrop()("k", image, size)
    np.testing.assert_array_equal(crop, image[rows, columns])
    assert crop.flags.c_contiguous


def test_other_sizes_of_aligned_crops_are_scaled_or_padded() -> None:
    padded = TemplateCrop()("k", RANDOM[:112, :96], (112, 112))
    np.testing.assert_array_equal(padded[:, 8:104], RANDOM[:112, :96])
    assert padded[:, :8].max() == 0
    for shape, size in (((224, 224), (112, 96)), ((128, 112), (56, 48)), ((160, 160), (112, 112))):
        matrix = template_matrix(shape, size)
        origin = (8, 8) if shape == (128, 112) else (0, 0)
        points = template((112, 96)) + origin if any(origin) else template(shape)
        np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], template(size))
        assert TemplateCrop()("k", RANDOM[: shape[0], : shape[1]], size).shape == (*size, 3)


def test_no_alignment_only_resizes() -> None:
    assert NoAlignment()("k", RANDOM, (250, 250)) is RANDOM
    flat = np.full((200, 100, 3), 77, np.uint8)
    assert (NoAlignment()("k", flat, (112, 96)) == 77).all()


def test_aligners_travel_to_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.txt"
    path.write_text(ROW)
    for aligner in (LandmarkAligner.from_file(path), CentreCrop(), TemplateCrop(), NoAlignment()):
        copy = pickle.loads(pickle.dumps(aligner))
        key = "A/A_0001.jpg"
        assert copy.signature == aligner.signature
        np.testing.assert_array_equal(copy(key, RANDOM, (64, 64)), aligner(key, RANDOM, (64, 64)))
