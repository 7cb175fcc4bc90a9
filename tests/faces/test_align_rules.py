from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facebench.errors import UserError
from facebench.faces.align_rules import make_aligner
from facebench.faces.aligners import CentreCrop, LandmarkAligner, NoAlignment, TemplateCrop
from facebench.faces.locate import locate
from facebench.faces.yunet import YuNetAligner

NUMBERS = "\t104\t112\t148\t117\t129\t134\t95\t152\t148\t158\n"


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
    with pytest.raises(UserError, match="--yunet FILE"):
        make_aligner("yunet", located)
    with pytest.raises(UserError, match="--landmarks"):
        make_aligner("landmarks", located)


def test_a_file_that_no_rule_uses_is_refused(small_lfw: Path, tmp_path: Path) -> None:
    located = locate("lfw", small_lfw)
    crops = replace(located, aligned=True)
    file = tmp_path / "none"
    for rule, where, files, says in (
        ("centre", located, {"landmarks": file}, f"--landmarks {file} has no effect with --align"),
        ("none", located, {"yunet": file}, f"--detector {file} has no effect with --align none"),
        ("auto", crops, {"landmarks": file}, "which are aligned crops already"),
        ("auto", crops, {"yunet": file}, "which are aligned crops already"),
        ("auto", located, {"landmarks": file, "yunet": file}, "has no effect with --align land"),
    ):
        with pytest.raises(UserError, match=says):
            make_aligner(rule, where, **files)  # type: ignore[arg-type]


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
