"""Multiply-adds of one pass of one face: counted from what a network computes, not estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# Operations that multiply weights which nothing here can see.
_HIDDEN = ("quantized", "onednn", "mkldnn_rnn_layer", "_thnn_fused", "_cudnn_rnn", "miopen_rnn")


@dataclass(frozen=True)
class Products:
    """Multiply-adds of all weights, and of those that are not zero; None: not known."""

    total: int | None
    kept: int | None


def products_of(run: Callable[[Tensor], Any], face: Tensor) -> Products:
    """Multiply-adds of the matrix products and convolutions that torch carries out in ``run``.

    face: float32 N×3×H×W; the counts are those of one of the N. Additions of biases, activations
    and poolings are not counted, as is usual. What does not depend on the face is a weight, however
    it was computed; the products of its zeros are not kept. None: there are none, so that something
    else than torch computes, or weights are where torch does not show them.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # attention in one, which no formula counts
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.no_grad(), _Counter(face) as counter:
            run(face)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    if counter.hidden or not counter.total:
        return Products(None, None)
    return Products(counter.total // len(face), counter.kept // len(face))


def network_multiply_adds(net: nn.Module, size: tuple[int, int]) -> int | None:
    """Multiply-adds of a network for one face float32 1×3×height×width; zeros count, too."""
    return products_of(net, torch.zeros(1, 3, *size)).total


class _Counter(TorchDispatchMode):
    """Sees every operation, and knows which tensors follow from the face."""

    def __init__(self, face: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = self.kept = 0
        self.hidden = False
        # The tensors themselves are held, as a number may be another's when one is gone.
        self._followed: dict[int, Tensor] = {id(face): face}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        counted = flop_registry.get(getattr(func, "_overloadpacket", func))
        if counted is None and func is not torch.ops.prim.device.default:
            with self:  # e.g. aten.linear, in inference mode
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        made = func(*args, **kwargs)
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if any(id(one) in self._followed for one in given):
            self._followed |= {id(one): one for one in tree_leaves(made) if _is_tensor(one)}
            if counted is not None:
                products = counted(*args, **kwargs, out_val=made) // 2  # torch counts operations
                added = func.__name__.startswith(("add", "badd"))  # its first tensor is added
                self.total += products
                self.kept += self._kept(products, given[1:] if added else given)
        self.hidden |= any(word in str(func) for word in _HIDDEN)
        return made

    def _kept(self, products: int, given: list[Tensor]) -> int:
        """Of the products, those whose weight is not zero: each entry is in as many of them."""
        weights = [one for one in given if id(one) not in self._followed and one.dim() > 1]
        if len(weights) != 1 or weights[0].is_meta or not weights[0].numel():
            return products
        return products * int(torch.count_nonzero(weights[0])) // weights[0].numel()


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)
