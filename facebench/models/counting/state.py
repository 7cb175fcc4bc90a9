"""The numbers that a torch network holds: its parameters as it computes with them, and its state
under plain names, as if no pruning tool had touched it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_ORIGINAL, _MASK = "_orig", "_mask"  # as torch.nn.utils.prune names them
_STORED, _FIRST = "parametrizations.", ".original"


def parameters_of(net: nn.Module) -> dict[str, Tensor]:
    """The parameters of a module, TorchScript or an exported program as it computes with them.

    Masks of ``torch.nn.utils.prune`` and parametrizations are applied; one that several layers
    share is there once, under its first name, with zeros where all of them have one.
    """
    buffers = dict(net.named_buffers())
    found: dict[str, Tensor] = {}
    names: dict[object, str] = {}
    for name, parameter in net.named_parameters(remove_duplicate=False):
        value: Tensor = parameter.detach()
        mask = buffers.get(f"{name.removesuffix(_ORIGINAL)}{_MASK}")
        if name.endswith(_ORIGINAL) and mask is not None and mask.shape == value.shape:
            name, value = name.removesuffix(_ORIGINAL), value * mask
        elif name.endswith(_FIRST) and (made := _parametrized(net, name)) is not None:
            name, value = made
        first = names.setdefault(place_of(parameter), name)
        before = found.get(first)
        if before is None:
            found[first] = value
        elif before.shape == value.shape:
            found[first] = torch.where(before == 0, value, before)
    return found


def kept_in(values: Iterable[Tensor]) -> int:
    """Entries that are not zero of weights with two or more axes, and all of the others'."""
    return sum(
        value.numel() if value.dim() < 2 else int(torch.count_nonzero(value)) for value in values
    )


def plain_state(net: nn.Module) -> dict[str, Tensor]:
    """The state of a module under the names that its layers have without pruning tools."""
    state = {k: v.detach() for k, v in net.state_dict().items() if isinstance(v, Tensor)}
    for name in [name for name in state if name.endswith(_FIRST)]:
        stem = name.removesuffix("original")
        made = _parametrized(net, name)
        if made is not None and sum(key.startswith(stem) for key in state) == 1:
            state[made[0]] = made[1]
            del state[name]
    return without_masks_beside(state)


def without_masks_beside(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state in which ``X_orig`` and ``X_mask`` are ``X``, their product."""
    plain = dict(state)
    for name in state:
        stem = name.removesuffix(_ORIGINAL)
        mask = state.get(f"{stem}{_MASK}")
        if name.endswith(_ORIGINAL) and mask is not None and mask.shape == state[name].shape:
            plain[stem] = state[name] * mask
            del plain[name], plain[f"{stem}{_MASK}"]
    return plain


def as_wanted(state: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """A plain state for a network that has been pruned or parametrized itself: its names."""
    found = dict(state)
    for name in wanted:
        if name in found:
            continue
        if (stem := name.removesuffix(_ORIGINAL)) != name and stem in state:
            found[name], found[f"{stem}{_MASK}"] = state[stem], (state[stem] != 0).float()
            found.pop(stem, None)
        elif name.endswith(_FIRST) and (stem := _plain_name(name)) in state:
            found[name] = state[stem]
            found.pop(stem, None)
    return found


def place_of(value: Tensor) -> object:
    """What tensors have in common that are one in memory, however they are viewed."""
    if value.layout != torch.strided or value.is_meta or not value.numel():
        return id(value)
    return value.untyped_storage().data_ptr(), value.storage_offset(), value.numel()


def uncounted_in(net: nn.Module) -> str | None:
    """Why a network's numbers cannot all be seen, in words for a sentence; None: they can."""
    for part in net.modules():
        if hasattr(part, "_packed_params"):
            return "torch's quantised layers keep their weights where they cannot be counted"
    if isinstance(net, torch.jit.ScriptModule) and next(_tensors(net), None) is None:
        return "a frozen TorchScript program has constants in place of parameters"
    return None


def _tensors(net: nn.Module) -> Iterator[Tensor]:
    yield from net.parameters()
    yield from net.buffers()


def _parametrized(net: nn.Module, stored: str) -> tuple[str, Tensor] | None:
    """Name and value of what a module computes from the one tensor that it stores for it."""
    name = _plain_name(stored)
    prefix, _, own = name.rpartition(".")
    try:
        module = net.get_submodule(prefix)
    except AttributeError:
        return None
    if not parametrize.is_parametrized(module, own):
        return None
    with torch.no_grad():
        made = getattr(module, own)
    return (name, made.detach()) if isinstance(made, Tensor) else None


def _plain_name(stored: str) -> str:
    """``layer.parametrizations.weight.original`` → ``layer.weight``."""
    return stored.removesuffix(_FIRST).replace(_STORED, "")
