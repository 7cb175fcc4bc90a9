"""The result of an extraction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of named faces.

    keys: N names; vectors: float32 N×D, zero where the face was not acquired; acquired: bool N.
    """

    keys: tuple[str, ...]
    vectors: NDArray[np.float32]
    acquired: NDArray[np.bool_]


def joined(parts: Iterable[Embeddings]) -> Embeddings:
    """Parts as one, in their order; one without any acquired face does not know the dimension."""
    found = list(parts)
    keys = tuple(key for part in found for key in part.keys)
    acquired = np.concatenate([part.acquired for part in found] or [np.zeros(0, np.bool_)])
    dimension = max((part.vectors.shape[1] for part in found), default=0)
    vectors = np.zeros((len(keys), dimension), dtype=np.float32)
    start = 0
    for part in found:
        if part.acquired.any():
            vectors[start : start + len(part.keys)] = part.vectors
        start += len(part.keys)
    return Embeddings(keys, vectors, acquired)


@dataclass
class ExtractionProfile:
    """Seconds of wall time, added up over the extractions it was given to, and numbers of faces.

    network: in the model; waiting: for faces from the disk; store: the embedding store and its
    fingerprint; total: all of it. embedded: faces that went through the model; from_store: faces
    whose embedding (or failure to acquire) was known; failed: faces not acquired.
    """

    network: float = 0.0
    waiting: float = 0.0
    store: float = 0.0
    total: float = 0.0
    embedded: int = 0
    from_store: int = 0
    failed: int = 0

    @property
    def network_share(self) -> float:
        """The network's share of the wall time, 0 to 1 (0 where nothing ran)."""
        return self.network / self.total if self.total else 0.0

    @property
    def faces_per_second(self) -> float:
        """Faces through the model per second of wall time (0 where nothing ran)."""
        return self.embedded / self.total if self.total else 0.0

    def add(self, other: ExtractionProfile) -> None:
        """Add another extraction's seconds and numbers to this one's."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @contextmanager
    def timed(self, part: Literal["network", "waiting", "store", "total"]) -> Iterator[None]:
        """Add the time spent inside to one of the four sums."""
        start = perf_counter()
        try:
            yield
        finally:
            setattr(self, part, getattr(self, part) + perf_counter() - start)

    def __str__(self) -> str:
        return (
            f"{self.total:.2f} s: network {self.network:.2f} s ({self.network_share:.1%}), "
            f"waiting for faces {self.waiting:.2f} s, store {self.store:.2f} s; "
            f"{self.embedded:,} faces embedded ({self.faces_per_second:,.0f} per second), "
            f"{self.from_store:,} from the store"
        )
