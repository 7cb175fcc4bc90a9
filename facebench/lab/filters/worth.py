"""What a network saves with one unit of filters fewer: weights and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from facebench.lab.filters.groups import FilterGroup, dependency_graph


@dataclass(frozen=True)
class UnitWorth:
    """Of one unit of a group: parameters, and multiply-adds of one face."""

    weights: int
    multiply_adds: int


def worth_of_units(
    net: nn.Module, groups: Sequence[FilterGroup], size: tuple[int, int]
) -> list[UnitWorth]:
    """What the removal of one unit of each group saves, while all others stay; size: of faces.

    That of its filters and of what layers behind them have for their channels.
    """
    import torch_pruning

    positions = _positions(net, size)
    graph = dependency_graph(net, size)
    found = []
    for group in groups:
        root, prune = net.get_submodule(group.root), torch_pruning.prune_conv_out_channels
        weights = products = 0
        for item in graph.get_pruning_group(root, prune, [0]):
            module, handler, count = item.dep.target.module, item.dep.handler, len(item.idxs)
            out = graph.is_out_channel_pruning_fn(handler)
            own = _entries(module, out) * count
            weights += own + (_per_channel(module) * count if out else 0)
            products += own * positions.get(module, 0)
        found.append(UnitWorth(weights, products))
    return found


def _entries(module: Any, out: bool) -> int:
    """Entries of a layer's weight for one channel, of its output or of its input."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() < 2:
        return 0
    by_channel = isinstance(module, nn.Conv2d) and module.groups > 1
    if by_channel and not out:
        return 0  # its filter of the channel is counted as an output
    axis = 0 if out else 1
    return weight.numel() // weight.shape[axis]


def _per_channel(module: Any) -> int:
    """Biases and other parameters that a layer has one of for every channel."""
    if not isinstance(module, nn.Module):
        return 0
    return sum(p.dim() == 1 for p in module.parameters(recurse=False))


def _positions(net: nn.Module, size: tuple[int, int]) -> dict[nn.Module, int]:
    """How often each layer's weights are multiplied for one face."""
    found: dict[nn.Module, int] = {}

    def note(module: nn.Module, _: Any, output: Tensor) -> None:
        found[module] = output.shape[2] * output.shape[3] if output.dim() == 4 else 1

    kinds = (nn.Conv2d, nn.Linear)
    handles = [m.register_forward_hook(note) for m in net.modules() if isinstance(m, kinds)]
    own = next(net.parameters())
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, 3, *size, device=own.device, dtype=own.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return found
