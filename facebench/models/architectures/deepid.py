"""The teachers of the distillation paper: DeepID2+ and DeepID3 (net1), each as one network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facebench.models.architectures.base import CompactNet, LocallyConnected2d, initialise
from facebench.models.architectures.shapes import (
    CONV_CHANNELS,
    DEEPID_KERNELS,
    DEEPID_MAPS,
    LOCAL_CHANNELS,
    scaled,
)


class DeepID2Plus(CompactNet):
    """DeepID2+: float32 N×3×55×47 (or larger) → float32 N×D, rectified; D is 512 in the paper.

    Published: 55×47 colour input, four convolutions of 128 maps each, the first three followed by
    2×2 max-pooling; the 512 features see the third (pooled) and the fourth layer; rectified units
    (Sun, Wang, Tang 2014, "Deeply learned face representations are sparse, selective, and robust",
    Section 2). Kernels of 4, 3, 3 and 2 pixels and a fourth layer whose weights are not shared
    between positions are those of DeepID2, from which the paper's net comes (Sun et al. 2014, "Deep
    learning face representation by joint identification-verification", Figure 1). Inferred: the
    third layer shares its weights everywhere (DeepID2 shares them within 2×2 regions). The
    supervision of early layers in training is not part of this network.
    """

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        maps = scaled(DEEPID_MAPS, width)
        size, inputs = input_size, 3
        for number, kernel in enumerate(DEEPID_KERNELS[:3], 1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, maps, kernel))
            size = ((size[0] - kernel + 1) // 2, (size[1] - kernel + 1) // 2)
            inputs = maps
        self.local4 = LocallyConnected2d(maps, maps, size, DEEPID_KERNELS[3])
        height, across = self.local4.out_size
        positions = size[0] * size[1] + height * across
        self.embedding = nn.Linear(maps * positions, dimension)
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        for number in (1, 2, 3):
            x = F.max_pool2d(F.relu(self.get_submodule(f"conv{number}")(x)), 2)
        return torch.cat([x.flatten(1), F.relu(self.local4(x)).flatten(1)], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Rectified features: float32 N×3×H×W, normalised → float32 N×D."""
        return F.relu(self.embedding(self.trunk(x)))


class DeepID3(CompactNet):
    """DeepID3 net1: float32 N×3×H×W → float32 N×D, rectified; H and W at least 80.

    Published (Sun, Liang, Wang, Tang 2015, "DeepID3: Face recognition with very deep neural
    networks", Section 2): pairs of convolutions before each of four max-poolings, top layers whose
    weights are not shared between positions, rectified units, dropout on the features. The numbers
    of maps stand in a figure only. Inferred: they, 3×3 kernels, the 112×96 input and the two
    locally-connected layers are those of the network that the same first author published with all
    sizes in the same year (Sun, Wang, Tang 2015, Table 1), so that the parameters of both agree.
    The supervision of early layers in training is not part of this network.
    """

    def __init__(self, dimension: int, input_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__(dimension, input_size)
        layers: list[nn.Module] = []
        channels = 3
        for index, (_, full) in enumerate(CONV_CHANNELS):
            outputs = scaled(full, width)
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU(inplace=True)]
            if index % 2:
                layers.append(nn.MaxPool2d(2))
            channels = outputs
        self.features = nn.Sequential(*layers)
        local = scaled(LOCAL_CHANNELS, width)
        self.local9 = LocallyConnected2d(
            channels, local, (input_size[0] // 16, input_size[1] // 16)
        )
        self.local10 = LocallyConnected2d(local, local, self.local9.out_size)
        height, across = self.local10.out_size
        self.embedding = nn.Linear(local * height * across, dimension)
        self.dropout = nn.Dropout(0.5)
        initialise(self)

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        x = F.relu(self.local9(self.features(x)))
        return F.relu(self.local10(x)).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Rectified features: float32 N×3×H×W, normalised → float32 N×D."""
        embedding: Tensor = self.dropout(F.relu(self.embedding(self.trunk(x))))
        return embedding
