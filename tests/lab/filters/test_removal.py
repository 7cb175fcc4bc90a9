"""Filters that are removed are really gone, and the outputs are those of the zeroed network."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facebench.lab.filters.groups import (
    FilterGroup,
    filter_counts,
    find_groups,
    normalisation_after,
)
from facebench.lab.filters.latency import multiply_adds
from facebench.lab.filters.removal import (
    choose_units,
    least_filters,
    remove_units,
    removed_shares,
    target,
)
from facebench.models.architectures.base import parameters
from facebench.models.architectures.registry import build
from facebench.models.architectures.state import reshape_to
from tests.helpers.filter_toys import SIZE, Toy, stir

NETS = ("squeezenet1_1", "mobilenet_v2", "resnet50", "mobilefacenet")


def zeroed(net: nn.Module, groups, units, size) -> nn.Module:
    """The network with the outputs of some units set to zero, filters still there."""
    other = copy.deepcopy(net)
    after = normalisation_after(other, size)
    with torch.no_grad():
        for group, gone in zip(groups, units, strict=True):
            for name, indices in group.members.items():
                module = other.get_submodule(after.get(name, name))
                for parameter in module.parameters(recurse=False):
                    parameter[indices[gone]] = 0
    return other.eval()


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_the_toy_without_units_is_the_toy_with_zeros(data) -> None:
    torch.manual_seed(data.draw(st.integers(0, 99)))
    net = stir(Toy())
    groups = find_groups(net, SIZE)
    units = [
        np.array(
            sorted(data.draw(st.sets(st.integers(0, group.size - 1), max_size=group.size - 1))),
            np.int64,
        )
        for group in groups
    ]
    dense = zeroed(net, groups, units, SIZE)
    remove_units(net, groups, units, SIZE)
    faces = torch.randn(3, 3, *SIZE)
    torch.testing.assert_close(net(faces), dense(faces), rtol=1e-4, atol=1e-5)
    left = {name: g.size - len(u) for g, u in zip(groups, units, strict=True) for name in g.members}
    assert filter_counts(find_groups(net, SIZE)) == left
    assert net.embedding.out_features == 4


@pytest.mark.parametrize("name", NETS)
def test_named_networks_lose_three_fifths_and_still_run(name) -> None:
    torch.manual_seed(0)
    size = (112, 96)
    net = stir(build(name, 8, size, 0.25))
    groups = find_groups(net, size)
    original = filter_counts(groups)
    total = sum(original.values())
    costs = parameters(net), multiply_adds(net, size)
    rng = np.random.default_rng(0)
    count = target(60, Fraction(1, 100), total, Fraction(60, 100))
    units = choose_units(groups, [rng.random(group.size) for group in groups], count, original)
    dense = zeroed(net, groups, units, size)
    remove_units(net, groups, units, size)
    faces = torch.randn(2, 3, *size)
    got, wanted = net(faces), dense(faces)
    assert got.shape == (2, 8)
    torch.testing.assert_close(
        got, wanted, rtol=1e-4, atol=1e-5 * float(wanted.detach().abs().max())
    )

    left = filter_counts(find_groups(net, size))
    gone = total - sum(left.values())
    assert count <= gone < count + max(len(group.members) for group in groups)
    assert all(left[layer] >= least_filters(original[layer]) for layer in original)
    assert parameters(net) < 0.4 * costs[0] and multiply_adds(net, size) < 0.4 * costs[1]
    shares = removed_shares(find_groups(net, size), original)
    assert sum(shares[layer] * original[layer] for layer in original) == pytest.approx(gone)

    again = build(name, 8, size, 0.25)
    reshape_to(again, net.state_dict())
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(faces), got)


def toy_groups(sizes: list[tuple[int, int]]) -> list[FilterGroup]:
    """Groups of (units, layers)."""
    return [
        FilterGroup(f"g{i}_0", {f"g{i}_{j}": np.arange(size) for j in range(layers)})
        for i, (size, layers) in enumerate(sizes)
    ]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 3)), min_size=1, max_size=4),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
@settings(max_examples=200, deadline=None)
def test_chosen_are_the_least_that_may_go(sizes, share, seed) -> None:
    groups = toy_groups(sizes)
    original = filter_counts(groups)
    rng = np.random.default_rng(seed)
    scores = [rng.integers(0, 6, group.size).astype(float) for group in groups]
    count = int(share * sum((g.size - least_filters(g.size)) * len(g.members) for g in groups))
    order = sorted(
        (scores[i][unit], i, unit) for i, (size, _) in enumerate(sizes) for unit in range(size)
    )
    expected, gone = [[] for _ in sizes], 0
    for _, i, unit in order:
        size, layers = sizes[i]
        if gone < count and size - len(expected[i]) > least_filters(size):
            expected[i].append(unit)
            gone += layers
    chosen = choose_units(groups, scores, count, original)
    assert [units.tolist() for units in chosen] == [sorted(units) for units in expected]


def test_more_than_may_go_is_an_error() -> None:
    groups = toy_groups([(16, 1), (8, 2)])
    with pytest.raises(ValueError, match="20 may go"):
        choose_units(groups, [np.zeros(16), np.zeros(8)], 21, filter_counts(groups))


def test_the_floor_is_that_of_the_whole_network() -> None:
    """A layer of once 64 filters keeps 8, also when it is down to 10 by now."""
    group = FilterGroup("a", {"a": np.arange(10)})
    assert len(choose_units([group], [np.zeros(10)], 2, {"a": 64})[0]) == 2
    with pytest.raises(ValueError):
        choose_units([group], [np.zeros(10)], 3, {"a": 64})


@pytest.mark.parametrize(
    ("original", "least"), [(1, 1), (4, 4), (5, 4), (32, 4), (33, 5), (512, 64)]
)
def test_an_eighth_but_four_stay(original, least) -> None:
    assert least_filters(original) == least


def test_steps_are_shares_of_the_original_number() -> None:
    one, sixty = Fraction(1, 100), Fraction(60, 100)
    assert [target(k, one, 250, sixty) for k in (1, 2, 3, 59, 60, 61)] == [3, 5, 8, 148, 150, 150]
    assert target(7, Fraction(9, 100), 1000, sixty) == 600
