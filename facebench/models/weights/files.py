"""Files of weights as they lie there: their bytes, checked against a hash, and their tensors."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, plain_bytes


def weights_bytes(path: Path, sha256: str | None = None) -> tuple[bytes, str]:
    """The bytes of a file of weights, and their SHA-256.

    sha256: what it must be. UserError in one line with the path: absent, or of another hash.
    """
    try:
        data = plain_bytes(path, MODEL)
    except OSError as error:
        raise UserError(f"{path}: the weights cannot be read: {error.strerror}") from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise UserError(
            f"{path}: its SHA-256 is {found[:12]}…, the card says {sha256[:12]}…; the file was "
            "changed or does not belong to the card: fetch or publish it again"
        )
    return data, found


def tensors_in(data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of safetensors; ValueError in one line where the bytes are none."""
    try:
        return dict(safetensors.numpy.load(data))
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"truncated or not safetensors ({reason})") from None
