"""LocallyConnected2d against its definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d


def naive(layer: LocallyConnected2d, x: Tensor) -> Tensor:
    """The definition, one neuron at a time."""
    height, width = layer.out_size
    k, out = layer.kernel, torch.zeros(x.shape[0], layer.out_channels, height, width, dtype=x.dtype)
    for n in range(x.shape[0]):
        for row in range(height):
            for column in range(width):
                position = row * width + column
                patch = x[n, :, row : row + k, column : column + k].flatten()
                for channel in range(layer.out_channels):
                    weights = layer.weight[position, channel]
                    value = (patch * weights).sum() + layer.bias[position, channel]
                    out[n, channel, row, column] = value
    return out


@settings(max_examples=30, deadline=None)
@given(
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    height=st.integers(3, 6),
    width=st.integers(3, 6),
    kernel=st.integers(1, 3),
    batch=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_equals_the_naive_loop(
    inputs: int, outputs: int, height: int, width: int, kernel: int, batch: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = LocallyConnected2d(inputs, outputs, (height, width), kernel).double()
    nn.init.normal_(layer.bias)
    x = torch.randn(batch, inputs, height, width, dtype=torch.float64)
    with torch.no_grad():
        out = layer(x)
        assert out.shape == (batch, outputs, height - kernel + 1, width - kernel + 1)
        torch.testing.assert_close(out, naive(layer, x), rtol=1e-12, atol=1e-12)
        last = layer(x.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(last, out, rtol=1e-12, atol=1e-12)


def test_is_a_convolution_where_all_positions_share_weights() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(5, 7, 3).double()
    layer = LocallyConnected2d(5, 7, (7, 6)).double()
    with torch.no_grad():
        layer.weight.copy_(convolution.weight.reshape(1, 7, -1).expand_as(layer.weight))
        layer.bias.copy_(convolution.bias.reshape(1, 7).expand_as(layer.bias))
    x = torch.randn(4, 5, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(layer(x), convolution(x), rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected2d(2, 3, (4, 5)).double()
    x = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(run, (x, layer.weight, layer.bias), fast_mode=True)


def test_positions_do_not_share_weights() -> None:
    layer = LocallyConnected2d(1, 1, (3, 4))
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[1] = 1
        layer.bias.zero_()
        out = layer(torch.ones(1, 1, 3, 4))
    assert out.flatten().tolist() == [0, 9]


def test_a_kernel_larger_than_the_input_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        LocallyConnected2d(1, 1, (2, 5))
