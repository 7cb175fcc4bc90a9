"""The compact networks and their teachers by name, and the parameters that their papers state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from facebench.base.errors import nearest
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.deepid import DeepID2Plus, DeepID3
from facebench.models.architectures.mobilefacenet import MobileFaceNet
from facebench.models.architectures.mobilenet_v2 import MobileNetV2
from facebench.models.architectures.resnet import ResNet50
from facebench.models.architectures.squeezenet import SqueezeNet
from facebench.models.architectures.state import load_trunk, reshape_to

__all__ = [
    "ARCHITECTURES",
    "Compact",
    "Published",
    "build",
    "classifier_parameters",
    "load_trunk",
    "parameters",
    "published_parameters",
    "reshape_to",
    "smallest_side",
]

Compact = Literal[
    "squeezenet1_1", "mobilenet_v2", "resnet50", "mobilefacenet", "deepid2_plus", "deepid3"
]
ARCHITECTURES: tuple[str, ...] = get_args(Compact)
_NETS: dict[str, Callable[[int, tuple[int, int], float], CompactNet]] = {
    "squeezenet1_1": SqueezeNet,
    "mobilenet_v2": MobileNetV2,
    "resnet50": ResNet50,
    "mobilefacenet": MobileFaceNet,
    "deepid2_plus": DeepID2Plus,
    "deepid3": DeepID3,
}
_SMALLEST = {"deepid2_plus": 47, "deepid3": 80}


@dataclass(frozen=True)
class Published:
    """What papers say of a network's size.

    parameters: as they round it, None where they do not say; counted: what `of` counts here to
    compare with it; of: which layers that is; source: who says it.
    """

    parameters: int | None
    counted: int
    of: str
    source: str


def build(
    architecture: str,
    embedding: int = 128,
    size: tuple[int, int] = (112, 96),
    width: float = 1.0,
) -> CompactNet:
    """A network ready to train: float32 N×3×H×W, normalised → float32 N×embedding.

    ``architecture``: one of `ARCHITECTURES`; ``size``: height and width of the faces; ``width``:
    factor on the channels of every layer but the embedding, rounded to multiples of 8. First
    weights come from torch's global generator. ValueError where a value is not possible.
    """
    if architecture not in _NETS:
        hint = nearest(architecture, ARCHITECTURES)
        raise ValueError(f"no network {architecture!r}{hint} ({', '.join(ARCHITECTURES)})")
    if embedding < 1 or not 0 < width <= 4:
        raise ValueError(f"embedding {embedding} must be positive, width {width} in (0, 4]")
    if min(size) < (least := smallest_side(architecture)):
        raise ValueError(f"{architecture} takes at least {least}x{least}, not {size[0]}x{size[1]}")
    net = _NETS[architecture](embedding, (size[0], size[1]), width)
    net.architecture, net.width = architecture, width
    return net


def smallest_side(architecture: str) -> int:
    """The fewest pixels that a side of a network's input may have."""
    return _SMALLEST.get(architecture, 64)


def parameters(net: nn.Module) -> int:
    """Parameters of a network, without the running statistics of batch normalisation."""
    return sum(parameter.numel() for parameter in net.parameters())


def classifier_parameters(architecture: str, classes: int = 1000) -> int:
    """Parameters of a network's trunk with torchvision's classifier of so many classes; 0: none."""
    with torch.device("meta"):
        net = build(architecture)
    if not net.classifier:
        raise ValueError(f"{architecture} is not of torchvision: its head is its embedding")
    assert isinstance(net.embedding, nn.Linear)
    trunk = parameters(net) - parameters(net.embedding)
    return trunk + (net.embedding.in_features + 1) * classes


def published_parameters(architecture: str) -> Published:
    """The size of a network in the papers, beside the same layers counted here."""
    taylor = "the seed paper on Taylor pruning of face networks"
    if architecture == "squeezenet1_1":
        count = classifier_parameters(architecture)
        return Published(1_240_000, count, "with 1000 classes", f"{taylor}; Iandola et al. 2016")
    if architecture == "mobilenet_v2":
        count = classifier_parameters(architecture)
        return Published(3_500_000, count, "with 1000 classes", f"{taylor}; Sandler et al. 2018")
    if architecture == "resnet50":
        count = classifier_parameters(architecture, 0)
        return Published(23_500_000, count, "without classes", f"{taylor}; He et al. 2016")
    sizes = {"mobilefacenet": (128, (112, 112)), "deepid2_plus": (512, (55, 47))}
    embedding, size = sizes.get(architecture, (512, (112, 96)))
    with torch.device("meta"):
        count = parameters(build(architecture, embedding, size))
    of = f"{embedding} features of {size[0]}x{size[1]} faces"
    if architecture == "mobilefacenet":
        return Published(990_000, count, of, "Chen et al. 2018, Table 2")
    return Published(None, count, of, "not stated")
