"""Searches in float32 whose results are those of the exact grid, to the bit.

A product of float32 matrices is fast and not exact: its sums depend on their order. But how far it
can be from the exact score is known, so it tells which of the gallery may decide: who may be the
best, and who may be ahead of a probe's own person. Those few are scored again on the exact grid of
`facebench.similarity.base.score_block`; all others are surely below or surely above.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.base.threads import cores, over_cores
from facebench.similarity.base import Projection, exact_pairs, score_block
from facebench.similarity.rounding import OVERFLOW, margins, norms_of
from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.searches import Searches, search

TILE, PROBES = 2048, 512  # gallery faces and probes of one product: 4 MiB of scores
_MOST_HIT = 1 / 4  # of the mated probes: where more are reached, all are looked at
_DENSE = 1 / 32  # of a tile's cells: where more may decide, the tile is scored exactly


@dataclass(frozen=True, eq=False)
class Slab:
    """Acquired faces of a gallery, identity by identity: all of it, or a part with whole ones.

    rows: int64 g, positions in the projection; starts: int64 I+1, where each identity begins;
    numbers: int64 I, ascending, by which the identities are known.
    """

    faces: Projection
    rows: IntArray
    starts: IntArray
    numbers: IntArray

    @classmethod
    def of(cls, faces: Projection, owners: IntArray, acquired: BoolArray | None = None) -> Slab:
        """The slab of faces in any order, with whom each is of."""
        rows = np.arange(len(faces)) if acquired is None else np.flatnonzero(acquired)
        of = owners[rows]
        if rows.size and (np.diff(of) < 0).any():
            order = np.argsort(of, kind="stable")
            rows, of = rows[order], of[order]
        numbers, starts = np.unique(of, return_index=True)
        return cls(faces, rows, np.append(starts, rows.size).astype(np.int64), numbers)

    def tiles(self, size: int) -> list[tuple[int, int]]:
        """(first, last) identities of pieces of about ``size`` faces."""
        found, first = [], 0
        while first < len(self.starts) - 1:
            last = int(np.searchsorted(self.starts, self.starts[first] + size, side="right")) - 1
            found.append((first, last := max(last, first + 1)))
            first = last
        return found

    def best(self, first: int, last: int, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 i×p: the best score of each of a tile's identities, of those of its faces."""
        starts = self.starts[first:last] - self.starts[first]
        counts = np.diff(self.starts[first : last + 1])
        if len(scores) == len(starts):
            return scores
        found: NDArray[np.float32] = scores[starts]
        for number in range(1, int(counts.max())):  # all second faces, all third ones, and so on
            more = np.flatnonzero(counts > number)
            found[more] = np.maximum(found[more], scores[starts[more] + number])
        return found

    def exact(self, probes: Projection, identity: IntArray, probe: IntArray) -> NDArray[np.float32]:
        """float32 n: the exact best score of each identity with a probe."""
        counts = self.starts[identity + 1] - self.starts[identity]
        best = np.full(len(identity), -np.inf, dtype=np.float32)
        for number in range(int(counts.max(initial=0))):
            more = np.flatnonzero(counts > number)
            faces = self.rows[self.starts[identity[more]] + number]
            scores = exact_pairs(self.faces, faces, probes, probe[more])
            best[more] = np.maximum(best[more], scores)
        return best


