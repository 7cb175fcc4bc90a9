"""Frozen layers: what is stored, what learns, and that stopping in between changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facebench.lab.data.frozen as frozen_layers
from facebench.lab.data.augment import augment
from facebench.lab.data.frozen import (
    SEED,
    Frozen,
    UpperLayers,
    from_stored,
    one_view,
    stored_sources,
)
from facebench.lab.data.sources import TrainingData, training_data
from facebench.lab.learning.learner import Learner, Machine, untrained
from facebench.lab.learning.normalised import NormalisedConvNet
from facebench.lab.learning.recipes import load_recipe
from facebench.models.architectures.convnet import ConvNet, to_input
from facebench.models.architectures.shapes import LAYERS
from tests.helpers.training_toys import write_people

WIDTH = 0.03125
QUIET = Machine(report=lambda _: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "p", people=6, images=5)
    return training_data([str(folder / "p")], 6, folder / "cache")


def learner_of(data: TrainingData, folder: Path, frozen: Frozen | None) -> Learner:
    recipe = load_recipe("short")
    retrain = recipe.retrain.model_copy(update={"steps": 3, "rate": 1e-2})
    recipe = recipe.model_copy(update={"batch": 6, "precision": "float32", "retrain": retrain})
    learner = untrained(recipe, WIDTH, (112, 96), data, 0)
    return replace(learner, frozen=frozen, stored=folder / "stored")


@pytest.mark.parametrize("layer", LAYERS[1:])
@pytest.mark.parametrize("kind", [ConvNet, NormalisedConvNet])
def test_lower_and_upper_layers_are_the_whole_network(kind: type[ConvNet], layer: str) -> None:
    torch.manual_seed(1)
    net = kind(WIDTH, (80, 80)).eval()
    x = to_input(torch.randint(0, 256, (3, 80, 80, 3), dtype=torch.uint8))
    with torch.no_grad():
        upper = UpperLayers(net, layer).eval()
        assert torch.equal(upper(net.between(x, LAYERS[0], layer)), net(x))


def test_upper_layers_have_no_parameter_below_and_drop_out_in_training_only() -> None:
    torch.manual_seed(1)
    net = NormalisedConvNet(WIDTH, (80, 80), dropout=(0.5, 0.5))
    upper = UpperLayers(net, "5a")
    names = {name.split(".")[0] for name, _ in upper.named_parameters()}
    assert names == {"local5a", "norm5a", "local5b", "norm5b", "f", "normf"}
    x = torch.randn(4, net.layer("4b").out_channels, 5, 5)
    with torch.no_grad():
        assert not torch.equal(upper.train()(x), upper(x))
        assert torch.equal(upper.eval()(x), upper(x))
    assert not net.norm4b.training


def test_stored_views_are_the_activations_of_augmented_crops(data, tmp_path: Path) -> None:
    learner = learner_of(data, tmp_path, Frozen("4a", 3))
    (source,) = stored_sources(
        learner.net, Frozen("4a", 3), data.sources, tmp_path, False, QUIET.report
    )
    stored, crops = source[0], data.sources[0][0]
    assert source[1] == data.sources[0][1] and len(stored.images) == len(crops.images)
    assert (stored.labels == crops.labels).all()
    row, rng = 4, np.random.default_rng([SEED, 0, 4])
    views = [augment(crops.images[row], rng) for _ in range(3)]
    with torch.no_grad():
        wanted = learner.net.eval().between(to_input(torch.from_numpy(np.stack(views))), "1a", "4a")
    found = from_stored(torch.from_numpy(np.array(stored.images[row])))
    assert torch.allclose(found, wanted, rtol=2e-3, atol=2e-3) and found.std() > 0
    assert not torch.equal(found[0], found[1])
    drawn = {one_view(stored.images[row], np.random.default_rng(i)).tobytes() for i in range(30)}
    assert len(drawn) == 3


def test_only_upper_layers_learn_and_nothing_below_moves(data, tmp_path: Path) -> None:
    learner = learner_of(data, tmp_path, Frozen("4b", 2))
    mask = (torch.rand_like(learner.net.layer("5b").weight) < 0.5).float()
    learner.masks = {"local5b": mask}
    before = {name: value.clone() for name, value in learner.net.state_dict().items()}
    learner.learn("retrain", tmp_path / "work", QUIET, seed=0)
    after = learner.net.state_dict()
    assert after.keys() == before.keys()
    for name, value in after.items():
        layer = name.split(".")[0].removeprefix("conv").removeprefix("norm").removeprefix("local")
        moved = not torch.equal(value, before[name])
        if LAYERS.index(layer) < LAYERS.index("4b"):
            assert not moved, name
        elif name.endswith(".weight"):
            assert moved, name
    assert (after["local5b.weight"][mask == 0] == 0).all()


def test_learning_from_what_is_stored_is_learning_with_frozen_layers(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses of the first step are those of the whole network on the same faces."""
    told: list[str] = []
    monkeypatch.setattr(frozen_layers, "augment", lambda crop, rng: crop[8:120, 8:104])
    learner = learner_of(data, tmp_path, Frozen("4a", 1))
    learner.net.dropout = (0.0, 0.0)
    learner.learn("retrain", tmp_path / "a", Machine(report=told.append), seed=0, steps=1)
    whole = learner_of(data, tmp_path, None)
    whole.net.dropout = (0.0, 0.0)
    from facebench.lab.data.augment import make_batch

    batch = make_batch(data.sources, 0, 0, lambda crop, rng: crop[8:120, 8:104])
    upper = UpperLayers(whole.net, "4a")
    with torch.no_grad():
        x = whole.net.between(to_input(torch.from_numpy(batch.faces)), "1a", "4a")
        losses = whole.supervision(
            upper.train()(x), torch.from_numpy(batch.targets), torch.from_numpy(batch.labels)
        )
    told_identity = float(told[-1].split("identity ")[1].split(",")[0])
    assert told_identity == pytest.approx(float(losses["identity"]), rel=2e-3)


