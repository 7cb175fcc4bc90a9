"""What training writes down to continue from: complete or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facebench.storage import write_atomically


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain values so that ``torch.load(weights_only=True)`` reads them."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote."""
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state
