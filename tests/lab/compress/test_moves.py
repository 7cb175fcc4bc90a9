"""What moves do to a network, against brute force."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.lab.compress.moves import (
    Connections,
    Filters,
    layers_of,
    moves_for,
    share_of_connections,
    shares_kept,
)
from facebench.lab.compress.piece import Piece
from facebench.lab.compress.plan import CompressPlan
from facebench.lab.filters.groups import find_groups
from facebench.lab.filters.latency import multiply_adds
from facebench.lab.filters.removal import choose_units, remove_units
from facebench.lab.filters.worth import worth_of_units
from facebench.lab.learning.learner import Machine
from facebench.models.architectures.base import parameters
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.registry import build
from facebench.models.architectures.shapes import LAYERS
from facebench.models.cards.card import read_card
from facebench.models.cards.names import card_for
from facebench.models.cards.publish import publish_compact
from tests.helpers.filter_toys import SIZE, Toy, stir

QUIET = Machine(report=lambda _: None)
RULE = "lfw.accuracy drop <= 1pt at 95%"


def test_the_worth_of_a_unit_is_what_the_network_has_without_it() -> None:
    net = stir(Toy())
    groups = find_groups(net, SIZE)
    for number, found in enumerate(worth_of_units(net, groups, SIZE)):
        less = deepcopy(net)
        gone = [np.array([0] if i == number else [], np.int64) for i in range(len(groups))]
        remove_units(less, find_groups(less, SIZE), gone, SIZE)
        assert found.weights == parameters(net) - parameters(less)
        saved = multiply_adds(net, SIZE) - multiply_adds(less, SIZE)
        assert found.multiply_adds == saved


def test_units_are_chosen_until_enough_is_saved() -> None:
    net = Toy()
    groups = find_groups(net, SIZE)
    original = {name: group.size for group in groups for name in group.members}
    scores = [np.arange(group.size, dtype=float) for group in groups]
    worth = [float(10**number) for number in range(len(groups))]
    units = choose_units(groups, scores, 111.0, original, worth)
    saved = sum(len(gone) * each for gone, each in zip(units, worth, strict=True))
    assert saved >= 111
    with pytest.raises(ValueError, match="cannot be removed"):
        choose_units(groups, scores, 1e9, original, worth)


@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_shares_are_those_of_the_scores_by_their_definition(seed: int, keep: float) -> None:
    rng = np.random.default_rng(seed)
    weights = {
        name: (rng.normal(size=shape) * scale).astype(np.float32)
        for name, shape, scale in (("a", (3, 5), 1.0), ("b", (4, 2, 2), 9.0), ("c", (6,), 0.1))
    }
    scores = {}
    for name, weight in weights.items():
        squares = weight.astype(float).ravel() ** 2
        scores[name] = [square / squares[squares >= square].sum() for square in squares]
    together = sorted((s for own in scores.values() for s in own), reverse=True)
    count = max(1, round(keep * len(together)))
    bound = together[count - 1] * (1 - 1e-12)
    expected = {
        name: max(Fraction(1, 256), Fraction(sum(s >= bound for s in own), len(own)))
        for name, own in scores.items()
    }
    assert shares_kept(weights, keep) == expected


@pytest.fixture
def card(tmp_path):
    torch.manual_seed(1)
    net = build("squeezenet1_1", 8, (112, 96), 0.125)
    return publish_compact("net", net, {"data": "none"}, tmp_path)


def test_connections_go_from_all_layers_and_stay_away(card) -> None:
    piece = Piece.of(card, None, 0)
    move, before = Connections("magnitude"), {}
    for number in (1, 2, 3):
        move.step(piece, number, 0)
        kept = sum(int(mask.sum()) for mask in piece.masks.values())
        for name, mask in piece.masks.items():
            weight = piece.net.get_submodule(name).weight
            assert (weight[~mask] == 0).all() and (weight[mask] != 0).all()
            assert name not in before or not (mask & ~before[name]).any()
        before = dict(piece.masks)
    masked = sum(mask.numel() for mask in piece.masks.values())
    whole = sum(piece.net.get_submodule(m).weight.numel() for m in layers_of(piece).values())
    assert kept + (whole - masked) == pytest.approx(0.8**3 * whole, rel=0.05)


def test_steps_are_of_the_connections_that_a_sparse_start_has() -> None:
    piece = Piece.of(card_for("sparse_012"), None, 0)
    before = share_of_connections(piece)
    assert before == pytest.approx(0.1, abs=0.05)
    made, _ = moves_for(
        CompressPlan("sparse_012", RULE, "small", moves=("connections",)), piece, QUIET
    )
    made["connections"].step(piece, 2, 0)
    assert share_of_connections(piece) == pytest.approx(0.8**2 * before, rel=0.05)


@pytest.mark.parametrize("objective", ["bytes", "multiply-adds"])
def test_filters_go_until_the_objective_has_its_share(card, objective) -> None:
    piece, start = Piece.of(card, None, 0), Piece.of(card, None, 0)
    move = Filters(objective, QUIET, start)

    def cost(net) -> float:
        return parameters(net) if objective == "bytes" else multiply_adds(net, net.input_size)

    whole = cost(start.net)
    for number in (1, 2, 3):
        move.step(piece, number, 0)
        assert 0.93**number * 0.97 <= cost(piece.net) / whole <= 0.93**number * 1.02


def test_filters_that_go_take_the_masks_of_their_connections_with_them(card) -> None:
    piece = Piece.of(card, None, 0)
    Connections("magnitude").step(piece, 3, 0)
    Filters("bytes", QUIET, Piece.of(card, None, 0)).step(piece, 8, 0)
    assert piece.masks
    for name, mask in piece.masks.items():
        weight = piece.net.get_submodule(name).weight
        assert mask.shape == weight.shape and (weight[~mask] == 0).all()


def test_a_piece_is_read_as_it_was_saved(card, tmp_path) -> None:
    piece = Piece.of(card, None, 0)
    Connections("magnitude").step(piece, 3, 0)
    Filters("multiply-adds", QUIET, Piece.of(card, None, 0)).step(piece, 4, 0)
    piece.save(tmp_path / "piece.pt")
    again = Piece.load(tmp_path / "piece.pt", card, None, 0)
    for name, value in piece.net.state_dict().items():
        assert torch.equal(value, again.net.state_dict()[name])
    assert all(torch.equal(mask, again.masks[name]) for name, mask in piece.masks.items())


def of_moves(card, **more):
    plan = CompressPlan(start=card.name, until=RULE, model="small", **more)
    return moves_for(plan, Piece.of(card, None, 0), QUIET)


def test_moves_that_save_nothing_are_passed_over_and_said(card) -> None:
    made, told = of_moves(card, objective="multiply-adds")
    assert list(made) == ["filters"]
    assert told == [
        "passed over connections: saves bytes, and no multiply-adds",
        "passed over int8: saves bytes, and no multiply-adds",
    ]
    with pytest.raises(UserError, match="--moves: none suits net: int8: saves bytes"):
        of_moves(card, objective="latency", moves=("int8",))


def test_criteria_that_need_faces_or_a_convnet_are_refused_without(card) -> None:
    with pytest.raises(UserError, match=r"is of ConvNets; of a squeezenet1_1 .*by magnitude"):
        of_moves(card, criterion="correlation")


def test_layers_that_hold_next_to_nothing_stay_whole(card) -> None:
    layers = layers_of(Piece.of(card, None, 0))
    assert "features.0" not in layers and "embedding" in layers
    convnet = Piece(read_card(card.path), ConvNet(0.03125, (80, 80)))
    assert tuple(layers_of(convnet)) == LAYERS[1:]
