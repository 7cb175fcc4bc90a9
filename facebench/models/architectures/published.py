"""The parameters of the compact networks, and those that their papers state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from facebench.models.architectures.base import parameters
from facebench.models.architectures.registry import build


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
