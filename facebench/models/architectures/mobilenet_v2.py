"""MobileNetV2: inverted residual blocks of depthwise convolutions with linear bottlenecks."""

from __future__ import annotations

from torch import Tensor, nn

from facebench.models.architectures.base import CompactNet, initialise
from facebench.models.architectures.shapes import MOBILE_BLOCKS, MOBILE_LAST, MOBILE_STEM, scaled


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation and ReLU6, numbered 0, 1, 2 as in torchvision."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand t times, filter each channel on its own, project linearly; added to its input where
    shapes allow.

    Source: Sandler et al. 2018, MobileNetV2, Table 1 and Figure 4d.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        layers: list[nn.Module] = [] if expansion == 1 else [convolution(inputs, hidden, 1)]
        layers += [
            convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = x + self.conv(x) if self.residual else self.conv(x)
        return features


class MobileNetV2(CompactNet):
    """MobileNetV2: float32 N×3×H×W → float32 N×D, H and W at least 64.

    The trunk is torchvision's ``features``, which ends in the 1×1 convolution to 1280 channels;
    after it come an average over positions and a linear layer.

    Source: Sandler et al. 2018, MobileNetV2, Table 2.
    """

    classifier = "classifier"

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        channels = scaled(MOBILE_STEM, width)
        layers: list[nn.Module] = [convolution(3, channels, 3, stride=2)]
        for expansion, full, count, stride in MOBILE_BLOCKS:
            outputs = scaled(full, width)
            for index in range(count):
                step = stride if index == 0 else 1
                layers.append(InvertedResidual(channels, outputs, step, expansion))
                channels = outputs
        last = scaled(MOBILE_LAST, width)
        layers.append(convolution(channels, last, 1))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.embedding = nn.Linear(last, dimension)
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        features: Tensor = self.pool(self.features(x)).flatten(1)
        return features
