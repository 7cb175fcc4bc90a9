"""A short name for the content of a set of images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

_THREADS = 8
_BLOCK = 4096


def content_fingerprint(name: str, keys: Iterable[str], read: Callable[[str], bytes | None]) -> str:
    """``<name>-`` and 16 hexadecimal digits of a SHA-256 over keys and contents, in sorted order.

    ``read`` gives the bytes of one image, or None where it cannot be read: absence is a content
    of its own, so that a run that counts absent images is not taken for one that had them.
    """
    ordered = sorted(set(keys))

    def digest_one(key: str) -> bytes:
        data = read(key)
        return b"absent" if data is None else hashlib.sha256(data).digest()

    total = hashlib.sha256()
    with ThreadPoolExecutor(_THREADS) as pool:
        # In blocks: a pool holds all that it was ever asked for, and videos have many frames.
        for start in range(0, len(ordered), _BLOCK):
            block = ordered[start : start + _BLOCK]
            for key, digest in zip(block, pool.map(digest_one, block), strict=True):
                total.update(key.encode() + b"\0" + digest + b"\n")
    return f"{name}-{total.hexdigest()[:16]}"
