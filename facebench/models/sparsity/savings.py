"""What sparsity saves: kept parameters per layer and the compression ratio of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

from facebench.models.architectures.convnet import LAYERS, ConvNet, module_name
from facebench.models.sparsity.masks import masks_of

_PAPER_NAMES = {module_name(layer): layer for layer in LAYERS}


@dataclass(frozen=True)
class LayerSavings:
    """One layer: name (the paper's, where it has one), parameters kept and in the dense network."""

    name: str
    kept: int
    total: int

    @property
    def share(self) -> float:
        """Share of the layer's parameters, biases included, that is kept."""
        return self.kept / self.total


@dataclass(frozen=True)
class SparsityReport:
    """The layers of a network with what is kept of each."""

    layers: tuple[LayerSavings, ...]

    @property
    def kept(self) -> int:
        """Parameters kept, biases included."""
        return sum(layer.kept for layer in self.layers)

    @property
    def total(self) -> int:
        """Parameters of the dense network, biases included."""
        return sum(layer.total for layer in self.layers)

    @property
    def compression_ratio(self) -> float:
        """Parameters kept / parameters of the dense network (Sun et al. 2015, Section 5.1)."""
        return self.kept / self.total


def sparsity_report(net: nn.Module, masks: Mapping[str, Tensor] | None = None) -> SparsityReport:
    """Parameters kept per layer, under the network's own masks or those given by module name."""
    masks = masks_of(net) if masks is None else masks
    return _report(net, {name: int(mask.sum()) for name, mask in masks.items()})


def planned_report(
    width: float, input_size: tuple[int, int], sparsity: Mapping[str, Fraction]
) -> SparsityReport:
    """Parameters that a ConvNet will keep at degrees of sparsity S by layer of the paper."""
    with torch.device("meta"):
        net = ConvNet(width, input_size)
    kept = {
        module_name(layer): round(net.layer(layer).weight.numel() * degree)
        for layer, degree in sparsity.items()
    }
    return _report(net, kept)


def _report(net: nn.Module, kept_weights: Mapping[str, int]) -> SparsityReport:
    layers = []
    for name, module in net.named_modules():
        if ".parametrizations" in name:  # counted with the layer that it belongs to
            continue
        own = {key: p.numel() for key, p in module.named_parameters(recurse=False)}
        if isinstance(getattr(module, "weight", None), Tensor):
            own["weight"] = module.weight.numel()
        if not own:
            continue
        total = sum(own.values())
        dropped = own["weight"] - kept_weights[name] if name in kept_weights else 0
        layers.append(LayerSavings(_PAPER_NAMES.get(name, name), total - dropped, total))
    return SparsityReport(tuple(layers))
