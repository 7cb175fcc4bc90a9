"""The hash of a torch module that a user's code made: its weights, its structure and its code."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def module_hash(net: nn.Module, factory: str, folders: Iterable[Path]) -> str | None:
    """SHA-256 of what a module's numbers depend on; None: it holds what cannot be hashed, or
    nothing.

    It is over every parameter, buffer and other tensor or array of the module by name, type, shape
    and bytes; the structure as torch prints it; and the source of the modules that define its
    layers and of ``factory``, and of what these import from ``folders``, the user's own. What such
    code reads while it runs (a file, say) is covered where it shows in one of them.
    """
    digest = hashlib.sha256()
    try:
        tensors = dict(_tensors(net))
        for name in sorted(tensors):
            _add(digest, name, tensors[name])
    except (TypeError, ValueError, RuntimeError):  # a packed, lazy, sparse or meta tensor
        return None
    if not tensors:
        return None
    digest.update(_ADDRESS.sub("", repr(net)).encode())
    defining = {type(part).__module__ for part in net.modules()} | {factory}
    for name, source in sorted(_sources(defining, [folder.resolve() for folder in folders])):
        digest.update(f"{name} {hashlib.sha256(source).hexdigest()}\n".encode())
    return digest.hexdigest()


def _tensors(net: nn.Module) -> Iterator[tuple[str, Any]]:
    """What has numbers: the state, and what was kept beside it; TypeError: of another kind."""
    for name, value in net.state_dict(keep_vars=True).items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is a {type(value).__name__}")
        yield name, value
    for prefix, part in net.named_modules():
        values = [*part.named_buffers(recurse=False), *vars(part).items()]
        for name, value in values:
            if isinstance(value, (Tensor, np.ndarray)):
                yield f"{prefix}.{name}".lstrip("."), value


def _add(digest: Any, name: str, value: Tensor | np.ndarray[Any, Any]) -> None:
    if isinstance(value, Tensor):
        value = value.detach().cpu().contiguous()
        kind, shape = str(value.dtype), tuple(value.shape)
        data = value.reshape(-1).view(torch.uint8).numpy().tobytes()  # bfloat16 is none of NumPy's
    else:
        kind, shape, data = str(value.dtype), value.shape, np.ascontiguousarray(value).tobytes()
    digest.update(f"{name} {kind} {shape}\n".encode())
    digest.update(data)


def _sources(names: Iterable[str], folders: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Name and source of modules, and of what they import from the folders, each once; torch's own
    are of its version.
    """
    left, seen = sorted(names), set[str]()
    while left:
        name = left.pop()
        module = sys.modules.get(name)
        if name in seen or module is None or name.partition(".")[0] in ("torch", "builtins"):
            continue
        seen.add(name)
        place = Path(getattr(module, "__file__", None) or "")
        if place.suffix != ".py" or not place.is_file():
            continue
        yield name, place.read_bytes()
        left += [
            other
            for other in _imported(module)
            if _is_in(sys.modules.get(other), folders) and other not in seen
        ]


def _imported(module: ModuleType) -> set[str]:
    """Names of the modules that a module's globals are, or come from."""
    values = vars(module).values()
    modules = {value.__name__ for value in values if isinstance(value, ModuleType)}
    return modules | {str(getattr(value, "__module__", "")) for value in values}


def _is_in(module: ModuleType | None, folders: list[Path]) -> bool:
    place = Path(getattr(module, "__file__", None) or "")
    if "site-packages" in place.parts or not place.is_absolute():
        return False
    return any(place.resolve().is_relative_to(folder) for folder in folders)
