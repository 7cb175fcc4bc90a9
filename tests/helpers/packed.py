"""Packed weights in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facebench.base.storage import write_atomically
from facebench.models.weights.packed import packed_bytes


def save_packed(path: Path, *packed: Any) -> None:
    """What `packed_bytes` gives, complete or not at all."""
    write_atomically(path, packed_bytes(*packed))
