"""Costs by hand."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from facebench.lab.filters.latency import latencies, multiply_adds
from facebench.models.architectures.base import parameters
from facebench.models.architectures.registry import build
from tests.helpers.filter_toys import SIZE


def test_multiply_adds_by_hand(toy) -> None:
    positions = 8 * 6
    per_position = 12 * 27 + 12 * 9 + 10 * 12 + 8 * 90 + 10 * 8 + 5 * 10 + 6 * 90
    assert multiply_adds(toy, SIZE) == positions * per_position + 11 * 4


def test_parameters_by_hand(toy) -> None:
    convolutions = 12 * 27 + 12 * 9 + 10 * 12 + 8 * 90 + 10 * 8 + 5 * 10 + 5 + 6 * 90 + 6
    assert parameters(toy) == convolutions + 2 * (12 + 12 + 10 + 8 + 10) + 12 + 11 * 4 + 4


def test_multiply_adds_of_convolutions_and_matrices() -> None:
    net, size = build("mobilefacenet", 16, (112, 96), 0.25), (112, 96)
    seen = {}
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda m, _, out, name=name: seen.update({name: (m, out)}))
    net.eval()(torch.zeros(1, 3, *size))
    total = 0
    for module, out in seen.values():
        inputs = module.weight[0].numel()
        total += out.numel() * inputs
    assert multiply_adds(net, size) == total


def test_latencies_of_networks_taking_turns() -> None:
    nets = [nn.Sequential(nn.Conv2d(3, 4, 1)), nn.Sequential(*[nn.Conv2d(3, 3, 3)] * 3)]
    for latency in latencies(nets, (8, 8), repeats=5):
        assert 0 < latency.lower <= latency.median <= latency.upper


class _Kept(nn.Module):
    """A network that other programs keep from the core for 20 milliseconds."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.02)
        return x


@pytest.mark.parametrize("threads, counted", [(1, False), (2, True)])
def test_one_thread_is_not_charged_for_other_programs(threads: int, counted: bool) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        (latency,) = latencies([nn.Sequential(nn.Conv2d(3, 4, 1), _Kept())], (8, 8), repeats=3)
    finally:
        torch.set_num_threads(before)
    assert (latency.median >= 20) == counted
