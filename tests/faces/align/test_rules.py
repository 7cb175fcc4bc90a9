from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.align.aligners import CentreCrop, LandmarkAligner, NoAlignment, TemplateCrop
from facebench.faces.align.rules import make_aligner
from facebench.faces.align.yunet import YuNetAligner
from facebench.faces.locate import locate

NUMBERS = "\t8\t14\t20\t14\t14\t20\t9\t26\t19\t26\n"  # of images of 40×30


def write_landmarks(folder: Path, keys: list[str]) -> Path:
    path = folder / "landmarks.txt"
    path.write_text("".join(key + NUMBERS for key in keys))
    return path


def test_auto(small_lfw: Path, shared_data: Path, tmp_path: Path) -> None:
    located = locate("lfw", small_lfw)
    keys = located.pairs.keys()
    model = shared_data / "yunet" / "yunet_n_320_320.onnx"
    assert isinstance(make_aligner("auto", located), CentreCrop)
    assert isinstance(make_aligner("auto", located, yunet=model), YuNetAligner)
    elsewhere = write_landmarks(tmp_path, keys)
    assert isinstance(make_aligner("auto", located, landmarks=elsewhere), LandmarkAligner)
    assert isinstance(make_aligner("auto", replace(located, aligned=True)), TemplateCrop)
    write_landmarks(small_lfw, keys)
    located = locate("lfw", small_lfw)
    assert isinstance(make_aligner("auto", located), LandmarkAligner)
    assert isinstance(make_aligner("auto", located, yunet=model), YuNetAligner)
    assert isinstance(make_aligner("yunet", located, yunet=model), YuNetAligner)


def test_named_rules(small_lfw: Path) -> None:
    located = locate("lfw", small_lfw)
    assert isinstance(make_aligner("centre", located), CentreCrop)
    assert isinstance(make_aligner("template", located), TemplateCrop)
    assert isinstance(make_aligner("none", located), NoAlignment)


def test_mistakes(small_lfw: Path) -> None:
    located = locate("lfw", small_lfw)
    with pytest.raises(UserError, match="did you mean 'centre'"):
        make_aligner("center", located)
    with pytest.raises(UserError, match="detector=FILE"):
        make_aligner("yunet", located)
    with pytest.raises(UserError, match="landmarks="):
        make_aligner("landmarks", located)
    with pytest.raises(UserError, match=r"faces='largest' has no effect with align='centre'"):
        make_aligner("auto", located, faces="largest")


def test_a_file_that_no_rule_uses_is_refused(small_lfw: Path, tmp_path: Path) -> None:
    located = locate("lfw", small_lfw)
    crops = replace(located, aligned=True)
    file = tmp_path / "none"
    for rule, where, files, says in (
        ("centre", located, {"landmarks": file}, f"landmarks='{file}' has no effect with align="),
        ("none", located, {"yunet": file}, f"detector='{file}' has no effect with align='none'"),
        ("auto", crops, {"landmarks": file}, "which are aligned crops already"),
        ("auto", crops, {"yunet": file}, "which are aligned crops already"),
        ("auto", located, {"landmarks": file, "yunet": file}, "has no effect with align='land"),
    ):
        with pytest.raises(UserError, match=says):
            make_aligner(rule, where, **files)  # type: ignore[arg-type]


def test_a_guessed_centre_is_remarked(small_lfw: Path) -> None:
    guessed, named = (make_aligner(rule, locate("lfw", small_lfw)) for rule in ("auto", "centre"))
    assert guessed.signature == named.signature
    assert "guessed to be where LFW's are" in guessed.remarks[0] and named.remarks == ()


def test_landmarks_of_larger_images_are_refused(small_lfw: Path, tmp_path: Path) -> None:
    located = locate("lfw", small_lfw)
    large = "".join(f"\t{10 * int(number)}" for number in NUMBERS.split()) + "\n"
    path, keys = tmp_path / "large.txt", located.keys()
    path.write_text("".join(key + large for key in keys))
    says = r"outside their images in \d of \d .*\(Person_A/Person_A_0001.jpg at 140, 200 of 30×40"
    with pytest.raises(UserError, match=says):
        make_aligner("auto", located, landmarks=path)


def test_an_order_of_landmarks(small_lfw: Path, tmp_path: Path) -> None:
    located = locate("lfw", small_lfw)
    numbers = NUMBERS.split()
    path, keys = tmp_path / "other.txt", located.keys()
    row = "\t".join([*numbers[::2], *numbers[1::2]])
    path.write_text("".join(f"{key}\t{row}\n" for key in keys))
    with pytest.raises(UserError, match="landmarks_order='xxyy'"):
        make_aligner("auto", located, landmarks=path)
    other = make_aligner("auto", located, landmarks=path, landmarks_order="xxyy")
    usual = make_aligner("auto", located, landmarks=write_landmarks(tmp_path, located.pairs.keys()))
    assert re.fullmatch(r"landmarks-5pt\([0-9a-f]{8},xxyy\)->similarity", other.signature)
    key = located.pairs.keys()[0]
    image = located.source.read(key)
    np.testing.assert_array_equal(
        other(key, image, (112, 96)),
        usual(key, image, (112, 96)),  # type: ignore[arg-type]
    )
    with pytest.raises(UserError, match="landmarks_order='xxyy' has no effect with align='centre'"):
        make_aligner("centre", located, landmarks_order="xxyy")


def test_missing_landmarks_are_found_before_the_run(small_lfw: Path) -> None:
    located = locate("lfw", small_lfw)
    write_landmarks(small_lfw, located.pairs.keys()[2:])
    located = locate("lfw", small_lfw)
    with pytest.raises(UserError, match=r"2 \(Person_A.*of 6 images have no row"):
        make_aligner("auto", located)
    assert isinstance(make_aligner("auto", located, on_missing="count"), LandmarkAligner)


def test_real_faces_from_folder_to_crop(shared_data: Path) -> None:
    located = locate("lfw", shared_data / "lfw-mini")
    assert (len(located.pairs), located.pairs.folds) == (600, 10)
    aligner = make_aligner("auto", located)
    assert aligner.signature.startswith("landmarks-5pt(")
    key = located.pairs.keys()[0]
    crop = aligner(key, located.source.read(key), (112, 96))
    assert crop is not None and crop.shape == (112, 96, 3)
