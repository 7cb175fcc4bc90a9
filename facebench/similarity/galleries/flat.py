"""Candidates by FAISS `IndexFlatIP`, decided on the exact grid: the bits of every other walk."""

from __future__ import annotations

import numpy as np

from facebench.base.threads import over_cores
from facebench.similarity.candidates import TILE, ProbeBlock, Slab
from facebench.similarity.galleries.index import faiss_for
from facebench.statistics.checks import BoolArray

_LISTED = 64  # of a slab: ranks to 50, and some that tie


class FlatWalk:
    """Lists of `IndexFlatIP`, part by part. A probe whose list does not decide is searched tile by
    tile, from then on. listed: of every part.
    """

    def __init__(self, listed: int = _LISTED) -> None:
        self._listed = listed
        self._faiss = faiss_for("flat")
        self.name = f"FAISS {self._faiss.__version__} IndexFlatIP"
        self._walked: dict[int, BoolArray] = {}

    def __call__(self, blocks: list[ProbeBlock], slab: Slab, workers: int) -> None:
        rows = np.ascontiguousarray(slab.faces.rows[slab.rows])
        index = self._faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)

        def searched(block: ProbeBlock) -> None:
            self._faiss.omp_set_num_threads(1)  # of this thread: others have their own
            walked = self._walked.setdefault(id(block), np.zeros(len(block.person), np.bool_))
            if walked.any():
                with block.part(np.flatnonzero(walked)) as part:
                    part.search(slab, TILE)
            some = np.flatnonzero(~walked)
            if some.size:
                scores, faces = index.search(block.probes.rows[some], min(self._listed, len(rows)))
                with block.part(some) as part:
                    walked[some] = part.listed(slab, faces, scores, TILE)

        list(over_cores(searched, blocks, workers))
