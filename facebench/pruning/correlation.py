"""Which connections to keep: the neural-correlation criterion of Sun, Wang and Tang (2015)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facebench.nets.convnet import ConvNet, module_name
from facebench.pruning.moments import layer_correlations
from facebench.pruning.sampling import PAPER_LAMBDA, select_connections
from facebench.pruning.task import Mask, Task

__all__ = [
    "PAPER_LAMBDA",
    "correlation",
    "layer_correlations",
    "prune_layer",
    "select_connections",
]


def correlation(task: Task, lam: float = PAPER_LAMBDA) -> Mask:
    """Three of four connections from the more correlated half, one from the other: λ = 0.75.

    Counts and rounding: `facebench.pruning.sampling.select_connections`.

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
    kept = correlation(Task(net, layer, keep, rng, lambda: iter(faces)), lam)
    return module_name(layer), torch.from_numpy(kept).to(torch.float32)
