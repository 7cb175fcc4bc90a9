"""Which filters belong together: by hand on a toy, and in every network that is pruned."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facebench.lab.filters.groups import filter_counts, find_groups, normalisation_after
from facebench.models.architectures.registry import build

NETS = ("squeezenet1_1", "mobilenet_v2", "resnet50", "mobilefacenet")


def test_coupled_layers_of_the_toy(toy) -> None:
    found = {frozenset(group.members): group.size for group in find_groups(toy, (16, 12))}
    assert found == {
        frozenset({"stem", "deep"}): 12,
        frozenset({"down", "outer"}): 10,
        frozenset({"inner"}): 8,
        frozenset({"one"}): 5,
        frozenset({"three"}): 6,
    }
    for group in find_groups(toy, (16, 12)):
        for indices in group.members.values():
            assert indices.tolist() == list(range(group.size))


def test_groups_are_in_the_order_of_layers(toy) -> None:
    names = [name for name, _ in toy.named_modules()]
    places = [names.index(group.root) for group in find_groups(toy, (16, 12))]
    assert places == sorted(places)


class Head(nn.Module):
    """Its embedding is a convolution, normalised or not."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.first, self.last, self.after = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 5, 1), last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.last(torch.relu(self.first(x)))).mean((2, 3))


@pytest.mark.parametrize("last", [nn.Identity(), nn.BatchNorm2d(5)])
def test_the_embedding_is_never_among_them(last) -> None:
    groups = find_groups(Head(last), (8, 8))
    assert [list(group.members) for group in groups] == [["first"]]
    flat = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 6), nn.BatchNorm2d(5))
    assert [list(group.members) for group in find_groups(flat, (8, 8))] == [["0"]]


@pytest.mark.parametrize("name", NETS)
def test_every_convolution_of_the_named_networks_once(name) -> None:
    net = build(name, 8, (112, 96), 0.125)
    groups = find_groups(net, (112, 96))
    expected = {n: m.out_channels for n, m in net.named_modules() if isinstance(m, nn.Conv2d)}
    assert filter_counts(groups) == expected
    assert sum(group.filters for group in groups) == sum(expected.values())
    members = [layer for group in groups for layer in group.members]
    assert len(members) == len(set(members))


def test_normalisations_behind_convolutions(toy) -> None:
    assert normalisation_after(toy, (16, 12)) == {
        "stem": "norm", "deep": "deep_norm", "down": "down_norm", "inner": "inner_norm",
        "outer": "outer_norm",
    }  # fmt: skip
