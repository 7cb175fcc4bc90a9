"""What all compact networks share: an embedding head, its sizes and the first weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CompactNet(nn.Module):
    """A trunk that turns faces into features, and a layer ``embedding`` that turns these into N×D.

    ``dimension``: D; ``input_size``: height and width that it was built for; ``architecture``,
    ``width``: what `compact.build` was asked for; ``classifier``: what torchvision calls the layers
    after the trunk.
    """

    architecture = ""
    width = 1.0
    classifier = ""
    embedding: nn.Module

    def __init__(self, dimension: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.dimension = dimension
        self.input_size = (input_size[0], input_size[1])

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings: float32 N×3×H×W, normalised → float32 N×D."""
        embedding: Tensor = self.embedding(self.trunk(x))
        return embedding


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    rectifier: Callable[[int], nn.Module],
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Convolution, batch normalisation and rectifier, numbered 0, 1, 2 as in torchvision.

    rectifier: of so many channels.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        rectifier(outputs),
    )


class InvertedResidual(nn.Module):
    """Expand t times, filter each channel on its own, project linearly; added to its input where
    shapes allow.

    Source: Sandler et al. 2018, MobileNetV2, Table 1 and Figure 4d.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        expansion: int,
        rectifier: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        expand = [] if expansion == 1 else [convolution(inputs, hidden, 1, rectifier)]
        self.conv = nn.Sequential(
            *expand,
            convolution(hidden, hidden, 3, rectifier, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = x + self.conv(x) if self.residual else self.conv(x)
        return features


def initialise(net: nn.Module) -> None:
    """First weights of a network to train: He for rectified layers, of variance 1/n for embeddings.

    Without batch normalisation (SqueezeNet, DeepID) torch's own choice would let the activations
    fade with depth. Source: He et al. 2015, Delving Deep into Rectifiers, eq. 10.
    """
    for name, module in net.named_modules():
        if isinstance(module, LocallyConnected2d):
            continue  # has done it
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            linear = name.startswith("embedding")
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear" if linear else "relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


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


def parameters(net: nn.Module) -> int:
    """Parameters of a network, without the running statistics of batch normalisation."""
    return sum(parameter.numel() for parameter in net.parameters())
