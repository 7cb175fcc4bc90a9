"""Taking filters out of a network: which ones go, and the layers without them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from torch import nn

from facebench.lab.filters.groups import FilterGroup, dependency_graph, filter_counts

# A layer that lost nearly all of its channels would be a bottleneck that no training mends.
LEAST_FILTERS, LEAST_SHARE = 4, Fraction(1, 8)


def least_filters(original: int) -> int:
    """Filters that a layer always keeps: an eighth of those it had, but 4 (or all, if fewer)."""
    return min(original, max(LEAST_FILTERS, math.ceil(original * LEAST_SHARE)))


def choose_units(
    groups: Sequence[FilterGroup],
    scores: Sequence[NDArray[np.float64]],
    count: float,
    original: Mapping[str, int],
    worth: Sequence[float] | None = None,
) -> list[NDArray[np.int64]]:
    """Units to remove, ascending int64 per group: the lowest scores first, ties in layer order.

    count: filters to remove at least; the last unit may have more than one. original: filters by
    layer before anything was removed, of which every layer keeps `least_filters`. worth: what a
    unit of each group counts as, None: its filters. ValueError where so many cannot go.
    """
    place = np.concatenate([np.full(group.size, i) for i, group in enumerate(groups)])
    unit = np.concatenate([np.arange(group.size) for group in groups])
    value = np.concatenate(list(scores))
    room = [
        group.size - max(least_filters(original[name]) for name in group.members)
        for group in groups
    ]
    each = [len(group.members) for group in groups] if worth is None else worth
    chosen: list[list[int]] = [[] for _ in groups]
    gone = 0.0
    for number in np.argsort(value, kind="stable"):
        if gone >= count:
            break
        i = int(place[number])
        if len(chosen[i]) < room[i]:
            chosen[i].append(int(unit[number]))
            gone += each[i]
    if gone < count:
        raise ValueError(
            f"{count:g} filters cannot be removed: {gone:g} may go, every layer keeps some"
        )
    return [np.sort(np.array(units, np.int64)) for units in chosen]


def remove_units(
    net: nn.Module,
    groups: Sequence[FilterGroup],
    units: Sequence[NDArray[np.int64]],
    size: tuple[int, int],
) -> None:
    """Take units out of a network, in place, with everything that belongs to their channels.

    groups: as `groups.find_groups` finds them in this network; units: indices per group. Parameters
    are new tensors afterwards: make optimisers anew. The network is left in evaluation mode.
    """
    import torch_pruning

    graph = dependency_graph(net, size)
    for group, gone in zip(groups, units, strict=True):
        if len(gone):
            root = net.get_submodule(group.root)
            prune = torch_pruning.prune_conv_out_channels
            graph.get_pruning_group(root, prune, [int(i) for i in gone]).prune()


def removed_shares(groups: Sequence[FilterGroup], original: Mapping[str, int]) -> dict[str, float]:
    """Share of each layer's filters that is gone, 0 to 1; groups: of the network as it is now."""
    now = filter_counts(groups)
    return {name: 1 - now.get(name, 0) / count for name, count in original.items()}


def target(step: int, share: Fraction, total: int, until: Fraction) -> int:
    """Filters gone after a number of steps: share × step of the ORIGINAL number, rounded up; never
    more than ``until`` of it.
    """
    return math.ceil(min(share * step, until) * total)
