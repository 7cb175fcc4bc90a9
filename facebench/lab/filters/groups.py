"""Which filters of a network can only be removed together, and which layers they belong to."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

UnitNumbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FilterGroup:
    """Layers whose filters are coupled: filter ``members[layer][i]`` of each goes with unit ``i``.

    root: the layer whose output channels number the units; members: convolutions by module name,
    int64 arrays of ``size``. A unit is what can be removed: one filter of a plain convolution, a
    filter with the depthwise one behind it, or the filters that add up in a residual stream.
    """

    root: str
    members: Mapping[str, UnitNumbers]

    @property
    def size(self) -> int:
        """Number of units."""
        return len(self.members[self.root])

    @property
    def filters(self) -> int:
        """Number of filters of all units together."""
        return self.size * len(self.members)


def find_groups(net: nn.Module, size: tuple[int, int]) -> list[FilterGroup]:
    """The prunable filters of a network for float N×3×H×W, in the order of its layers.

    A filter is an output channel of a convolution, depthwise ones included. Channels of the
    network's own output, the embedding, are never among them. ValueError where filters depend on
    each other in a way that is not understood. The network is left in evaluation mode.

    Source: the dependency graph of Fang et al. 2023, DepGraph (torch-pruning).
    """
    graph = dependency_graph(net, size)
    names = {module: name for name, module in net.named_modules()}
    found = []
    for group in graph.get_all_groups(root_module_types=[nn.Conv2d]):
        members: dict[str, UnitNumbers] = {}
        free = True
        for item in group:
            dependency, indices = item.dep, item.idxs
            if not graph.is_out_channel_pruning_fn(dependency.handler):
                continue
            node = dependency.target
            # What nothing follows is the embedding.
            free = free and bool(node.outputs)
            if isinstance(node.module, nn.Conv2d):
                _note(members, names[node.module], indices, item.root_idxs)
        if free:
            found.append(FilterGroup(names[group[0].dep.target.module], members))
    order = {name: number for number, name in enumerate(names.values())}
    return sorted(found, key=lambda group: order[group.root])


def dependency_graph(net: nn.Module, size: tuple[int, int]):  # type: ignore[no-untyped-def]
    """torch-pruning's graph of a network, traced with a face of H×W; evaluation mode stays."""
    import torch_pruning

    net.eval()
    own = next(net.parameters())
    example = torch.zeros(1, 3, *size, device=own.device, dtype=own.dtype)
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch_pruning.DependencyGraph().build_dependency(net, example, verbose=False)


def filter_counts(groups: Sequence[FilterGroup]) -> dict[str, int]:
    """Prunable filters by layer."""
    return {name: group.size for group in groups for name in group.members}


def _note(
    members: dict[str, UnitNumbers], layer: str, indices: list[int], roots: list[int]
) -> None:
    if layer in members or sorted(roots) != list(range(len(roots))):
        raise ValueError(f"the filters of {layer} depend on each other in more than one way")
    ordered = np.empty(len(roots), np.int64)
    ordered[np.array(roots)] = indices
    members[layer] = ordered


def normalisation_after(net: nn.Module, size: tuple[int, int]) -> dict[str, str]:
    """Batch normalisations, by the name of the convolution whose output they alone see."""
    graph = dependency_graph(net, size)
    names = {module: name for name, module in net.named_modules()}
    found = {}
    for module, node in graph.module2node.items():
        if isinstance(module, nn.Conv2d) and len(node.outputs) == 1:
            after = node.outputs[0].module
            if isinstance(after, nn.BatchNorm2d) and after.affine:
                found[names[module]] = names[after]
    return found
