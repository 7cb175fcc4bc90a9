"""What training writes down to continue from: complete or not at all."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facebench.storage import write_atomically


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain values so that ``torch.load(weights_only=True)`` reads them.

    Equal values give equal bytes, whether they were computed or read from a file.
    """
    buffer = io.BytesIO()
    torch.save(_interned(dict(state)), buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote."""
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def _interned(value: Any) -> Any:
    """Plain values with one object for every equal text: a pickle writes the same object once."""
    if type(value) is str:
        return sys.intern(value)
    if type(value) is dict:
        return {_interned(key): _interned(own) for key, own in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_interned(own) for own in value)
    return value