@dataclass(eq=False)
class ProbeBlock:
    """Probes that are searched together, those of people in the gallery last.

    person: int64, the number of each one's own identity, ascending, -1 of those without; margin:
    float64, how far a rough score may be from the exact one; own: float32, exact, of the mated
    ones; lower: float32, the best rough score of others so far; other: exact ones so far; ahead:
    identities of mated ones at or above the own score so far.
    """

    probes: Projection
    person: IntArray
    margin: FloatArray
    own: NDArray[np.float32] = field(init=False)
    lower: NDArray[np.float32] = field(init=False)
    other: NDArray[np.float32] = field(init=False)
    ahead: IntArray = field(init=False)
    may_be_best: list[tuple[IntArray, IntArray, NDArray[np.float32]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = len(self.person)
        self.mated = int(np.searchsorted(self.person, 0))
        self.own = np.full(size - self.mated, -np.inf, dtype=np.float32)
        self.lower = np.full(size, -np.inf, dtype=np.float32)
        self.other = np.full(size, -np.inf, dtype=np.float32)
        self.ahead = np.zeros(size - self.mated, dtype=np.int64)

    def enrol(self, slab: Slab) -> None:
        """Take the own scores from the identities of a slab, before any is searched."""
        column, identity = self._own_cells(slab, 0, len(slab.numbers))
        scores = slab.exact(self.probes, identity, column)
        self.own[column - self.mated] = scores

    def search(self, slab: Slab, tile: int, *, exactly: bool = False) -> None:
        """Go on with ``other`` and ``ahead`` over a slab; exactly: without rough scores."""
        self._bound()
        if exactly:
            for first, last in slab.tiles(tile):
                self._exactly(slab, first, last)
            return
        self._roughly(slab, tile)
        self._decide(slab)

    def listed(
        self, slab: Slab, faces: IntArray, scores: NDArray[np.float32], tile: int
    ) -> BoolArray:
        """As `search`, by lists of what scores best: faces int64 p×k, positions among the slab's
        rows, and their rough scores float32 p×k, the best first. Returns bool p, of which lists
        were too short to decide: their probes were searched tile by tile.
        """
        self._bound()
        identity = np.searchsorted(slab.starts, faces, side="right") - 1
        own = slab.numbers[identity] == self.person[:, None]
        others = np.where(own, -np.inf, scores).astype(np.float32)
        lower = np.maximum(self.lower, others.max(axis=1))
        bar = _down(lower - 2 * self.margin)
        short = np.zeros(len(bar), dtype=np.bool_)
        if faces.shape[1] < len(slab.rows):
            short = scores[:, -1] >= bar
            short[self.mated :] |= scores[self.mated :, -1] >= self._low
        if short.any():
            with self.part(np.flatnonzero(short)) as part:
                part.search(slab, tile)
        kept = ~short[:, None]
        self.lower = np.where(short, self.lower, lower)
        probe, place = np.nonzero((others >= bar[:, None]) & kept & (others > -np.inf))
        self.may_be_best.append((identity[probe, place], probe, others[probe, place]))
        mated, place = np.nonzero((others[self.mated :] >= self._low[:, None]) & kept[self.mated :])
        self._count(
            slab, mated, identity[mated + self.mated, place], others[mated + self.mated, place]
        )
        self._decide(slab)
        return short

    def _count(
        self, slab: Slab, mated: IntArray, identity: IntArray, rough: NDArray[np.float32]
    ) -> None:
        """Count identities that may be ahead of mated probes, each once however many its faces."""
        pairs, at = np.unique(mated * len(slab.numbers) + identity, return_inverse=True)
        best = np.full(len(pairs), -np.inf, dtype=np.float32)
        np.maximum.at(best, at, rough)
        mated, identity = np.divmod(pairs, len(slab.numbers))
        unsure = np.flatnonzero(best < self._high[mated])
        ahead = np.ones(len(pairs), dtype=np.bool_)
        exact = slab.exact(self.probes, identity[unsure], mated[unsure] + self.mated)
        ahead[unsure] = exact >= self.own[mated[unsure]]
        np.add.at(self.ahead, mated, ahead)

    @contextmanager
    def part(self, some: IntArray) -> Iterator[ProbeBlock]:
        """Some of the probes, by ascending positions, as a block whose results go back to this."""
        if len(some) == len(self.person):
            yield self
            return
        part = ProbeBlock(self.probes[some], self.person[some], self.margin[some])
        mated = some[part.mated :] - self.mated
        part.own, part.ahead = self.own[mated], self.ahead[mated]
        part.lower, part.other = self.lower[some], self.other[some]
        yield part
        self.lower[some], self.other[some], self.ahead[mated] = part.lower, part.other, part.ahead

    def _bound(self) -> None:
        """The scores from which others may be ahead of mated probes, and surely are."""
        margin = self.margin[self.mated :]
        self._low, self._high = _down(self.own - margin), _up(self.own + margin)

    def _roughly(self, gallery: Slab, tile: int) -> None:
        rows, room = np.ascontiguousarray(self.probes.rows.T), np.zeros(0, dtype=np.float32)
        for first, last in gallery.tiles(tile):
            faces = gallery.rows[gallery.starts[first] : gallery.starts[last]]
            size = len(faces) * len(self.person)
            if room.size < size:
                room = np.empty(size, dtype=np.float32)
            scores = room[:size].reshape(len(faces), -1)
            np.matmul(_rows(gallery.faces, faces), rows, out=scores)
            best = gallery.best(first, last, scores)
            self._without_own(best, gallery, first, last)
            self._take(gallery, best, first)

    def _own_cells(self, slab: Slab, first: int, last: int) -> tuple[IntArray, IntArray]:
        """Of mated probes whose own identity is in a piece of a slab: columns, and identities."""
        numbers = slab.numbers[first:last]
        if not numbers.size:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        start, stop = np.searchsorted(self.person, (numbers[0], numbers[-1] + 1))
        column = np.arange(max(start, self.mated), stop)
        at = np.searchsorted(numbers, self.person[column])
        there = numbers[at] == self.person[column]
        return column[there], at[there] + first

    def _without_own(self, best: NDArray[np.float32], slab: Slab, first: int, last: int) -> None:
        column, identity = self._own_cells(slab, first, last)
        best[identity - first, column] = -np.inf

    def _take(self, gallery: Slab, best: NDArray[np.float32], first: int) -> None:
        highest = best.max(axis=0)
        lower = np.maximum(self.lower, highest)
        bar = _down(lower - 2 * self.margin)
        near = np.flatnonzero((highest >= bar) & (highest > -np.inf))
        of_near = best[:, near] >= bar[near]
        hit = np.flatnonzero(highest[self.mated :] >= self._low)
        if hit.size > _MOST_HIT * len(self._low):
            hit = np.arange(len(self._low))
            reached = best[:, self.mated :]  # no copy
        else:
            reached = best[:, self.mated + hit]
        surely = _counted(reached >= self._high[hit])
        perhaps = _counted(reached >= self._low[hit]) - surely
        if np.count_nonzero(of_near) + perhaps.sum() > _DENSE * best.size:
            self._exactly(gallery, first, first + len(best))
            return
        self.lower = lower
        row, column = np.nonzero(of_near)
        self.may_be_best.append((row + first, near[column], best[row, near[column]]))
        self.ahead[hit] += surely
        open_ = np.flatnonzero(perhaps)
        if not open_.size:
            return
        scores = reached[:, open_]
        probe = hit[open_]
        row, column = np.nonzero((scores >= self._low[probe]) & (scores < self._high[probe]))
        probe = probe[column]
        exact = gallery.exact(self.probes, row + first, probe + self.mated)
        np.add.at(self.ahead, probe[exact >= self.own[probe]], 1)

    def _exactly(self, slab: Slab, first: int, last: int) -> None:
        faces = slab.rows[slab.starts[first] : slab.starts[last]]
        scores = np.asarray(score_block(slab.faces[faces], self.probes), dtype=np.float32)
        best = slab.best(first, last, scores)
        self._without_own(best, slab, first, last)
        np.maximum(self.other, best.max(axis=0), out=self.other)
        self.ahead += np.count_nonzero(best[:, self.mated :] >= self.own, axis=0)

    def fill(self, found: Searches, probes: IntArray) -> None:
        """Write what was found of these probes, which are the block's."""
        found.other[probes] = self.other
        hit = self.own > -np.inf
        mine = probes[self.mated :][hit]
        found.own[mine], found.ahead[mine] = self.own[hit], self.ahead[hit]

    def _decide(self, slab: Slab) -> None:
        """The best of others, exactly, among those of a slab that may be it."""
        if not self.may_be_best:
            return
        identity, probe, rough = map(np.concatenate, zip(*self.may_be_best, strict=True))
        self.may_be_best.clear()
        kept = rough >= _down(self.lower - 2 * self.margin)[probe]
        identity, probe = identity[kept], probe[kept]
        np.maximum.at(self.other, probe, slab.exact(self.probes, identity, probe))


def search_faces(
    gallery: Projection,
    probes: Projection,
    owners: ArrayLike,
    people: ArrayLike,
    *,
    gallery_acquired: BoolArray | None = None,
    probes_acquired: BoolArray | None = None,
    tile: int = TILE,
    block: int = PROBES,
    workers: int | None = None,
) -> Searches:
    """As `facebench.statistics.searches.search` of `score_block`, to the bit, in a fraction of its
    time: every probe in the gallery, by products of float32 matrices.

    owners: int[G], people: int[P], numbers of the people. tile, block: gallery faces and probes
    of one product; workers: threads, by default one a core. Memory: one product for each thread,
    and one copy of a tile. ValueError: as `search`.
    """
    faces, who = np.asarray(owners), np.asarray(people)
    there, asked = _flags(gallery_acquired, faces.size), _flags(probes_acquired, who.size)
    norms, lengths = norms_of(gallery), norms_of(probes)
    plain = gallery.rows.dtype == probes.rows.dtype == np.float32 and faces.ndim == who.ndim == 1
    bias = gallery.bias.any() or probes.bias.any()
    largest = norms[there].max(initial=0) * lengths[asked].max(initial=0)
    if not plain or bias or not faces.size or not there.any() or not largest < OVERFLOW:
        return search(
            lambda g, p: score_block(gallery[g], probes[p]),
            faces,
            who,
            gallery_acquired=there,
            probes_acquired=asked,
        )
    names = np.unique(faces)
    present = np.unique(faces[there])
    slab = Slab.of(gallery, np.searchsorted(present, faces), there)
    found = nothing_found(np.isin(who, names), int(names.size))
    person = _positions(present, who)
    order = np.flatnonzero(asked)
    order = order[np.argsort(person[order], kind="stable")]
    margin = margins(gallery.rows.shape[1], float(norms[there].max()) * lengths)
    count = cores() if workers is None else workers
    step = max(1, min(block, -(-order.size // (2 * count))))

    def searched(part: IntArray) -> None:
        one = ProbeBlock(probes[part], person[part], margin[part])
        one.enrol(slab)
        one.search(slab, tile)
        one.fill(found, part)

    parts = [order[start : start + step] for start in range(0, order.size, step)]
    list(over_cores(searched, parts, workers))  # each fills in its own probes
    return found


def nothing_found(mated: BoolArray, identities: int) -> Searches:
    """Searches that have found nobody yet."""
    return Searches(
        mated=mated,
        own=np.full(mated.size, -np.inf),
        other=np.full(mated.size, -np.inf),
        ahead=np.full(mated.size, identities, dtype=np.int64),
        identities=identities,
    )


def _rows(faces: Projection, chosen: IntArray) -> NDArray[np.floating]:
    first, last = int(chosen[0]), int(chosen[-1])
    if last - first + 1 == len(chosen) and (np.diff(chosen) == 1).all():
        return faces.rows[first : last + 1]
    return faces.rows[chosen]


def _positions(present: IntArray, people: IntArray) -> IntArray:
    """int64[P]: where each person is among those with an acquired face, -1 where not."""
    at = np.minimum(np.searchsorted(present, people), present.size - 1)
    return np.where(present[at] == people, at, -1).astype(np.int64)


def _flags(flags: BoolArray | None, size: int) -> BoolArray:
    return np.ones(size, dtype=np.bool_) if flags is None else np.asarray(flags)


def _counted(flags: BoolArray) -> IntArray:
    """int64 p: how many of each column are true; many times faster than by `np.count_nonzero`."""
    found = np.zeros(flags.shape[1], dtype=np.int64)
    for start in range(0, len(flags), 255):
        part = flags[start : start + 255].view(np.uint8)
        found += np.add.reduce(part, axis=0, dtype=np.uint8)
    return found


def _down(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Not above the values."""
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf))


def _up(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Not below the values."""
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))
