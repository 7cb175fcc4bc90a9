"""Forward passes of the Table-1 network: memory order, precision and the local layers' layout.

Small here; the network at full width is marked slow.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.architectures.convnet import ConvNet

Pass = Callable[[], Tensor]


def passes(width: float, batch: int) -> tuple[Pass, dict[str, Pass]]:
    """The pass that facebench makes (channels_last, float32), and the others."""
    torch.manual_seed(0)
    plain = ConvNet(width).eval().requires_grad_(False)
    ordered = ConvNet(width).eval().requires_grad_(False)
    ordered.load_state_dict(plain.state_dict())
    ordered.to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, *plain.input_size)
    across = x.to(memory_format=torch.channels_last)

    def nchw() -> Tensor:
        with torch.inference_mode():
            return plain(x)

    def last() -> Tensor:
        with torch.inference_mode():
            return ordered(across)

    def low() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            return ordered(across).float()

    return last, {"NCHW": nchw, "bfloat16 autocast": low}


def check(beside, width: float, batch: int) -> None:
    ours, alternatives = passes(width, batch)
    found, others = beside(ours, alternatives)
    scale = found.abs().max()
    assert (found - others["NCHW"]).abs().max() < 1e-5 * scale
    assert (found - others["bfloat16 autocast"]).abs().max() < 0.05 * scale


@pytest.mark.parametrize("batch", [1, 8])
def test_a_narrow_network(beside, batch: int) -> None:
    check(beside, 0.125, batch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 32])
def test_the_whole_network(beside, batch: int) -> None:
    check(beside, 1.0, batch)


def check_layout(beside, channels: int, size: tuple[int, int], batch: int) -> None:
    """[position, out, in·k·k] beside [position, in·k·k, out] and a sum by einsum."""
    torch.manual_seed(0)
    layer = LocallyConnected2d(channels, channels, size).eval().requires_grad_(False)
    other = layer.weight.transpose(1, 2).contiguous()
    x = torch.randn(batch, channels, *size)

    def ours() -> Tensor:
        with torch.inference_mode():
            return layer(x)

    def inputs_first() -> Tensor:
        with torch.inference_mode():
            patches = F.unfold(x, 3).permute(2, 0, 1)
            return torch.baddbmm(layer.bias.unsqueeze(1), patches, other)

    def einsum() -> Tensor:
        with torch.inference_mode():
            return torch.einsum("nip,poi->pno", F.unfold(x, 3), layer.weight)

    found, others = beside(ours, {"[position, in, out]": inputs_first, "einsum": einsum})
    flat = found.flatten(2).permute(2, 0, 1)
    for result in others.values():
        torch.testing.assert_close(result, flat, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 32])
def test_a_narrow_local_layer(beside, batch: int) -> None:
    check_layout(beside, 32, (5, 5), batch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 32])
def test_layer_5a(beside, batch: int) -> None:
    check_layout(beside, 256, (7, 6), batch)
