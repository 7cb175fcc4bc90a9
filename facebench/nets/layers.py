"""Layers that PyTorch does not have."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LocallyConnected2d(nn.Module):
    """Convolution whose weights are not shared between positions (stride 1, no padding).

    Input float N×C×H×W, output float N×out×H'×W' with H' = H - kernel + 1. The weight is stored as
    [position, out, in·kernel·kernel], row-major over positions, which is the layout that made the
    batched matrix product fastest at batch 1; the bias is [position, out], one per neuron.

    Source: Sun, Wang, Tang 2015, Section 3 and Table 1 (layers 5a and 5b).
    """

    def __init__(
        self, in_channels: int, out_channels: int, in_size: tuple[int, int], kernel: int = 3
    ) -> None:
        super().__init__()
        height, width = in_size[0] - kernel + 1, in_size[1] - kernel + 1
        if height < 1 or width < 1:
            raise ValueError(f"a {kernel}×{kernel} kernel does not fit an input of {in_size}")
        self.in_channels, self.out_channels, self.kernel = in_channels, out_channels, kernel
        self.in_size, self.out_size = tuple(in_size), (height, width)
        fan_in = in_channels * kernel * kernel
        self.weight = nn.Parameter(torch.empty(height * width, out_channels, fan_in))
        self.bias = nn.Parameter(torch.zeros(height * width, out_channels))
        nn.init.normal_(self.weight, std=math.sqrt(2.0 / fan_in))

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        patches = F.unfold(x, self.kernel)  # N × in·k·k × positions
        patches = patches.permute(2, 0, 1)  # positions × N × in·k·k
        out = torch.baddbmm(
            self.bias.unsqueeze(1).to(patches.dtype), patches, self.weight.transpose(1, 2)
        )
        return out.permute(1, 2, 0).reshape(n, self.out_channels, *self.out_size)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, {self.in_size}, kernel={self.kernel}"
