"""Training crops of an index CSV over zip files."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.errors import UserError
from facebench.training.crops import UNLABELLED, prepare_crops


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
    crops = prepare_crops(folder, tmp_path / "cache", toy_teacher)
    assert crops.images.shape == (60, 128, 112, 3) and crops.classes == 10
    assert (crops.labels[::4] == UNLABELLED).all() and (crops.labels[1::4] >= 0).all()
    assert np.allclose(np.linalg.norm(crops.targets, axis=1), 1, atol=1e-5)
    shutil.rmtree(folder)  # the cache is enough from now on
    again = prepare_crops(folder, tmp_path / "cache", None)
    assert np.array_equal(again.images, crops.images)
    assert np.array_equal(again.targets, crops.targets)


@pytest.mark.parametrize("damage", ["no index", "no column", "no zip", "not a picture"])
def test_bad_training_data_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = crop_folder(tmp_path / "data", 8)
    if damage == "no index":
        (folder / "index.csv").unlink()
    elif damage == "no column":
        (folder / "index.csv").write_text("file,source\na,b\n")
    elif damage == "no zip":
        (folder / "set.zip").unlink()
    else:
        with zipfile.ZipFile(folder / "set.zip", "w") as archive:
            archive.writestr("set/00000.jpg", b"no picture")
    with pytest.raises(UserError) as caught:
        prepare_crops(folder, tmp_path / "cache", None)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    assert not (tmp_path / "cache" / "complete.json").exists()
