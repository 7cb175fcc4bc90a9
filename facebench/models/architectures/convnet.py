"""The baseline ConvNet of Sun, Wang and Tang (2015), Table 1, at any width."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d, parameters
from facebench.models.architectures.shapes import (
    CONV_CHANNELS,
    FEATURES,
    LAYERS,
    LOCAL_CHANNELS,
    POOLED,
    module_name,
    scaled,
)


class ConvNet(nn.Module):
    """Table-1 ConvNet: eight convolutions, two locally-connected layers, one fully-connected layer.

    Input float N×3×112×96 (or another size that four 2×2 poolings leave at least 5×5 of), output
    float N×(512·width): the rectified activations of layer f, which are the face representation.
    Layers are named as in the paper (``conv1a`` … ``local5b``, ``f``). Dropout of 30% on 5b and 50%
    on f is active in training mode only.

    Source: Sun, Wang, Tang 2015, Section 3 and Table 1.
    """

    def __init__(
        self,
        width: float = 1.0,
        input_size: tuple[int, int] = (112, 96),
        dropout: tuple[float, float] = (0.3, 0.5),
    ) -> None:
        super().__init__()
        if not 0 < width <= 4:
            raise ValueError(f"width must be in (0, 4], not {width}")
        self.width, self.dropout = width, dropout
        self.input_size = (input_size[0], input_size[1])
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for name, full in CONV_CHANNELS:
            out = scaled(full, width)
            layers[f"conv{name}"] = nn.Conv2d(channels, out, 3, padding=1)
            channels = out
        for name, layer in layers.items():
            self.add_module(name, layer)
        size = (input_size[0] // 16, input_size[1] // 16)
        local = scaled(LOCAL_CHANNELS, width)
        self.local5a = LocallyConnected2d(channels, local, size)
        self.local5b = LocallyConnected2d(local, local, self.local5a.out_size)
        height, across = self.local5b.out_size
        self.f = nn.Linear(local * height * across, scaled(FEATURES, width))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    @property
    def features(self) -> int:
        """Dimension of the face representation."""
        return self.f.out_features

    def layer(self, name: str) -> nn.Conv2d | LocallyConnected2d | nn.Linear:
        """The layer with the paper's name: ``1a`` … ``4b``, ``5a``, ``5b`` or ``f``."""
        if name not in LAYERS:
            raise KeyError(f"no layer {name!r}; the layers are {', '.join(LAYERS)}")
        return self.get_submodule(module_name(name))  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        return self.between(x, LAYERS[0], None)

    def between(self, x: Tensor, first: str, end: str | None) -> Tensor:
        """The input of layer ``end`` (None: the output of f) from the input of layer ``first``."""
        last = len(LAYERS) if end is None else LAYERS.index(end)
        for name in LAYERS[LAYERS.index(first) : last]:
            if name == "f":
                x = F.dropout(x, self.dropout[0], self.training).flatten(1)
            x = self.activate(name, x)
            if name in POOLED:
                x = F.max_pool2d(x, 2)
        return x if end is not None else F.dropout(x, self.dropout[1], self.training)

    def activate(self, layer: str, x: Tensor) -> Tensor:
        """Rectified activations of one layer, from its input."""
        return F.relu(self.get_submodule(module_name(layer))(x), inplace=True)


def parameter_counts(net: nn.Module) -> dict[str, int]:
    """Parameters per layer of the paper's Table 1, weights and biases, in the table's order."""
    return {name: parameters(net.get_submodule(module_name(name))) for name in LAYERS}


def to_input(faces: Tensor) -> Tensor:
    """uint8 N×H×W×3 RGB faces → float32 N×3×H×W in [-1, 1), channels_last in memory."""
    x = faces.permute(0, 3, 1, 2).to(torch.float32)
    return x.sub_(127.5).div_(128.0)
