"""ResNet-50: residual bottleneck blocks, the stride on the 3×3 convolution as in torchvision."""

from __future__ import annotations

from torch import Tensor, nn

from facebench.models.architectures.base import CompactNet, initialise
from facebench.models.architectures.shapes import RESNET_EXPANSION, RESNET_STEM, STAGES, scaled


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions, each normalised, around a shortcut; names as in torchvision.

    Source: He et al. 2016, Deep Residual Learning, Figure 5; the stride is that of its 3×3
    convolution, as in torchvision's checkpoints ("version 1.5"), not of the first 1×1.
    """

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        features: Tensor = self.relu(self.bn3(self.conv3(x)) + shortcut)
        return features


class ResNet50(CompactNet):
    """ResNet-50: float32 N×3×H×W → float32 N×D, H and W at least 64.

    The trunk has torchvision's names (``conv1``, ``bn1``, ``layer1`` … ``layer4``); after it come
    an average over positions and a linear layer.

    Source: He et al. 2016, Deep Residual Learning for Image Recognition, Table 1.
    """

    classifier = "fc"

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        channels = scaled(RESNET_STEM, width)
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for number, (full, count, stride) in enumerate(STAGES, 1):
            inner = scaled(full, width)
            outputs = RESNET_EXPANSION * inner
            blocks = [Bottleneck(channels, inner, outputs, stride, project=True)]
            rest = [Bottleneck(outputs, inner, outputs, 1, project=False) for _ in range(1, count)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks, *rest))
            channels = outputs
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.embedding = nn.Linear(channels, dimension)
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        features: Tensor = self.avgpool(x).flatten(1)
        return features
