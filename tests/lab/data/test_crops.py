"""Training crops of an index CSV over zip files."""

from __future__ import annotations

import csv
import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.lab.data.crops import UNLABELLED, Teacher, prepare_crops


def crop_folder(folder: Path, count: int = 60) -> Path:
    """An index over a zip of random crops: three of four with one of ten identities."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        for number in range(count):
            image = rng.integers(0, 256, (128, 112, 3), dtype=np.uint8)
            archive.writestr(f"set/{number:05d}.jpg", cv2.imencode(".jpg", image)[1].tobytes())
    with (folder / "index.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", "source", "identity"])
        for number in range(count):
            identity = "" if number % 4 == 0 else f"person{number % 10}"
            writer.writerow([f"set/{number:05d}.jpg", "set", identity])
    return folder


def toy_teacher(crops: np.ndarray) -> np.ndarray:
    return crops.reshape(len(crops), -1)[:, :8].astype(np.float32) + 1


def test_crops_are_decoded_once_with_labels_and_unit_targets(tmp_path: Path) -> None:
    folder = crop_folder(tmp_path / "data")
    crops = prepare_crops(folder, tmp_path / "cache", Teacher(toy_teacher, "toy"))
    assert crops.images.shape == (60, 128, 112, 3) and crops.classes == 10
    assert (crops.labels[::4] == UNLABELLED).all() and (crops.labels[1::4] >= 0).all()
    assert np.allclose(np.linalg.norm(crops.targets, axis=1), 1, atol=1e-5)
    again = prepare_crops(folder, tmp_path / "cache", None)
    assert np.array_equal(again.images, crops.images) and np.isnan(again.targets).all()
    assert len(list((tmp_path / "cache").rglob("images.npy"))) == 1


@pytest.mark.parametrize(
    "damage",
    [
        "no index",
        "no column",
        "no zip",
        "not a picture",
        "a zip elsewhere",
        "no file",
        "no CSV",
        "a pipe",
    ],
)
def test_bad_training_data_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = crop_folder(tmp_path / "data", 8)
    if damage == "no index":
        (folder / "index.csv").unlink()
    elif damage == "no column":
        (folder / "index.csv").write_text("file,source\na,b\n")
    elif damage == "no zip":
        (folder / "set.zip").unlink()
    elif damage == "a zip elsewhere":
        (folder / "set.zip").rename(tmp_path / "set.zip")
        text = (folder / "index.csv").read_text()
        (folder / "index.csv").write_text(text.replace(",set,", ",../set,"))
    elif damage == "no file":
        (folder / "index.csv").write_text("file,source,identity\n,set,x\n")
    elif damage == "no CSV":
        (folder / "index.csv").write_text("file,source,identity\n" + "x" * 200_000)
    elif damage == "a pipe":
        (folder / "set.zip").unlink()
        os.mkfifo(folder / "set.zip")
    else:
        with zipfile.ZipFile(folder / "set.zip", "w") as archive:
            archive.writestr("set/00000.jpg", b"no picture")
    with pytest.raises(UserError) as caught:
        prepare_crops(folder, tmp_path / "cache", None)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    assert not list((tmp_path / "cache").rglob("images.npy"))


def test_faces_that_changed_are_learned_anew(tmp_path: Path) -> None:
    folder, cache = crop_folder(tmp_path / "data", 8), tmp_path / "cache"
    before = prepare_crops(folder, cache, None)
    (folder / "set.zip").unlink()
    (folder / "index.csv").unlink()
    folder.rmdir()
    other = crop_folder(folder, 12)
    after = prepare_crops(other, cache, None)
    assert len(after.images) == 12 and after.key != before.key
    with (folder / "index.csv").open("a", newline="") as handle:
        handle.write("set/00000.jpg,set,somebody\r\n")
    assert prepare_crops(folder, cache, None).key not in (before.key, after.key)


def test_each_teacher_is_imitated_as_itself(tmp_path: Path) -> None:
    folder, cache = crop_folder(tmp_path / "data", 8), tmp_path / "cache"
    first = prepare_crops(folder, cache, Teacher(toy_teacher, "toy"))
    opposite = Teacher(lambda crops: -toy_teacher(crops), "opposite")
    second = prepare_crops(folder, cache, opposite)
    assert np.array_equal(second.targets, -first.targets)
    unpinned = Teacher(lambda crops: -toy_teacher(crops), "toy", kept=False)
    third = prepare_crops(folder, cache, unpinned)  # code that no hash covers is asked each time
    assert np.array_equal(third.targets, -first.targets)
    never = Teacher(lambda crops: toy_teacher(crops) if len(crops) == 1 else 1 / 0, "toy")
    assert np.array_equal(prepare_crops(folder, cache, never).targets, first.targets)


def test_the_same_faces_have_one_key_wherever_they_lie(tmp_path: Path, monkeypatch) -> None:
    folder = crop_folder(tmp_path / "data", 8)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    places = (folder, tmp_path / "link", Path())
    keys = {prepare_crops(place, tmp_path / "cache", None).key for place in places}
    assert len(keys) == 1 and len(list((tmp_path / "cache").iterdir())) == 1
