"""Searches by an approximate index, and how many faces it misses of those nearest a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.similarity.base import Projection, exact_pairs
from facebench.similarity.candidates import nothing_found
from facebench.similarity.galleries.index import GalleryIndex, faiss_for
from facebench.similarity.rounding import margins, norms_of
from facebench.statistics.checks import BoolArray, IntArray
from facebench.statistics.searches import Searches

SAMPLE = 200  # probes that are also searched exactly
_PER_LIST = 64  # faces that each list of ivf is learned from
_TILE = 1 << 13
_PROBES = 1 << 12


@dataclass(frozen=True)
class Recall:
    """What an index returned of the nearest faces of some probes. index: as records say it;
    probes: how many; depth: faces of each; first: share whose nearest face was returned; all: share
    of the nearest ``depth`` faces of each.
    """

    index: str
    probes: int
    depth: int
    first: float
    all: float


class ApproximateSearch:
    """As `facebench.similarity.galleries.walk.GallerySearch`, but only among the ``depth`` faces
    that an index returns for each probe, which are scored exactly. A person who is not among them
    is found at no rank. The index holds all of the gallery.
    """

    def __init__(
        self,
        probes: Projection,
        people: IntArray,
        identities: int,
        acquired: BoolArray,
        *,
        index: GalleryIndex,
        depth: int,
    ) -> None:
        self._faiss = faiss_for(index.name)
        self.probes, self.people, self.identities = probes, people, identities
        self.index, self.depth = index, depth
        self.there = np.flatnonzero(acquired)
        at = np.linspace(0, len(self.there), min(SAMPLE, len(self.there)), endpoint=False)
        self._sample = self.there[at.astype(np.int64)]
        self._nearest = np.full((len(self._sample), depth), -np.inf, dtype=np.float32)
        self._owners: list[IntArray] = []
        self._waiting: list[NDArray[np.float32]] = []
        self._index: Any = None
        self._norm = 0.0

    def enrol(self, faces: Projection, owners: IntArray, acquired: BoolArray | None = None) -> None:
        """Nothing: an index knows no own scores beforehand."""

    def add(self, faces: Projection, owners: IntArray, acquired: BoolArray | None = None) -> None:
        """Put a part of the gallery into the index, and look for the sample in it."""
        if faces.bias.any():
            raise UserError(
                f"--index {self.index.name} searches by inner products, and this similarity adds "
                "a number for each face; leave it out, or choose --similarity cosine"
            )
        rows = faces.rows if acquired is None else faces.rows[acquired]
        if not len(rows):
            return
        self._norm = max(self._norm, float(norms_of(Projection(rows, faces.bias)).max()))
        self._owners.append(owners if acquired is None else owners[acquired])
        asked = self.probes.rows[self._sample]
        for start in range(0, len(rows), _TILE):
            scores = np.concatenate([self._nearest, asked @ rows[start : start + _TILE].T], axis=1)
            self._nearest = -np.partition(-scores, self.depth - 1, axis=1)[:, : self.depth]
        self._put(np.ascontiguousarray(rows, dtype=np.float32))

    def _put(self, rows: NDArray[np.float32], last: bool = False) -> None:
        """Rows wait until the lists of ivf can be learned of them."""
        faiss, width = self._faiss, self.probes.rows.shape[1]
        if self._index is None:
            self._waiting.append(rows)
            waiting = sum(map(len, self._waiting))
            ivf = self.index.kind == "ivf"
            if ivf and waiting < _PER_LIST * self.index.number and not last:
                return
            rows = np.concatenate(self._waiting)
            self._waiting.clear()
            if ivf and len(rows) < self.index.number:
                raise UserError(
                    f"--index {self.index.name} has more lists than the {len(rows):,} faces of the "
                    "gallery; choose fewer"
                )
            self._index = self._made(faiss, width, rows)
        faiss.omp_set_num_threads(1)  # links depend on who comes first
        self._index.add(rows)

    def _made(self, faiss: Any, width: int, rows: NDArray[np.float32]) -> Any:
        looks = self.index.looks(self.depth)
        if self.index.kind == "hnsw":
            made = faiss.IndexHNSWFlat(width, self.index.number, faiss.METRIC_INNER_PRODUCT)
            made.hnsw.efSearch = looks
            return made
        self._quantiser = faiss.IndexFlatIP(width)  # FAISS keeps no reference
        made = faiss.IndexIVFFlat(
            self._quantiser, width, self.index.number, faiss.METRIC_INNER_PRODUCT
        )
        made.cp.min_points_per_centroid = 1
        made.train(rows)
        made.nprobe = looks
        return made

    def searches(self) -> Searches:
        """What was found."""
        found = nothing_found(self.people >= 0, self.identities)
        if not self._owners:
            return found
        if self._index is None:
            self._put(self._waiting.pop(), last=True)
        if self.index.kind == "ivf":
            self._index.make_direct_map()
        owners = np.concatenate(self._owners)
        for start in range(0, len(self.there), _PROBES):
            self._search(self.there[start : start + _PROBES], owners, found)
        return found

    def _returned(self, probes: IntArray) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
        """(positions among probes, faces, exact scores) of all that the index returns."""
        asked = np.ascontiguousarray(self.probes.rows[probes])
        _, faces = self._index.search(asked, self.depth)
        place, column = np.nonzero(faces >= 0)
        faces = faces[place, column]
        known, at = np.unique(faces, return_inverse=True)
        rows = self._index.reconstruct_batch(known)
        gallery = Projection(rows, np.zeros(len(rows)))
        return place, faces, exact_pairs(gallery, at, self.probes, probes[place])

    def _search(self, probes: IntArray, owners: IntArray, found: Searches) -> None:
        place, faces, scores = self._returned(probes)
        pairs, at = np.unique(place * self.identities + owners[faces], return_inverse=True)
        best = np.full(len(pairs), -np.inf, dtype=np.float32)
        np.maximum.at(best, at, scores)
        place, identity = np.divmod(pairs, self.identities)
        mine = identity == self.people[probes[place]]
        found.own[probes[place[mine]]] = best[mine]
        np.maximum.at(found.other, probes[place[~mine]], best[~mine])
        ahead = np.zeros(len(probes), dtype=np.int64)
        np.add.at(ahead, place[~mine], best[~mine] >= found.own[probes[place[~mine]]])
        own = found.own[probes] > -np.inf
        found.ahead[probes[own]] = ahead[own]

    def recall(self) -> Recall:
        """Of the sample, after `searches`. Faces that tie in float32 stand in for one another."""
        name = self.index.recorded(self.depth)
        if not len(self._sample) or not self._owners:
            return Recall(name, 0, self.depth, 0.0, 0.0)
        lengths = norms_of(self.probes[self._sample])
        margin = margins(self.probes.rows.shape[1], self._norm * lengths)
        there = np.sort(self._nearest, axis=1)[:, ::-1]
        place, _, scores = self._returned(self._sample)
        counts = np.count_nonzero(there > -np.inf, axis=1)
        last = there[np.arange(len(there)), counts - 1] - margin
        right = np.bincount(place[scores >= last[place]], minlength=len(there))
        first = np.zeros(len(there), dtype=np.bool_)
        first[place[scores >= (there[:, 0] - margin)[place]]] = True
        share = np.minimum(right, counts) / counts
        return Recall(name, len(there), self.depth, float(first.mean()), float(share.mean()))
