"""A search in a gallery that comes part by part, so that no more of it is in memory than one part.

Probes and their people's gallery faces are known first; then every part of the gallery is walked
once, by all probes. The result has the bits of `facebench.statistics.searches.search` over all of
the gallery at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from facebench.base.threads import cores, over_cores
from facebench.similarity.base import Projection
from facebench.similarity.candidates import PROBES, TILE, ProbeBlock, Slab, nothing_found
from facebench.similarity.rounding import OVERFLOW, margins, norms_of
from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.searches import Searches


class Walker(Protocol):
    """What searches probes in a slab. name: as runs say it."""

    name: str

    def __call__(self, blocks: list[ProbeBlock], slab: Slab, workers: int) -> None:
        """Go on with all blocks over a slab whose scores float32 can hold, without bias."""


class FloatWalk:
    """Products of float32 matrices, tile by tile, on all cores."""

    name = "float32 products (NumPy)"

    def __call__(self, blocks: list[ProbeBlock], slab: Slab, workers: int) -> None:
        list(over_cores(lambda block: block.search(slab, TILE), blocks, workers))


@dataclass(eq=False)
class GallerySearch:
    """Probes that are searched in a gallery part by part.

    probes: float32 rows; people: int64 P, the number of each one's identity in the gallery, -1 of
    whom it does not hold; identities: how many it holds; acquired: bool P. First `enrol` every
    gallery face of the probes' people, then `add` all of the gallery. Memory: the probes, and what
    each has found; of a gallery only what the caller holds.
    """

    probes: Projection
    people: IntArray
    identities: int
    acquired: BoolArray | None = None
    walker: Walker = field(default_factory=FloatWalk)
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.probes.rows.dtype != np.float32:
            raise ValueError(f"GallerySearch: rows are float32, not {self.probes.rows.dtype}")
        count = cores() if self.workers is None else self.workers
        self._count, self._norm = count, 0.0
        lengths = norms_of(self.probes)
        there = np.arange(len(self.people)) if self.acquired is None else self.acquired.nonzero()[0]
        order = there[np.argsort(self.people[there], kind="stable")]
        step = max(1, min(PROBES, -(-order.size // (2 * count))))
        self._parts = [order[start : start + step] for start in range(0, order.size, step)]
        self._lengths = [lengths[part] for part in self._parts]
        self._longest = float(lengths.max(initial=0))
        self._blocks = [
            ProbeBlock(self.probes[part], self.people[part], np.zeros(len(part)))
            for part in self._parts
        ]

    def enrol(self, faces: Projection, owners: IntArray, acquired: BoolArray | None = None) -> None:
        """Take the own scores from faces; owners: int64, the number of each one's identity. All
        faces of an identity come at once. Other people's may be among them.
        """
        slab = Slab.of(faces, owners, acquired)
        if slab.rows.size:
            list(over_cores(lambda block: block.enrol(slab), self._blocks, self._count))

    def add(self, faces: Projection, owners: IntArray, acquired: BoolArray | None = None) -> None:
        """Search a part of the gallery, with all faces of its identities; as `enrol`."""
        slab = Slab.of(faces, owners, acquired)
        if not slab.rows.size or not self._blocks:
            return
        self._norm = max(self._norm, float(norms_of(faces)[slab.rows].max()))
        bias = faces.bias.any() or self.probes.bias.any()
        if bias or not self._norm * self._longest < OVERFLOW:
            list(
                over_cores(lambda b: b.search(slab, TILE, exactly=True), self._blocks, self._count)
            )
            return
        for block, lengths in zip(self._blocks, self._lengths, strict=True):
            block.margin = self._margin(lengths)
        self.walker(self._blocks, slab, self._count)

    def _margin(self, lengths: FloatArray) -> FloatArray:
        """By the longest gallery row so far: what was scored before may be nearer than that."""
        return margins(self.probes.rows.shape[1], self._norm * lengths)

    def searches(self) -> Searches:
        """What was found. ValueError: scores that are NaN or infinite."""
        found = nothing_found(self.people >= 0, self.identities)
        for block, part in zip(self._blocks, self._parts, strict=True):
            block.fill(found, part)
        if not (found.own < np.inf).all() or not (found.other < np.inf).all():
            raise ValueError("search: scores has NaN or +inf; scores are finite or -inf")
        return found
