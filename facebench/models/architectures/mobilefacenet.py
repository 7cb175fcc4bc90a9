"""MobileFaceNet: MobileNetV2's blocks for faces, with a weighted instead of an average pooling."""

from __future__ import annotations

from torch import Tensor, nn

from facebench.models.architectures.base import (
    CompactNet,
    InvertedResidual,
    convolution,
    initialise,
)
from facebench.models.architectures.shapes import FACE_BLOCKS, FACE_LAST, FACE_STEM, scaled


class MobileFaceNet(CompactNet):
    """MobileFaceNet: float32 N×3×H×W → float32 N×D, H and W at least 64.

    The global depthwise convolution has one weight per channel and position, 7×7 for 112×112 faces
    and 7×6 for 112×96: the network takes only the size that it was built for. The embedding is
    linear and batch-normalised; rectifiers have a slope per channel.

    Source: Chen, Liu, Gao, Han 2018, MobileFaceNets, Table 1.
    """

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        channels = scaled(FACE_STEM, width)
        self.stem = nn.Sequential(
            convolution(3, channels, 3, nn.PReLU, stride=2),
            convolution(channels, channels, 3, nn.PReLU, groups=channels),
        )
        blocks = []
        for expansion, full, count, stride in FACE_BLOCKS:
            outputs = scaled(full, width)
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, outputs, step, expansion, nn.PReLU))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        last = scaled(FACE_LAST, width)
        self.expand = convolution(channels, last, 1, nn.PReLU)
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
