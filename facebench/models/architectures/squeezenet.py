"""SqueezeNet 1.1: small by squeezing channels before every pair of expanding convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facebench.models.architectures.base import CompactNet, initialise
from facebench.models.architectures.shapes import FIRES, SQUEEZE_STEM, scaled


class Fire(nn.Module):
    """A 1×1 squeeze, then 1×1 and 3×3 expansions side by side; names as in torchvision.

    Source: Iandola et al. 2016, SqueezeNet, Section 3.2 and Figure 1.
    """

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        one = self.expand1x1_activation(self.expand1x1(x))
        three = self.expand3x3_activation(self.expand3x3(x))
        return torch.cat([one, three], 1)


class SqueezeNet(CompactNet):
    """SqueezeNet 1.1: float32 N×3×H×W → float32 N×D, H and W at least 64.

    The trunk is torchvision's ``features``; the paper's classifier, a 1×1 convolution with an
    average over positions, is replaced by an average over positions and a linear layer.

    Source: Iandola et al. 2016, SqueezeNet; version 1.1 is the authors' release of 2016, with 2.4
    times fewer multiplications.
    """

    classifier = "classifier"

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        channels = scaled(SQUEEZE_STEM, width)
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, stride=2), nn.ReLU(inplace=True)]
        for sizes in FIRES:
            if sizes is None:
                layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
                continue
            squeeze, expand = (scaled(size, width) for size in sizes)
            layers.append(Fire(channels, squeeze, expand))
            channels = 2 * expand
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.embedding = nn.Linear(channels, dimension)
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        features: Tensor = self.pool(self.features(x)).flatten(1)
        return features
