"""The script that learned the first weights, on a handful of crops and a toy teacher."""

from __future__ import annotations

import csv
import shutil
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import facebench.training.first_zoo as script
from facebench.errors import UserError
from facebench.nets.zoo import load_model, load_network
from facebench.training.crops import UNLABELLED, prepare_crops
from facebench.training.loop import Recipe
from facebench.training.sparse_chain import Chain, Link, steps_to

MODELS = Path(__file__).parents[2] / "models"
TINY = Recipe(2, warmup=1, weights=script.WEIGHTS, precision="float32", checkpoint_every=1)


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


def test_steps_of_a_model_include_its_ancestors() -> None:
    assert steps_to(script.CHAIN, "baseline") == [("dense", 7000)]
    assert [name for name, _ in steps_to(script.CHAIN, "sparse_076")] == [
        "dense",
        "sparse_096",
        "sparse_076",
    ]


def test_the_chain_learns_continues_and_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, work, models = crop_folder(tmp_path / "data"), tmp_path / "work", tmp_path / "models"
    shutil.copytree(MODELS, models, ignore=shutil.ignore_patterns("weights"))
    links = tuple(
        replace(link, steps=2)
        for link in (
            Link("sparse_096", "f", Fraction(1, 256), 0),
            Link("sparse_076", "5b", Fraction(1, 128), 0),
            Link("sparse_074", "4b", Fraction(1, 2), 0),
        )
    )
    chain = Chain(0.5, TINY, links, TINY, (0.1, 0.1))
    monkeypatch.setattr(script, "CHAIN", chain)
    monkeypatch.setattr(script, "teacher_of", lambda path: toy_teacher)
    monkeypatch.setattr(script, "SYNTHETIC_IDENTITIES", 4)
    monkeypatch.setattr(script, "SYNTHETIC_IMAGES", 3)
    monkeypatch.setattr(script, "HELD_OUT_SYNTHETIC", 1)
    monkeypatch.setattr(script, "HELD_OUT_REAL", 3)
    monkeypatch.setattr(script, "PER_BATCH_REAL", 4)
    monkeypatch.setattr(script, "PER_BATCH_SYNTHETIC", 2)
    monkeypatch.setattr("facebench.training.loop.LOG_EVERY", 1)
    command = ["--data", str(data), "--teacher", "none.onnx", "--work", str(work)]
    command += ["--models", str(models), "--publish", "baseline", "sparse_074"]
    script.main(command)
    script.main(command)  # nothing is left to learn; publishing again is harmless
    monkeypatch.chdir(tmp_path)
    embedder = load_model("sparse_074")
    faces = np.zeros((2, 112, 96, 3), np.uint8)
    assert embedder.embed(faces).shape == (2, 256)
    net = load_network("sparse_074")
    kept = {name: (net.get_submodule(name).weight != 0).sum().item() for name in ("f", "local5b")}
    assert kept["f"] <= net.f.weight.numel() // 256
    assert kept["local5b"] <= net.local5b.weight.numel() // 128
    saved = torch.load(work / "sparse_074" / "final.pt", weights_only=True)
    assert set(saved["masks"]) == {"f", "local5b", "conv4b"}


def test_unknown_model_to_publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "training_data", lambda *_: ([], None))
    monkeypatch.setattr(script, "learn", lambda *_: ["baseline"])
    arguments = ["--data", "x", "--teacher", "x", "--work", str(tmp_path), "--publish", "other"]
    with pytest.raises(SystemExit, match="other: only baseline"):
        script.main(arguments)
