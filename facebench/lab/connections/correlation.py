"""Which connections to keep: the neural-correlation criterion of Sun, Wang and Tang (2015)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facebench.lab.connections.moments import layer_correlations
from facebench.lab.connections.task import KeptConnections, LayerTask
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import module_name

PAPER_LAMBDA = 0.75

_Share = tuple[NDArray[np.int64], float]


def select_connections(
    correlations: NDArray[np.floating],
    keep: Fraction,
    rng: np.random.Generator,
    *,
    shared: bool,
    lam: float = PAPER_LAMBDA,
    before: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """The dropping matrix (True: kept) of a layer, from its connections' correlations.

    correlations: float in the shape of the weight, one output neuron or map per row of
    ``reshape(outputs, K)``; keep: the degree of sparsity S; shared: weights shared over positions
    (convolution), where magnitudes are ranked together; otherwise positive and negative ones are
    ranked apart. In each ranking λ·S·K⁺ are drawn from the upper half and (1-λ)·S·K⁺ from the
    lower half. before: the connections a layer still has, where it is made sparser once more; then
    their rankings are halved, and S still is the share of all weights.

    Rounding, by systematic sampling: the layer keeps S·|W| to within one, exactly where that is
    whole; a neuron keeps S·K or, where that is not whole, one of its two neighbours; so does each
    half of each ranking, and all their expectations are exact.

    Source: Sun, Wang, Tang 2015, Section 4.1.
    """
    if not 0 < keep < 1:
        raise ValueError(f"the degree of sparsity must lie between 0 and 1, not {keep}")
    if not 0 <= lam <= 1:
        raise ValueError(f"lambda must lie in [0, 1], not {lam}")
    rows = correlations.reshape(-1, connections_of(correlations))
    allowed = np.ones(rows.shape, bool) if before is None else before.reshape(rows.shape)
    ratio = _ratio(keep, allowed)
    wanted = ratio * allowed.sum(1)
    kept = np.zeros(rows.shape, bool)
    for row, mask, own, start in zip(rows, kept, allowed, _starts(wanted, rng), strict=True):
        shares: list[_Share] = []
        for group in _rankings(row, own, shared):
            order = group[np.argsort(-np.abs(row[group]), kind="stable")]
            middle = (len(order) + 1) // 2
            shares += _shares(order[:middle], order[middle:], ratio * len(order), lam)
        for (members, _), count in zip(shares, _round_together(shares, start), strict=True):
            mask[rng.choice(members, count, replace=False)] = True
    return kept.reshape(correlations.shape)


def connections_of(weight: NDArray[np.floating]) -> int:
    """K, the inputs of one neuron: 3-d weights are [position, out, K], others [out, K…]."""
    if weight.ndim == 3:
        channels: int = weight.shape[2]
        return channels
    return int(np.prod(weight.shape[1:]))


def _ratio(keep: Fraction, allowed: NDArray[np.bool_]) -> float:
    """Which share of the connections that are left makes S of all."""
    ratio = float(keep) * allowed.size / allowed.sum()
    if ratio > 1 + 1e-9:
        left = allowed.sum() / allowed.size
        raise ValueError(f"the layer has {left:.4g} of its connections left, less than {keep}")
    share: float = min(ratio, 1.0)
    return share


def _starts(wanted: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Uniform starts in [0, 1) per neuron, tied so that the layer's sum is exact.

    Which neurons are rounded up is drawn over the layer, in random order; each start is then
    uniform in that part of [0, 1) that rounds its neuron so. Over all draws it is plain uniform.
    """
    order = rng.permutation(len(wanted))
    edges = np.round(np.concatenate([[0.0], np.cumsum(wanted[order])]), 6)
    counts = np.empty(len(wanted))
    counts[order] = np.diff(np.floor(edges + rng.random()))
    part = wanted - np.floor(np.round(wanted, 6))
    part = np.where(part < 1e-6, 0.0, part)
    up = counts > np.floor(np.round(wanted, 6))
    u = rng.random(len(wanted))
    return np.where(up, 1 - part * (1 - u), (1 - part) * u)


def _rankings(
    row: NDArray[np.floating], allowed: NDArray[np.bool_], shared: bool
) -> list[NDArray[np.int64]]:
    if shared:
        return [np.flatnonzero(allowed)]
    return [np.flatnonzero(allowed & (row >= 0)), np.flatnonzero(allowed & (row < 0))]


def _shares(
    upper: NDArray[np.int64], lower: NDArray[np.int64], wanted: float, lam: float
) -> list[_Share]:
    """How many of each half: λ and 1-λ of those wanted; what a half lacks, the other gives.

    With S above 1/(2λ) the upper half is smaller than its share, as 2/3-4b would show.
    """
    from_upper = min(lam * wanted, len(upper))
    from_lower = min(wanted - from_upper, len(lower))
    return [(upper, wanted - from_lower), (lower, from_lower)]


def _round_together(shares: list[_Share], start: float) -> list[int]:
    """Systematic sampling: whole numbers whose expectations are the shares, with a fixed sum."""
    edges = np.concatenate([[0.0], np.cumsum([share for _, share in shares])])
    # A sum that is whole must stay whole in spite of floating point.
    places = np.floor(np.round(edges, 9) + start)
    counts = np.diff(places).astype(int)
    return [
        int(min(count, len(members))) for count, (members, _) in zip(counts, shares, strict=True)
    ]


__all__ = [
    "PAPER_LAMBDA",
    "correlation",
    "layer_correlations",
    "prune_layer",
    "select_connections",
]


def correlation(task: LayerTask, lam: float = PAPER_LAMBDA) -> KeptConnections:
    """Three of four connections from the more correlated half, one from the other: λ = 0.75.

    Counts and rounding: `facebench.lab.connections.correlation.select_connections`.

    Source: Sun, Wang, Tang 2015, Section 4.1, equations 1 and 2.
    """
    found = layer_correlations(task.net, task.layer, task.held_out())
    return select_connections(
        found, task.keep, task.rng, shared=task.shared, lam=lam, before=task.before
    )


def prune_layer(
    net: ConvNet,
    layer: str,
    keep: Fraction,
    faces: Iterable[NDArray[np.uint8]],
    rng: np.random.Generator,
    lam: float = PAPER_LAMBDA,
) -> tuple[str, Tensor]:
    """Dropping matrix of one layer of a trained net: (state-dict module name, 0/1 float tensor)."""
    kept = correlation(LayerTask(net, layer, keep, rng, lambda: iter(faces)), lam)
    return module_name(layer), torch.from_numpy(kept).to(torch.float32)


def highest(task: LayerTask) -> KeptConnections:
    """Connections drawn from the upper half of every ranking by correlation: λ = 1.

    Source: Sun, Wang, Tang 2015, Section 5.2 (letter h in Table 5).
    """
    return correlation(task, lam=1.0)


def random(task: LayerTask) -> KeptConnections:
    """Connections drawn alike from both halves of every ranking by correlation: λ = 0.5.

    The rankings then only keep positive and negative connections in proportion.

    Source: Sun, Wang, Tang 2015, Section 5.2 (letter r in Table 5).
    """
    return correlation(task, lam=0.5)
