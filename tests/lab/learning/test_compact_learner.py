"""Compact networks learn under the normalised supervision, from random or published weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import facebench.lab.learning.loop as loop
from facebench.base.errors import UserError
from facebench.lab.data.augment import make_batch
from facebench.lab.data.crops import Teacher
from facebench.lab.data.sources import faces_of, training_data
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.train import train
from facebench.lab.laboratory.work_folder import Evaluated
from facebench.lab.learning.learner import Machine, untrained_compact
from facebench.lab.learning.recipes import RecipeFile, load_recipe
from facebench.models.architectures.convnet import to_input
from facebench.models.architectures.registry import build
from facebench.models.cards.card import read_card
from facebench.models.cards.publish import publish_compact, write_card
from facebench.models.cards.trained import compact_network_of
from tests.helpers.training_toys import write_people


def teacher(crops: np.ndarray) -> np.ndarray:
    """Mean colours of the halves of a crop: what a small network can imitate."""
    halves = crops.reshape(len(crops), 2, -1, 3).mean(2).reshape(len(crops), 6)
    return (halves - 127).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "p", people=6, images=5)
    return training_data([str(folder / "p")], 6, folder / "cache", Teacher(teacher, "colours"))


@pytest.fixture
def recipe() -> RecipeFile:
    whole = load_recipe("compact").model_dump()
    whole |= {"batch": 6, "precision": "float32", "checkpoint_every": 1}
    whole["train"] |= {"steps": 3, "warmup": 0}
    return RecipeFile.model_validate(whole)


def fresh() -> nn.Module:
    return build("mobilenet_v2", 8, (112, 96), 0.125)


def test_loss_is_the_weighted_sum_that_training_minimises(data, recipe) -> None:
    learner = untrained_compact(fresh, 8, recipe, data, seed=0)
    batch = make_batch(data.sources, 0, 0)
    learner.net.eval()
    losses = learner.supervision(
        learner.net(to_input(torch.from_numpy(batch.faces))),
        torch.from_numpy(batch.targets),
        torch.from_numpy(batch.labels),
    )
    wanted = sum(recipe.weights[name] * float(losses[name].detach()) for name in losses)
    assert float(learner.loss(learner.net, batch).detach()) == pytest.approx(wanted, rel=1e-5)


def test_supervision_fits_published_weights(data, recipe) -> None:
    learner = untrained_compact(fresh, 8, recipe, data, seed=0)
    batch = make_batch(data.sources, 0, 0)
    learner.net.eval()
    before = float(learner.loss(learner.net, batch).detach())
    learner.adopt({name: value.clone() for name, value in learner.net.state_dict().items()})
    assert float(learner.loss(learner.net, batch).detach()) < before
    crops = data.sources[0][0]
    rows = np.flatnonzero(crops.labels == 2)[:4]
    with torch.no_grad():
        unit = F.normalize(learner.net(to_input(torch.from_numpy(faces_of(crops, rows)))), dim=1)
    wanted = F.normalize(unit.sum(0), dim=0)
    torch.testing.assert_close(learner.supervision.prototypes[2].detach(), wanted)


def test_joint_supervision_is_not_for_compact_networks(data) -> None:
    with pytest.raises(UserError, match="--recipe compact"):
        untrained_compact(fresh, 8, load_recipe("paper"), data, 0)


@pytest.fixture
def lab(data, recipe, tmp_path: Path) -> Laboratory:
    torch.manual_seed(0)
    models = tmp_path / "models"
    card = publish_compact("net", fresh(), {"data": "none"}, models)
    write_card(card.model_copy(update={"weights": None, "sha256": None}), models / "net.toml")

    def evaluate(card: Path, protocols: tuple[str, ...]) -> list[Evaluated]:
        return [Evaluated(name, f"{name} of {card.stem}: 0.5.", 0.5) for name in protocols]

    machine = Machine(report=lambda _: None)
    return Laboratory(recipe, "tiny", data, "toys", tmp_path / "work", models,
                      tmp_path / "results", machine, evaluate)  # fmt: skip


def test_a_card_is_trained_stopped_continued_and_published(lab, tmp_path, monkeypatch) -> None:
    card = read_card(lab.models / "net.toml")
    steps = []
    real = loop._step

    def failing(*given):
        if len(steps) == 2:
            raise KeyboardInterrupt
        steps.append(1)
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_step", failing)
        with pytest.raises(KeyboardInterrupt):
            train(card, lab, protocols=("lfw",))
    made = train(card, lab, protocols=("lfw",))
    assert made.notes == "Evaluation: lfw of net: 0.5." and made.training.images == 18
    assert made.title == card.title and made.preprocessing == card.preprocessing

    whole = Laboratory(lab.recipe, "tiny", lab.data, "toys", tmp_path / "w2", tmp_path / "m2",
                       lab.results, lab.machine)  # fmt: skip
    undisturbed = train(card, whole)
    one, two = (compact_network_of(c).state_dict() for c in (made, undisturbed))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert train(card, lab, protocols=("lfw",)).sha256 == made.sha256


def test_a_card_without_its_weights_gets_them_again(lab) -> None:
    card = read_card(lab.models / "net.toml")
    made = train(card, lab, steps=1, protocols=("lfw",))
    before = made.weights_path.read_bytes()
    final = lab.work / f"net-{made.training.fingerprint}" / "final.pt"
    learned = final.stat().st_mtime_ns
    made.weights_path.unlink()
    again = train(read_card(card.path), lab, steps=1, protocols=("lfw",))
    assert again == made and again.weights_path.read_bytes() == before
    write_card(made.model_copy(update={"weights": None, "sha256": None}), card.path)
    again = train(read_card(card.path), lab, steps=1, protocols=("lfw",))
    assert again == made and again.weights_path.read_bytes() == before
    assert final.stat().st_mtime_ns == learned


def test_what_would_be_lost_is_refused(lab, tmp_path) -> None:
    card = read_card(lab.models / "net.toml")
    train(card, lab, steps=1)
    made = read_card(card.path)
    with pytest.raises(UserError, match="--overwrite"):
        train(card, lab, steps=2)
    assert read_card(card.path) == made
    elsewhere = replace(lab, work=tmp_path / "w3")
    assert train(made, elsewhere, steps=1).sha256 == made.sha256
    longer = train(made, replace(lab, overwrite=True), steps=2)
    assert longer.sha256 != made.sha256
    with pytest.raises(UserError, match="--overwrite"):
        train(longer, lab, steps=1)  # whose card is the other's now


def test_other_faces_are_refused(lab) -> None:
    card = read_card(lab.models / "net.toml")
    small = card.preprocessing.model_copy(update={"size": (96, 96)})
    with pytest.raises(UserError, match=r"96x96 faces.*: copy .*net.toml .*size = \[112, 96\]"):
        lab.learner(card.model_copy(update={"preprocessing": small}), 0)
    other = card.preprocessing.model_copy(update={"mean": (0.0, 0.0, 0.0)})
    with pytest.raises(UserError, match=r"127\.5"):
        lab.learner(card.model_copy(update={"preprocessing": other}), 0)


def test_squeezenet_learns_with_batch_normalisation_and_is_kept_without(
    data, recipe, tmp_path: Path
) -> None:
    def squeezenet() -> nn.Module:
        return build("squeezenet1_1", 8, (112, 96), 0.125)

    learner = untrained_compact(squeezenet, 8, recipe, data, seed=0)
    names = list(learner.net.state_dict())
    learner.learn("train", tmp_path / "begin", Machine(), 0)
    saved = torch.load(tmp_path / "begin" / "checkpoint.pt", weights_only=True)
    assert any("running_mean" in name for name in saved["net"])
    assert list(learner.net.state_dict()) == names
    learner.learn("retrain", tmp_path / "again", Machine(), 0, 2)
    saved = torch.load(tmp_path / "again" / "checkpoint.pt", weights_only=True)
    assert not any("running_mean" in name for name in saved["net"])
