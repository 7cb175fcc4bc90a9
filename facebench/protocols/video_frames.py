"""Embeddings of all frames of a protocol on disk, for poolings that need them all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings
from facebench.errors import UserError
from facebench.storage import cache_folder


class FrameFile:
    """A file of float32 rows without a name, so that it goes with this process, however it ends.

    A video's frames must be added one after the other, as they come in sorted order of keys.
    """

    def __init__(self, group_of: Mapping[str, int], groups: int) -> None:
        self._group_of = group_of
        self._first = np.zeros(groups, dtype=np.int64)
        self._count = np.zeros(groups, dtype=np.int64)
        self._rows = self._width = 0
        self._map: NDArray[np.float32] | None = None
        folder = cache_folder()
        with _disk():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(prefix="frames-", dir=folder)  # noqa: SIM115

    def add(self, part: Embeddings) -> None:
        """Append the acquired frames of a part."""
        for key in (k for k, there in zip(part.keys, part.acquired, strict=True) if there):
            group = self._group_of[key]
            if not self._count[group]:
                self._first[group] = self._rows
            self._count[group] += 1
            self._rows += 1
        vectors = part.vectors[part.acquired]
        if len(vectors):
            self._width = vectors.shape[1]
            with _disk():
                self._file.write(np.ascontiguousarray(vectors, dtype=np.float32).tobytes())

    @property
    def faces(self) -> NDArray[np.int64]:
        """How many frames of each video are there: int64 G."""
        return self._count

    def read(self, group: int) -> NDArray[np.float32]:
        """One video's acquired frames, float32 F×D."""
        first, count = int(self._first[group]), int(self._count[group])
        if self._map is None and self._rows:
            with _disk():
                self._file.flush()
            self._map = np.memmap(
                self._file, dtype=np.float32, mode="r", shape=(self._rows, self._width)
            )
        if self._map is None:
            return np.zeros((0, 0), dtype=np.float32)
        return np.array(self._map[first : first + count])

    def close(self) -> None:
        """Give the disk's room back."""
        self._map = None
        self._file.close()


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the embeddings of all frames cannot be kept in {cache_folder()}: "
            f"{error.strerror or error}; make room there, set FACEBENCH_CACHE to another folder, "
            "or choose --pooling mean-score, which keeps none"
        ) from error
