"""Batch normalisation while learning: there inside, folded afterwards, nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facebench.lab.learning.normalised import normalising
from facebench.models.architectures.registry import build


def _squeezenet() -> nn.Module:
    torch.manual_seed(0)
    return build("squeezenet1_1", 8, (112, 96), 0.125)


def test_inside_every_convolution_is_normalised_and_afterwards_none_is() -> None:
    net = _squeezenet()
    names = list(net.state_dict())
    convolutions = sum(isinstance(module, nn.Conv2d) for module in net.modules())
    with normalising(net):
        assert sum(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == convolutions
    assert list(net.state_dict()) == names
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def test_folded_network_computes_what_the_normalised_one_computed() -> None:
    net, faces = _squeezenet(), torch.randn(3, 3, 112, 96)
    untouched = net.eval()(faces)
    with normalising(net):
        optimiser = torch.optim.SGD(net.parameters(), 0.05)
        for _ in range(4):
            net.train()
            loss = net(torch.randn(8, 3, 112, 96)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            wanted = net.eval()(faces)
    with torch.no_grad():
        found = net.eval()(faces)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(wanted, untouched, atol=1e-3)


def test_a_network_that_normalises_on_its_own_stays_as_it_is() -> None:
    net = build("mobilenet_v2", 8, (112, 96), 0.125)
    before = [id(module) for module in net.modules()]
    with normalising(net):
        assert [id(module) for module in net.modules()] == before


def test_folded_even_where_training_stops_with_an_error() -> None:
    net = _squeezenet()
    names = list(net.state_dict())
    with pytest.raises(KeyboardInterrupt), normalising(net):
        raise KeyboardInterrupt
    assert list(net.state_dict()) == names
