"""Files of weights as they lie there: their bytes, checked against a hash, and their tensors."""

from __future__ import annotations

import hashlib
from pathlib import Path

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
