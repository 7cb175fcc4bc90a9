"""The script that learns the members of an ensemble, on a handful of crops and a toy teacher."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import facebench.lab.regions as script
from facebench.lab.data.augment import augment, make_batch, region_change, regions_of
from facebench.lab.data.crops import UNLABELLED, TrainingCrops
from facebench.lab.learning.loop import Recipe
from facebench.models.cards.card import read_card
from facebench.models.embedders.ensemble import EnsembleEmbedder
from facebench.models.regions import Region
from facebench.models.zoo import load_model, load_network

MODELS = Path(__file__).parents[2] / "models"
TINY = Recipe(2, warmup=1, weights=script.WEIGHTS, precision="float32", checkpoint_every=1)
PLAN = script.MemberPlan(0.125, TINY, replace(TINY, seed=1), replace(TINY, seed=2),
                   (("5b", Fraction(1, 8)), ("5a", Fraction(1, 8))))  # fmt: skip
WHOLE = Region(box=(0, 0, 96, 112))


def crops(count: int = 24) -> TrainingCrops:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 128, 112, 3), dtype=np.uint8)
    targets = rng.normal(size=(count, 8)).astype(np.float32)
    return TrainingCrops(images, np.arange(count) % 5, targets)


def smooth_crop(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (8, 7, 3), dtype=np.uint8), (112, 128))


def test_the_whole_region_is_augmented_as_the_whole_face_is() -> None:
    """The same movement, light and cover; mirroring inside the warp moves no pixel visibly."""
    change = region_change(WHOLE)
    for seed in range(30):
        crop = smooth_crop(seed)
        plain = augment(crop, np.random.default_rng(seed)).astype(int)
        region = change(crop, np.random.default_rng(seed)).astype(int)
        assert region.shape == (112, 96, 3)
        # The borders of the warp are repeated pixels, which a mirror may round differently.
        assert np.abs(plain - region)[2:-2, 2:-2].max() <= 8
        assert np.abs(plain - region).mean() < 0.5


@pytest.mark.parametrize("box", [(0, 14, 60, 84), (12, 24, 84, 108), (-8, 0, 104, 112)])
def test_without_movement_training_sees_what_the_embedder_sees(
    box: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    still = np.array([[1.0, 0, -8], [0, 1, -8]])
    monkeypatch.setattr("facebench.lab.data.augment.movement", lambda rng: still)
    monkeypatch.setattr("facebench.lab.data.augment.disturb", lambda face, rng: face)
    region, crop = Region(box=box, colour="grey"), smooth_crop()
    want = regions_of(crop[None], region)[0].astype(int)
    mirrored = regions_of(crop[None, :, ::-1], region)[0].astype(int)
    seen = {}
    for seed in range(8):
        face = region_change(region)(crop, np.random.default_rng(seed)).astype(int)
        distance = [np.abs(face - other)[2:-2, 2:-2].max() for other in (want, mirrored)]
        assert min(distance) <= 6  # fixed-point interpolation of two kinds
        seen[int(np.argmin(distance))] = True
    assert set(seen) == {0, 1}


def test_regions_of_crops_have_the_pixels_of_the_template() -> None:
    given = crops(3).images
    np.testing.assert_array_equal(regions_of(given, WHOLE), given[:, 8:120, 8:104])


def test_batches_of_another_change_draw_the_same_crops() -> None:
    sources = [(crops(), 4)]
    plain = make_batch(sources, 3, 5)
    region = make_batch(sources, 3, 5, region_change(Region(box=(0, 14, 60, 84), size=(96, 96))))
    assert plain.faces.shape == (4, 112, 96, 3) and region.faces.shape == (4, 96, 96, 3)
    np.testing.assert_array_equal(plain.labels, region.labels)
    np.testing.assert_array_equal(plain.targets, region.targets)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the shipped cards, and the script at the scale of a test."""
    shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("weights"))
    for card in (tmp_path / "models").glob("region_*.toml"):
        card.unlink()
    sources = [(crops(), 4), (replace(crops(8), targets=np.full((8, 8), np.nan, np.float32)), 2)]
    held_out = crops(10).images
    monkeypatch.setattr(script, "training_data", lambda *_: (sources, held_out))
    monkeypatch.setattr(script, "PLAN", PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(workspace: Path, *more: str) -> list[str]:
    return ["--data", "x", "--teacher", "x", "--work", str(workspace / "work"), *more]


@pytest.mark.slow
def test_members_are_learned_continued_and_published(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.main(arguments(workspace, "--only", "region_left"))
    card = read_card(workspace / "models" / "region_left.toml")
    assert card.region == read_card(workspace / "models" / "ensemble_5.toml").regions["left"]
    assert card.sparsity == {"5b": "1/8", "5a": "1/8"} and card.width == 0.125
    assert card.training.images == (52 + 12) * 6 and "shared by all members" in card.training.recipe
    net = load_network("region_left")
    share = float((net.local5a.weight != 0).float().mean())
    assert 0 < share <= 1 / 8 + 1e-6
    weights = workspace / "models" / "weights" / "region_left.safetensors"
    before = weights.read_bytes()
    weights.unlink()
    # Nothing that is learned is learned again; a member that was stopped half-way goes on.
    (final,) = (workspace / "work").glob("members-*/region_left/final.pt")
    final.unlink()
    monkeypatch.setattr(script, "learn_beginning", lambda *_: None)
    script.main(arguments(workspace))
    assert weights.read_bytes() == before
    ensemble = load_model("ensemble_5")
    assert isinstance(ensemble, EnsembleEmbedder)
    faces = np.zeros((2, 112, 112, 3), np.uint8)
    assert ensemble.embed(faces).shape == (2, 5 * 64)
    begun = {member.weights_hash for member in ensemble.members}
    assert len(begun) == 5


def test_members_of_other_faces_or_another_teacher_are_not_gone_on_with() -> None:
    held_out, one = crops(10).images, crops()
    taught = replace(one, targets=-one.targets)
    moved = replace(one, images=one.images[::-1])
    found = [
        script.settings_of(PLAN, [(crops, 4)], held_out) for crops in (one, taught, moved, one)
    ]
    assert found[0] == found[3] and found[1] != found[0] != found[2]
    assert script.settings_of(replace(PLAN, width=0.25), [(one, 4)], held_out) != found[0]


def test_a_region_of_another_size_begins_with_the_convolutions(workspace: Path) -> None:
    sources, held_out = script.training_data(Path(), Path(), Path())
    work = workspace / "work"
    script.learn_beginning(PLAN, sources, work)
    region = Region(box=(24, 44, 72, 92), size=(96, 96))
    learned = script.learn_member("nose", region, PLAN, sources, held_out, work)
    assert learned.net.input_size == (96, 96)
    assert set(learned.masks) == {"local5a", "local5b"}


def test_held_out_identities_are_not_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = replace(crops(1200), labels=np.arange(1200) % 110)
    given.labels[::7] = UNLABELLED
    monkeypatch.setattr(script, "prepare_crops", lambda *_: given)
    monkeypatch.setattr(script, "teacher_of", lambda *_: None)
    faces = np.zeros((4, 128, 112, 3), np.uint8)
    monkeypatch.setattr(script, "training_faces", lambda *_: (faces, np.array([0, 0, 1, 1])))
    sources, held_out = script.training_data(tmp_path, tmp_path, tmp_path)
    apart = np.random.default_rng(7).permutation(110)[:100]
    kept = {image.tobytes() for image in given.images[~np.isin(given.labels, apart)]}
    used = {image.tobytes() for image in [*sources[0][0].images, *held_out]}
    assert used == kept and sources[0][0].classes <= 10 and sources[1][0].classes == 2


def test_an_unknown_member(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(arguments(workspace, "--only", "region_ear"))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("region_members: --only region_ear: members are region_face")
