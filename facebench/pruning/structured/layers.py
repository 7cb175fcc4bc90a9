"""Which layers lost their filters: do those with most output channels lose most?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class Width:
    """Layers with as many filters as each other: how many they are, mean share that they lost."""

    filters: int
    layers: int
    removed: float


def by_width(layers: Mapping[str, int], removed: Mapping[str, float]) -> list[Width]:
    """Mean share of filters gone, 0 to 1, by the number that layers had; narrow layers first."""
    counts = sorted(set(layers.values()))
    groups = [[name for name, own in layers.items() if own == count] for count in counts]
    return [
        Width(count, len(names), float(np.mean([removed.get(name, 0.0) for name in names])))
        for count, names in zip(counts, groups, strict=True)
    ]


def rank_correlation(layers: Mapping[str, int], removed: Mapping[str, float]) -> float:
    """Spearman's correlation, over layers, of filters in the whole network and share removed.

    The paper's observation, filters of layers with most output channels tend to go first, is a
    positive one. NaN where all layers are alike.

    Source: Alonso-Fernandez et al., Abstract.
    """
    names = list(layers)
    counts = rankdata([layers[name] for name in names])
    shares = rankdata([removed.get(name, 0.0) for name in names])
    if len(names) < 3 or np.ptp(counts) == 0 or np.ptp(shares) == 0:
        return float("nan")
    return float(np.corrcoef(counts, shares)[0, 1])