def test_storing_goes_on_where_it_was_stopped(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_layers, "BLOCK", 7)
    net = learner_of(data, tmp_path, None).net
    frozen, told = Frozen("4a", 2), []

    def store(folder: Path) -> np.ndarray:
        (source,) = stored_sources(net, frozen, data.sources, folder, False, told.append)
        return np.array(source[0].images)

    whole = store(tmp_path / "whole")
    real, calls = frozen_layers._lower, []

    def failing(*given, **more):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(frozen_layers, "_lower", failing)
        with pytest.raises(KeyboardInterrupt):
            store(tmp_path / "broken")
    assert [path.suffix for path in (tmp_path / "broken").iterdir()] == [".part"]
    assert (store(tmp_path / "broken") == whole).all() and np.abs(whole).sum() > 0
    told.clear()
    assert (store(tmp_path / "broken") == whole).all() and not told
    with torch.no_grad():
        net.layer("1a").weight.add_(0.1)
    assert not (store(tmp_path / "broken") == whole).all()


def test_retraining_has_a_dropout_of_its_own(data, tmp_path: Path) -> None:
    learner = learner_of(data, tmp_path, None)
    assert learner.recipe.dropout == (0.1, 0.1) and learner.recipe.retrain.dropout == (0.0, 0.0)
    learner.learn("retrain", tmp_path / "a", QUIET, seed=0, steps=1)
    assert learner.net.dropout == (0.0, 0.0)
    learner.learn("train", tmp_path / "b", QUIET, seed=0, steps=1)
    assert learner.net.dropout == (0.1, 0.1)


def test_activations_of_other_images_are_others_though_nothing_else_differs(
    data, tmp_path: Path
) -> None:
    net, frozen = learner_of(data, tmp_path, None).net, Frozen("4a", 1)
    ((crops, count),) = data.sources
    whole = replace(crops, images=np.stack([crops.images[i] for i in range(len(crops.images))]),
                    key="")  # fmt: skip
    other = replace(whole, images=whole.images.copy())
    other.images[3, 60, 50] ^= 255
    found = [
        np.array(
            stored_sources(net, frozen, [(one, count)], tmp_path, False, QUIET.report)[0][0].images
        )
        for one in (whole, other, whole)
    ]
    assert (found[0] == found[2]).all() and len(list(tmp_path.glob("*.npy"))) == 2
    changed = [row for row in range(len(found[0])) if (found[0][row] != found[1][row]).any()]
    assert changed == [3]
