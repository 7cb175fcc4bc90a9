"""MobileFaceNet: MobileNetV2's blocks for faces, with a weighted instead of an average pooling."""

from __future__ import annotations

from torch import Tensor, nn

from facebench.models.architectures.base import CompactNet, initialise
from facebench.models.architectures.shapes import FACE_BLOCKS, FACE_LAST, FACE_STEM, scaled


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation and PReLU with a slope per channel."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
    )


class Block(nn.Module):
    """MobileNetV2's inverted residual block with PReLU.

    Source: Chen et al. 2018, MobileFaceNets, Section 3.2 and Table 1.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            convolution(inputs, hidden, 1),
            convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = x + self.conv(x) if self.residual else self.conv(x)
        return features


class MobileFaceNet(CompactNet):
    """MobileFaceNet: float32 N×3×H×W → float32 N×D, H and W at least 64.

    The global depthwise convolution has one weight per channel and position, 7×7 for 112×112 faces
    and 7×6 for 112×96: the network takes only the size that it was built for. The embedding is
    linear and batch-normalised.

    Source: Chen, Liu, Gao, Han 2018, MobileFaceNets, Table 1.
    """

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        channels = scaled(FACE_STEM, width)
        self.stem = nn.Sequential(
            convolution(3, channels, 3, stride=2),
            convolution(channels, channels, 3, groups=channels),
        )
        blocks = []
        for expansion, full, count, stride in FACE_BLOCKS:
            outputs = scaled(full, width)
            for index in range(count):
                blocks.append(Block(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        last = scaled(FACE_LAST, width)
        self.expand = convolution(channels, last, 1)
        # Every stride of two rounds up: the convolutions are padded.
        left = (-(-input_size[0] // 16), -(-input_size[1] // 16))
        self.weighted = nn.Sequential(
            nn.Conv2d(last, last, left, groups=last, bias=False), nn.BatchNorm2d(last)
        )
        self.embedding = nn.Sequential(
            nn.Linear(last, dimension, bias=False), nn.BatchNorm1d(dimension)
        )
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        features: Tensor = self.weighted(self.expand(self.blocks(self.stem(x)))).flatten(1)
        return features
