"""The same structure without what was learned: masks of a sparse network, weights at random."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from facebench.nets.layers import LocallyConnected2d


def scratch(net: nn.Module, masks: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Give a network the weights that an untrained one has, in place; returns copies of the masks.

    masks: module name (``local5b``) → 0/1 or bool in the shape of its weight. Weights keep the
    variance 2/K of the dense network, as in the paper's comparison nothing says otherwise.
    ValueError where a mask fits no layer.

    Source: Sun, Wang, Tang 2015, Section 5.3, Table 7.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in net.modules():
            _renew(module)
    for name, mask in masks.items():
        layer = net.get_submodule(name)
        if mask.shape != layer.weight.shape:
            raise ValueError(f"{name}: mask {tuple(mask.shape)} fits another network")
        prune.custom_from_mask(layer, "weight", mask.to(torch.float32))
        prune.remove(layer, "weight")
    return {name: mask.clone() for name, mask in masks.items()}


def _renew(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, LocallyConnected2d):
        nn.init.normal_(module.weight, std=(2.0 / module.weight.shape[2]) ** 0.5)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.reset_parameters()
