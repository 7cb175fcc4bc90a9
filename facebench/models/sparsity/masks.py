"""Networks that cannot lose their masks, and what their sparsity saves.

`apply_masks` makes a layer's weight a torch parametrization: whatever happens to the stored
parameter (an optimiser step, an in-place change, ``load_state_dict``, ``.half()``, a deep copy),
the weight that the layer computes with has exact zeros where the mask drops. There is one place
where the mask acts, and no other code has to remember it. The state dict keeps the names of the
unmasked network, with the zeros in place.

That costs a pass over the weights per forward. `freeze` keeps the masked weights between forwards
until the parameter changes, for inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from facebench.base.errors import nearest


class Mask(nn.Module):
    """Parametrization of a weight: exact zeros where the mask (bool, true: kept) drops."""

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        # Not in the state dict: loading another network's state must not replace the mask.
        self.register_buffer("kept", kept.detach().clone().to(torch.bool), persistent=False)
        self.frozen = self.in_forward = False
        self._clean: tuple[Tensor, int, Tensor] | None = None

    def forward(self, weight: Tensor) -> Tensor:
        # Only the layer itself gets the remembered tensor; who asks from outside gets a copy.
        if not (self.frozen and self.in_forward) or (
            torch.is_grad_enabled() and weight.requires_grad
        ):
            return self._masked(weight)
        clean = self._clean
        if clean is None or clean[0] is not weight or clean[1] != weight._version:
            with torch.inference_mode(False), torch.no_grad():
                clean = self._clean = (weight, weight._version, self._masked(weight))
        return clean[2]

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What is stored when the weight is assigned."""
        return self._masked(weight)

    def _masked(self, weight: Tensor) -> Tensor:
        # `where`, not a product: a dropped weight that became inf or NaN is zero, too.
        return torch.where(self.kept, weight, 0.0)

    def _apply(self, fn: Any, recurse: bool = True) -> Mask:
        self._clean = None  # .to(), .half() change the parameter without raising its version
        applied: Mask = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return applied


def apply_masks(net: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Mask layers of a network, in place and for good.

    ``masks``: module name (``local5b``) → bool or 0/1 tensor in the shape of its weight, 1: kept. A
    layer that has a mask already gets the intersection: pruning never brings a weight back.
    ValueError where a mask fits no layer.
    """
    modules = dict(net.named_modules())
    for name, kept in masks.items():
        module = modules.get(name)
        if module is None or not isinstance(getattr(module, "weight", None), Tensor):
            raise ValueError(f"no layer {name!r} to mask{nearest(name, modules)}")
        weight = module.weight
        if kept.shape != weight.shape:
            raise ValueError(f"{name}: mask {tuple(kept.shape)}, weight {tuple(weight.shape)}")
        if (mask := _mask_of(module)) is not None:
            mask.kept &= kept.to(mask.kept.device, torch.bool)
            mask._clean = None
            continue
        parametrize.register_parametrization(module, "weight", Mask(kept.to(weight.device)))
        module.register_state_dict_post_hook(_plain_names)
        module.register_load_state_dict_pre_hook(_stored_names)


def masks_of(net: nn.Module) -> dict[str, Tensor]:
    """The masks of a network: module name → bool tensor in the shape of its weight, true: kept."""
    found = ((name, _mask_of(module)) for name, module in net.named_modules())
    return {name: mask.kept.clone() for name, mask in found if mask is not None}


def freeze(net: nn.Module) -> nn.Module:
    """Make a network ready for inference, in place: evaluation mode, no gradients, quick masks.

    Masked weights are kept between forwards and made anew when a parameter changes (assignment,
    in-place operation, ``load_state_dict``, ``.to``). A change through ``parameter.data``, which
    torch does not count, is not seen until `freeze` is called again; the mask holds in any case.
    """
    net.eval().requires_grad_(False)
    for module in net.modules():
        if (mask := _mask_of(module)) is None:
            continue
        mask._clean = None
        if not mask.frozen:
            mask.frozen = True
            module.register_forward_pre_hook(_enter)
            module.register_forward_hook(_leave, always_call=True)
    return net


def _mask_of(module: nn.Module) -> Mask | None:
    if not parametrize.is_parametrized(module, "weight"):
        return None
    steps = module.parametrizations["weight"]  # type: ignore[index]
    return next((step for step in steps if isinstance(step, Mask)), None)


def _enter(module: nn.Module, _: Any) -> None:
    if (mask := _mask_of(module)) is not None:
        mask.in_forward = True


def _leave(module: nn.Module, *_: Any) -> None:
    if (mask := _mask_of(module)) is not None:
        mask.in_forward = False


_STORED = "parametrizations.weight.original"


def _plain_names(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """State-dict hook: the masked weight under the layer's own name."""
    if state.pop(f"{prefix}{_STORED}", None) is not None:
        state[f"{prefix}weight"] = module.weight.detach()  # type: ignore[operator]


def _stored_names(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Loading hook: the layer's own name is what the parametrization stores."""
    if _mask_of(module) is not None and f"{prefix}weight" in state:
        state[f"{prefix}{_STORED}"] = state.pop(f"{prefix}weight")
