"""A network of the user's: what it is started from, what may go, and what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.lab.compress.brought import (
    masks_in,
    network_of_code,
    publish_brought,
    shared_weights,
    start_of,
)
from facebench.lab.compress.moves import Filters, layers_of, moves_for
from facebench.lab.compress.piece import Piece
from facebench.lab.compress.plan import CompressPlan
from facebench.lab.data.sources import training_data
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.learning.learner import CompactLearner, Machine
from facebench.lab.learning.own_input import OwnInput, require_learnable
from facebench.lab.learning.recipes import RecipeFile, load_recipe
from facebench.models.architectures.base import parameters
from facebench.models.architectures.convnet import to_input
from facebench.models.cards.card import ModelCard, PreprocessingFields, read_card
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model
from tests.helpers import brought
from tests.helpers.training_toys import write_people

HERE = "tests.lab.compress.test_brought"
QUIET = Machine(report=lambda _: None)
INPUT = ModelOptions(size=(112, 112), normalise="imagenet", colour="bgr", flip="add")
RULE = "lfw.accuracy drop <= 9pt at 50%"


class Net(nn.Module):
    """Two branches that meet; its embedding is the channels of two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 8), nn.BatchNorm2d(8), nn.PReLU(8))
        self.left, self.right = nn.Conv2d(8, 12, 3, 2), nn.Conv2d(8, 12, 3, 2)
        self.last, self.other = nn.Conv2d(12, 4, 6), nn.Conv2d(12, 2, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(self.left(x) + self.right(x))
        return torch.cat([self.last(x), self.other(x)], 1).flatten(1)


class Rooms(nn.Module):
    """What loses no channel: numbers in its code say how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 28, 28), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.first(x).reshape(-1, 4, 16).flatten(1))
        return found


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def rooms() -> Rooms:
    torch.manual_seed(0)
    return Rooms()


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    return start_of(f"{HERE}:net", INPUT, tmp_path)


def line() -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3))


def function():
    return lambda given: given[:, 0, 0]


def faces(number: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, 112, 112, 3), dtype=np.uint8)


def embedded(made: ModelCard, given: np.ndarray) -> np.ndarray:
    return load_model(str(made.path)).embed(given)


def test_the_start_is_the_network_itself(card: ModelCard, tmp_path: Path) -> None:
    own = load_model(f"{HERE}:net", INPUT)
    assert embedded(card, faces()) == pytest.approx(own.embed(faces()), abs=1e-6)
    assert card.preprocessing == PreprocessingFields.of(own.preprocessing)
    assert start_of(f"{HERE}:net", INPUT, tmp_path).path == card.path
    assert start_of(f"{HERE}:net", ModelOptions(size=(112, 112)), tmp_path).path != card.path


def test_faces_of_trainings_become_its_own_input(card: ModelCard) -> None:
    """The same faces through its embedder, where the margin is the border's pixels again."""
    given = faces()[:, :, 8:104]
    wide = np.pad(given, ((0, 0), (0, 0), (8, 8), (0, 0)), mode="edge")
    net = network_of_code(card)
    with torch.no_grad():
        found = net(to_input(torch.from_numpy(given)))
    plain = load_model(str(card.path), ModelOptions(flip="none"))
    assert found.numpy() == pytest.approx(plain.embed(wide), abs=1e-4)
    assert net.embedding == 6


def test_filters_go_and_the_embedding_stays(card: ModelCard, tmp_path: Path) -> None:
    start = Piece.of(card, None, 0)
    assert isinstance(start.net, OwnInput)
    moves, told = moves_for(CompressPlan("x", RULE, "small"), start, QUIET)
    assert list(moves) == ["filters", "connections", "int8"] and not told
    filters = moves["filters"]
    assert isinstance(filters, Filters) and set(filters.original) == {
        "net.stem.0", "net.left", "net.right",
    }  # fmt: skip
    piece = Piece.of(card, None, 0)
    for number in (1, 2, 3):
        filters.step(piece, number, 0)
    assert parameters(piece.net) <= 0.93**3 * parameters(start.net)
    assert isinstance(piece.net, OwnInput) and piece.net.embedding == 6
    piece.save(tmp_path / "piece.pt")
    again = Piece.load(tmp_path / "piece.pt", card, None, 0)
    fields = {"title": "a smaller one"}
    made = publish_brought(
        "small", again.net, card, card.training, tmp_path, "float32", 0.2, fields
    )
    assert (made.filters_removed, made.parent, made.factory) == (0.2, "net", f"{HERE}:net")
    with torch.no_grad():
        expected = piece.net(to_input(torch.from_numpy(faces()[:, :, 8:104])))
    wide = np.pad(faces()[:, :, 8:104], ((0, 0), (0, 0), (8, 8), (0, 0)), mode="edge")
    assert read_card(made.path) == made
    kept = load_model(str(made.path), ModelOptions(flip="none"))
    assert kept.embed(wide) == pytest.approx(expected.numpy(), abs=1e-4)


def test_what_cannot_lose_filters_says_why(tmp_path: Path) -> None:
    start = Piece.of(start_of(f"{HERE}:rooms", INPUT, tmp_path), None, 0)
    moves, told = moves_for(CompressPlan("x", RULE, "small"), start, QUIET)
    assert list(moves) == ["connections", "int8"]
    (line,) = told
    assert line.startswith("passed over filters: those of rooms are not available: ")
    assert "\n" not in line
    with pytest.raises(UserError, match="of a python network connections are chosen by magnitude"):
        moves_for(CompressPlan("x", RULE, "small", criterion="obd"), start, QUIET)


def test_a_network_of_one_layer_has_int8_alone(tmp_path: Path) -> None:
    card = start_of(f"{HERE}:line", INPUT, tmp_path)
    moves, told = moves_for(CompressPlan("x", RULE, "small"), Piece.of(card, None, 0), QUIET)
    assert list(moves) == ["int8"]
    assert told[0].endswith("not available: it has no convolution but those whose channels are the "
                            "embedding") and "no layer has any" in told[1]  # fmt: skip


def test_shared_weights_stay_and_pruned_ones_stay_pruned(tmp_path: Path) -> None:
    small = ModelOptions(size=brought.SIZE)
    tied = network_of_code(start_of("tests.helpers.brought:tied", small, tmp_path))
    assert shared_weights(tied) == {"net.one", "net.two"}
    piece = Piece.of(start_of("tests.helpers.brought:tied", small, tmp_path), None, 0)
    assert set(layers_of(piece)) == {"net.last"}
    for kind in ("masked", "removed"):
        card = start_of(f"tests.helpers.brought:{kind}", small, tmp_path)
        (mask,) = masks_in(network_of_code(card)).values()
        assert mask[:, 1::2].all() and not mask[:, ::2].any()


def test_functions_and_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is Python code, not a torch module"):
        start_of(f"{HERE}:function", ModelOptions(size=(112, 112)), tmp_path)


def test_a_learner_of_a_brought_network(card: ModelCard, tmp_path: Path) -> None:
    """It starts from the network's own weights, keeps masks, and goes on from what it wrote."""
    write_people(tmp_path / "people", people=3, images=4)
    data = training_data([str(tmp_path / "people")], 6, tmp_path / "cache")
    whole = load_recipe("compact").model_dump() | {"batch": 6, "precision": "float32"}
    recipe = RecipeFile.model_validate(whole)
    lab = Laboratory(recipe, "tiny", data, "toys", tmp_path, tmp_path, tmp_path, QUIET)
    piece = Piece.of(card, lab, 0)
    before = {name: value.clone() for name, value in piece.net.state_dict().items()}
    own = network_of_code(card).state_dict()
    assert all(torch.equal(before[name], own[name]) for name in own)
    mask = torch.ones_like(before["net.left.weight"], dtype=torch.bool)
    mask[:3] = False
    piece.drop({"net.left": mask})
    assert isinstance(piece.learner, CompactLearner)
    piece.learner.learn("retrain", tmp_path / "work", QUIET, 1, 2, compiled=False)
    piece.settle()
    after = piece.net.state_dict()
    assert (after["net.left.weight"][~mask] == 0).all()
    assert not torch.equal(after["net.right.weight"], before["net.right.weight"])
    piece.save(tmp_path / "piece.pt")
    again = Piece.load(tmp_path / "piece.pt", card, lab, 0)
    assert all(torch.equal(after[name], again.net.state_dict()[name]) for name in after)
    assert torch.equal(again.masks["net.left"], mask)


def test_faces_that_training_crops_do_not_show_are_not_trained_on(tmp_path: Path) -> None:
    small = start_of("tests.helpers.brought:dense", ModelOptions(size=brought.SIZE), tmp_path)
    with pytest.raises(UserError, match="dense takes 16x16 faces; training crops are of 112x96"):
        require_learnable(small)
