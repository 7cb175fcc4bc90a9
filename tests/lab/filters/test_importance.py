"""Taylor's importance against gradients summed by hand and against finite differences."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from facebench.base.errors import UserError
from facebench.lab.filters.groups import find_groups
from facebench.lab.filters.importance import CRITERIA, FilterTask, check_criterion, per_filter
from tests.helpers.filter_toys import SIZE


def make_task(net: nn.Module, batches: int = 3, seed: int = 0) -> FilterTask:
    generator = torch.Generator().manual_seed(5)
    faces = [torch.randn(4, 3, *SIZE, generator=generator) for _ in range(batches)]
    wanted = torch.randn(4, 4, generator=generator)
    return FilterTask(
        net, find_groups(net, SIZE), SIZE, lambda: faces,
        lambda n, batch: (n(batch) - wanted).square().sum(), np.random.default_rng(seed),
    )  # fmt: skip


def folded(net: nn.Module) -> nn.Module:
    """The same network with every normalisation multiplied into the convolution before it."""
    plain = copy.deepcopy(net).eval()
    for name in ("stem", "deep", "down", "inner", "outer"):
        norm = "norm" if name == "stem" else f"{name}_norm"
        conv = getattr(plain, name)
        setattr(plain, name, torch.nn.utils.fuse_conv_bn_eval(conv, getattr(plain, norm)))
        setattr(plain, norm, nn.Identity())
    return plain.requires_grad_(True)


def test_equals_the_sum_over_the_parameters_of_each_filter(toy) -> None:
    task = make_task(toy)
    plain = folded(toy)
    expected = [np.zeros(group.size) for group in task.groups]
    for batch in task.batches():
        plain.zero_grad()
        task.loss(plain, batch).backward()
        for total, group in zip(expected, task.groups, strict=True):
            for unit in range(group.size):
                change = 0.0
                for name, indices in group.members.items():
                    row = indices[unit]
                    for parameter in getattr(plain, name).parameters():
                        products = (parameter.grad[row] * parameter[row]).flatten().tolist()
                        change += sum(products)
                total[unit] += change**2
    for got, wanted in zip(CRITERIA["taylor"](task), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=1e-6 * wanted.max())


def test_is_the_squared_slope_of_the_loss_when_a_filter_fades(toy) -> None:
    net = toy.double()
    task = make_task(net, batches=1)
    face = next(iter(task.batches())).double()
    single = FilterTask(net, task.groups, SIZE, lambda: [face], task.loss, task.rng)
    scores = CRITERIA["taylor"](single)
    number = next(i for i, g in enumerate(task.groups) if set(g.members) == {"down", "outer"})
    for unit in (0, 7):
        losses = []
        for strength in (1 - 1e-5, 1 + 1e-5):
            faded = copy.deepcopy(net)
            with torch.no_grad():
                for norm in (faded.down_norm, faded.outer_norm):
                    norm.weight[unit] *= strength
                    norm.bias[unit] *= strength
                losses.append(float(task.loss(faded, face)))
        slope = (losses[1] - losses[0]) / 2e-5
        assert scores[number][unit] == pytest.approx(slope**2, rel=1e-3)


def test_filters_that_do_nothing_have_none(toy) -> None:
    with torch.no_grad():
        toy.inner_norm.weight[[2, 5]] = 0
        toy.inner_norm.bias[[2, 5]] = 0
        toy.one.weight[3], toy.one.bias[3] = 0, 0
    task = make_task(toy)
    found = {
        (group.root, int(unit))
        for group, scores in zip(task.groups, CRITERIA["taylor"](task), strict=True)
        for unit in np.flatnonzero(scores == 0)
    }
    assert {("inner", 2), ("inner", 5), ("one", 3)} <= found


def test_leaves_the_network_as_it_was(toy) -> None:
    before = copy.deepcopy(toy.state_dict())
    CRITERIA["taylor"](make_task(toy))
    assert all(torch.equal(value, before[name]) for name, value in toy.state_dict().items())
    assert all(parameter.grad is None for parameter in toy.parameters())


def test_l1_is_the_norm_relative_to_the_layer(toy) -> None:
    task = make_task(toy)
    for group, scores in zip(task.groups, CRITERIA["l1"](task), strict=True):
        wanted = 0
        for name in group.members:
            norms = np.array([float(row.abs().sum()) for row in getattr(toy, name).weight.detach()])
            wanted = wanted + norms / norms.mean() / len(group.members)
        np.testing.assert_allclose(scores, wanted, rtol=1e-5)


def test_random_depends_on_its_generator_alone(toy) -> None:
    one, two = (CRITERIA["random"](make_task(toy, seed=3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    other = CRITERIA["random"](make_task(toy, seed=4))
    assert not np.array_equal(one[0], other[0])


def test_units_of_several_filters_share_their_importance(toy) -> None:
    task = make_task(toy)
    scores = CRITERIA["taylor"](task)
    for group, all_, own in zip(
        task.groups, scores, per_filter(task.groups, scores, "taylor"), strict=True
    ):
        np.testing.assert_allclose(own * len(group.members), all_)
    assert per_filter(task.groups, scores, "l1") == scores


def test_unknown_criterion() -> None:
    with pytest.raises(UserError, match="did you mean 'taylor'"):
        check_criterion("tailor")
