"""State dicts that people bring, and how they get into the network that they belong to.

Nothing is unpickled: ``torch.load`` is asked for tensors alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, read_bytes, reading
from facebench.base.text import printable
from facebench.models.counting.state import as_wanted, place_of, without_masks_beside
from facebench.models.weights.brought import TIED
from facebench.models.weights.packed import PackedWeights, load_packed

# Where training programs keep the state dict of the network among other things.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "backbone", "module")
_CLASS = re.compile(r"GLOBAL ([\w.]+)")
_SHOWN = 3  # names in a line


def state_in(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """The state dict in a file: packed weights, safetensors, or what ``torch.save`` wrote, within
    whatever its training program put around it.

    sha256: what packed weights must hash to. UserError: no file, or none of these.
    """
    data = read_bytes(path, "the weights", MODEL)
    if path.suffix.lower() == ".safetensors":
        if b'"facebench"' in data[: 8 + int.from_bytes(data[:8], "little")]:
            packed = load_packed(path, sha256)
            return packed.state | _tied(path, packed)
        with reading(path, "truncated or not safetensors"):
            return safetensors.torch.load(data)
    try:
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{path}: {_why_not_read(error)}") from None
    return _unwrapped(path, found)


def _tied(path: Path, packed: PackedWeights) -> dict[str, Tensor]:
    """The other names of tensors that packed weights have once."""
    tied = packed.metadata.get(TIED, {})
    if not isinstance(tied, dict) or not all(
        isinstance(first, str) and first in packed.state for first in tied.values()
    ):
        raise UserError(f"{path}: not usable as packed weights: its tied tensors are not in it")
    return {name: packed.state[first] for name, first in tied.items()}


def load_state(net: nn.Module, state: Mapping[str, Tensor], where: str) -> tuple[str, ...]:
    """Put a state dict into a network, in place; what is to be said of it.

    Names may begin with ``module.``, ``_orig_mod.`` or another word that is common to those of the
    network, and weights may be beside their masks (``X_orig``, ``X_mask``). UserError: a tensor is
    missing or of another shape. What the network has no place for, such as a classifier, is left
    out and said.
    """
    wanted = net.state_dict()
    given = _renamed(without_masks_beside(_plain_names(state)), wanted)
    given = as_wanted(given, wanted)
    missing = _missing(wanted, given)
    if missing:
        raise UserError(
            f"{where}: the network's {_listed(missing)} are not among its {len(state)} tensors "
            f"({_listed(list(state))}); are these the weights of another network?"
        )
    for name, value in wanted.items():
        if name in given and value.shape != given[name].shape:
            raise UserError(
                f"{where}: {name} is {tuple(given[name].shape)}, the network's is "
                f"{tuple(value.shape)}; are these the weights of another network?"
            )
    others = [name for name in given if name not in wanted]
    try:
        net.load_state_dict({k: v for k, v in given.items() if k in wanted}, strict=False)
    except Exception as error:  # of hooks that the network's author wrote
        why = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: cannot be loaded into the network: {why}") from None
    if not others:
        return ()
    return (f"{where}: the network has no place for {_listed(others)}, which were left out",)


def _why_not_read(error: Exception) -> str:
    text = str(error)
    if "TorchScript" in text:
        return "is a TorchScript program, not a state dict; name it with --model alone"
    if (found := _CLASS.search(text)) is not None:
        return (
            f"holds more than tensors ({found[1]}), and nothing is unpickled; save the state dict "
            "alone: torch.save(network.state_dict(), FILE)"
        )
    return "is no state dict that torch.save wrote, nor safetensors; was it copied whole?"


def _unwrapped(path: Path, found: Any) -> dict[str, Tensor]:
    """The state dict within what a training program saved."""
    for _ in range(4):
        if not isinstance(found, Mapping):
            break
        inner = [found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)]
        if not inner:
            state = {str(k): v for k, v in found.items() if isinstance(v, Tensor)}
            for name, value in state.items():
                if not _is_whole(value):
                    raise UserError(
                        f"{path}: {printable(name, 60)} has more numbers than the file; save it as "
                        "a plain tensor (.contiguous())"
                    )
            if state:
                return state
            keys = ", ".join(printable(str(key), 40) for key in list(found)[:6])
            raise UserError(
                f"{path}: holds no state dict but {keys or 'nothing'}; save one: "
                "torch.save(network.state_dict(), FILE)"
            )
        found = inner[0]
    raise UserError(
        f"{path}: holds a {type(found).__name__}, not a state dict; save one: "
        "torch.save(network.state_dict(), FILE)"
    )


def _is_whole(value: Tensor) -> bool:
    """Whether the memory behind a tensor has all of its numbers: a view may repeat one for ever."""
    if value.layout != torch.strided:
        return True
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what ``torch.compile`` and data parallelism put before names."""
    plain = {name.replace("_orig_mod.", ""): value for name, value in state.items()}
    while plain and all(name.startswith("module.") for name in plain):
        plain = {name.removeprefix("module."): value for name, value in plain.items()}
    return plain


def _renamed(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the shortest beginning of names behind which all of the network is."""
    if not _missing(wanted, as_wanted(state, wanted)):
        return state
    starts = {name[: at + 1] for name in state for at, letter in enumerate(name) if letter == "."}
    for start in sorted(starts, key=lambda text: (len(text), text)):
        inner = {n.removeprefix(start): v for n, v in state.items() if n.startswith(start)}
        if len(inner) >= len(wanted) // 2 and not _missing(wanted, as_wanted(inner, wanted)):
            others = {n: v for n, v in state.items() if not n.startswith(start)}
            return inner | {n: v for n, v in others.items() if n not in inner}
    return state


def _missing(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Tensors that the network needs and has under no other name; old files count no batches."""
    there = {place_of(value) for name, value in wanted.items() if name in given}
    return [
        name
        for name, value in wanted.items()
        if name not in given
        and not name.endswith("num_batches_tracked")
        and place_of(value) not in there
    ]


def _listed(names: list[str]) -> str:
    shown = ", ".join(printable(name, 60) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
