"""Embeddings in another order than they come in, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings

_PART = 4096  # rows that are read back at once
_IN_MEMORY = 1 << 28  # bytes; more are kept in a file


def in_order(
    parts: Iterable[Embeddings], keys: Sequence[str], in_memory: int = _IN_MEMORY
) -> Iterator[Embeddings]:
    """Parts in the order of the keys, each of which comes once.

    Parts that come in this order are handed on as they are. From the first that does not, all are
    kept, in a temporary file where they are more than so many bytes, until the last has come.
    """
    waiting, handed = iter(parts), 0
    for part in waiting:
        here = tuple(keys[handed : handed + len(part.keys)])
        if part.keys != here:
            yield from _kept(part, waiting, keys, handed, in_memory)
            return
        handed += len(part.keys)
        yield part


def _kept(
    first: Embeddings,
    waiting: Iterator[Embeddings],
    keys: Sequence[str],
    handed: int,
    in_memory: int,
) -> Iterator[Embeddings]:
    count = len(keys) - handed
    place = {key: row for row, key in enumerate(keys[handed:])}
    acquired = np.zeros(count, dtype=np.bool_)
    rows: NDArray[np.float32] | None = None
    with TemporaryFile() as file:
        part: Embeddings | None = first
        while part is not None:
            at = np.array([place[key] for key in part.keys], dtype=np.int64)
            acquired[at] = part.acquired
            if part.acquired.any():
                if rows is None:
                    rows = _room(file, count, part.vectors.shape[1], in_memory)
                rows[at] = part.vectors
            part = next(waiting, None)
        if rows is None:
            rows = np.zeros((count, 0), dtype=np.float32)
        for start in range(0, count, _PART):
            some = slice(start, start + _PART)
            here = tuple(keys[handed + start : handed + min(start + _PART, count)])
            yield Embeddings(here, np.array(rows[some]), acquired[some])


def _room(file: IO[bytes], count: int, width: int, in_memory: int) -> NDArray[np.float32]:
    if count * width * 4 <= in_memory:
        return np.zeros((count, width), dtype=np.float32)
    return np.memmap(file, np.float32, "w+", shape=(count, width))
