"""Multiply-adds of one pass of one face: counted from what a network computes, not estimated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from facebench.nets.layers import LocallyConnected2d


def multiply_adds_of(run: Callable[[], Any]) -> int | None:
    """Multiply-adds of the matrix products and convolutions that torch carries out in ``run()``.

    Additions of biases, activations and poolings are not counted, as is usual. None: there are
    none, so that something else than torch computes.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    total = int(counter.get_total_flops()) // 2  # torch counts a multiply-add as two operations
    return total or None


def network_multiply_adds(net: nn.Module, size: tuple[int, int]) -> int | None:
    """Multiply-adds of a network for one face float32 1×3×height×width; zeros count, too."""
    face = torch.zeros(1, 3, *size)
    return multiply_adds_of(lambda: net(face))


def dropped_multiply_adds(
    net: nn.Module, size: tuple[int, int], masks: Mapping[str, Tensor]
) -> int:
    """Multiply-adds of one face with weights that masks drop.

    masks: module name → bool tensor in the shape of its weight, true: kept. A weight of a
    convolution is used once per output position, one of the other layers once.
    """
    uses: dict[str, int] = {}
    handles = [
        net.get_submodule(name).register_forward_hook(_note_uses(uses, name)) for name in masks
    ]
    try:
        with torch.no_grad():
            net(torch.zeros(1, 3, *size))
    finally:
        for handle in handles:
            handle.remove()
    return sum(uses[name] * int((~mask).sum()) for name, mask in masks.items())


def _note_uses(uses: dict[str, int], name: str) -> Any:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
        local = isinstance(module, (LocallyConnected2d, nn.Linear))
        uses[name] = 1 if local else output[0, 0].numel()

    return hook
