"""MobileNetV2: inverted residual blocks of depthwise convolutions with linear bottlenecks."""

from __future__ import annotations

from torch import Tensor, nn

from facebench.models.architectures.base import (
    CompactNet,
    InvertedResidual,
    convolution,
    initialise,
)
from facebench.models.architectures.shapes import MOBILE_BLOCKS, MOBILE_LAST, MOBILE_STEM, scaled


def relu6(channels: int) -> nn.ReLU6:
    """The rectifier of MobileNetV2, the same for any number of channels."""
    return nn.ReLU6(inplace=True)


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
        layers: list[nn.Module] = [convolution(3, channels, 3, relu6, stride=2)]
        for expansion, full, count, stride in MOBILE_BLOCKS:
            outputs = scaled(full, width)
            for index in range(count):
                step = stride if index == 0 else 1
                layers.append(InvertedResidual(channels, outputs, step, expansion, relu6))
                channels = outputs
        last = scaled(MOBILE_LAST, width)
        layers.append(convolution(channels, last, 1, relu6))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.embedding = nn.Linear(last, dimension)
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        features: Tensor = self.pool(self.features(x)).flatten(1)
        return features
