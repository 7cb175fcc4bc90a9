"""Candidates by FAISS `IndexFlatIP`, decided on the exact grid: the bits of every other walk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.base.threads import over_cores
from facebench.similarity.candidates import TILE, ProbeBlock, Slab
from facebench.similarity.galleries.index import faiss_for
from facebench.statistics.checks import BoolArray, IntArray

_FEW = 20  # numbers, or probes of earlier versions; for fewer FAISS multiplies no matrices
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
        open_ = [np.flatnonzero(~self._walked_of(block)) for block in blocks]
        asked = [block.probes.rows[some] for block, some in zip(blocks, open_, strict=True)]
        ends = np.cumsum([0, *map(len, asked)])
        scores, faces = self._lists(slab, np.concatenate(asked), workers)

        def decided(number: int) -> None:
            block, some = blocks[number], open_[number]
            walked = self._walked_of(block)
            if walked.any():
                with block.part(np.flatnonzero(walked)) as part:
                    part.search(slab, TILE)
            if some.size:
                mine = slice(ends[number], ends[number + 1])
                with block.part(some) as part:
                    walked[some] = part.listed(slab, faces[mine], scores[mine], TILE)

        list(over_cores(decided, range(len(blocks)), workers))

    def _walked_of(self, block: ProbeBlock) -> BoolArray:
        return self._walked.setdefault(id(block), np.zeros(len(block.person), np.bool_))

    def _lists(
        self, slab: Slab, asked: NDArray[np.floating], workers: int
    ) -> tuple[NDArray[np.float32], IntArray]:
        """Scores and positions of what scores best with each probe, in one call, since FAISS takes
        six times as long for few probes, where it multiplies no matrices.
        """
        if not len(asked):
            return np.zeros((0, 0), np.float32), np.zeros((0, 0), np.int64)
        faiss = self._faiss
        rows = np.ascontiguousarray(slab.faces.rows[slab.rows])
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        before = faiss.cvar.distance_compute_blas_threshold
        faiss.omp_set_num_threads(workers)
        try:
            faiss.cvar.distance_compute_blas_threshold = _FEW
            scores, faces = index.search(asked, min(self._listed, len(rows)))
        finally:
            faiss.cvar.distance_compute_blas_threshold = before
        return scores, faces
