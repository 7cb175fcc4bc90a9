"""Identification: DIR at FAR of an open set, rank and CMC of a closed one.

FAR of an identification is FPIR: the share of *searches* of people who are not in the gallery that
return anybody, not the share of non-mated scores. It is reached
at a threshold on the best score of each such search. Seen so, DIR at FAR is TAR at FAR of a list
with one row per probe: the own score of a mated probe whose identity is ranked first (within
`rank`), -inf of one whose identity is not, and the best score of a non-mated probe. The wrong
candidates of mated probes are no rows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.base.threads import over_cores
from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    FloatArray,
    IntArray,
    checked_flags,
)
from facebench.statistics.roc import OperatingPoint, tar_at_far


def found_at(searches: Searches, rank: int = 1) -> BoolArray:
    """bool[n]: mated probes whose own identity is within the first `rank` identities.

    A tie with another identity counts against the system; an own score of -inf is never found.
    ValueError: rank below 1.
    """
    if rank < 1:
        raise ValueError(f"found_at: rank is {rank}; ranks are counted from 1")
    return searches.mated & (searches.own > -np.inf) & (searches.ahead < rank)


def ranks_of(searches: Searches) -> NDArray[np.uint32]:
    """uint32[n]: the rank of each probe's own identity, from 1; 0 where it is found at none."""
    found = found_at(searches, searches.identities)
    return np.where(found, searches.ahead + 1, 0).astype(np.uint32)


def search_scores(searches: Searches, rank: int = 1) -> FloatArray:
    """float64[n], one score per probe: at a threshold of at most that, its search finds somebody.

    Mated: the own score where `found_at` the rank, else -inf, since no threshold makes it a
    detection. Non-mated: the best score of anybody. ValueError: rank below 1.
    """
    return np.where(
        searches.mated,
        np.where(found_at(searches, rank), searches.own, -np.inf),
        searches.other,
    )


def dir_at_far(searches: Searches, targets: Sequence[float], rank: int = 1) -> list[OperatingPoint]:
    """Detection and identification rate at each FAR target, one `OperatingPoint` per target.

    The threshold is the lowest observed score at which at most the target share of the non-mated
    probes has any gallery score at or above it; a mated probe counts when its own identity is
    within `rank` and its own score is at or above the threshold. `tar` is the DIR, `far` the FPIR
    reached, `n_mated` and `n_nonmated` count probes; not resolvable where 1 / n_nonmated is above
    the target.
    ValueError: no mated or no non-mated probes, a target outside (0, 1], rank below 1.
    Source: Phillips, Grother, Micheals 2011 (open-set identification); Best-Rowden et al. 2014.
    """
    return tar_at_far(search_scores(searches, rank), searches.mated, targets)


def dir_at_counts(searches: Searches, false_alarms: ArrayLike, rank: int = 1) -> FloatArray:
    """DIR float64[k] where at most false_alarms int[k] non-mated probes find somebody.

    ValueError: as `dir_at_far`, or counts outside 0..n_nonmated.
    """
    counts = np.asarray(false_alarms, dtype=np.int64)
    scores = search_scores(searches, rank)
    genuine, impostor = np.sort(scores[searches.mated]), np.sort(scores[~searches.mated])
    if not genuine.size or not impostor.size:
        raise ValueError("dir_at_counts: there must be mated and non-mated probes")
    if counts.size and (counts.min() < 0 or counts.max() > impostor.size):
        raise ValueError(f"dir_at_counts: counts must lie in 0..{impostor.size}")
    # The best score that must not be accepted; -inf where all may be.
    barrier = np.append(impostor[::-1], -np.inf)[counts]
    accepted = genuine.size - np.searchsorted(genuine, barrier, side="right")
    return np.asarray(accepted / genuine.size)


def curve_counts(n_nonmated: int, points: int = 200) -> np.ndarray:
    """int64[k] ascending: numbers of false alarms to draw a DIR curve at, at most about `points`.

    Log-spaced from 1, with every decade of the share; all are exact points of the curve.
    """
    if n_nonmated < 1 or points < 2:
        raise ValueError("curve_counts: needs a non-mated probe and at least 2 points")
    decades = [n_nonmated // 10**d for d in range(len(str(n_nonmated)))]
    spaced = np.floor(np.geomspace(1, n_nonmated, points)).astype(np.int64)
    return np.unique(np.concatenate((decades, spaced)))


def cmc(searches: Searches) -> FloatArray:
    """Cumulative match characteristic float64[identities]: share of mated probes found at rank r.

    Entry r - 1 is the share of mated probes whose own identity is within rank r; probes that were
    not acquired are in the denominator, so the last entry is below 1 where there are any. Ranks
    count identities, ties against the system. ValueError: no mated probes.
    """
    n_mated = int(np.count_nonzero(searches.mated))
    if not n_mated:
        raise ValueError("cmc: none of the probes is of a person in the gallery")
    ahead = searches.ahead[searches.mated & (searches.own > -np.inf)]
    counts = np.bincount(ahead, minlength=searches.identities)[: searches.identities]
    return np.asarray(np.cumsum(counts) / n_mated)


def curve_ranks(identities: int, points: int = 200) -> np.ndarray:
    """int64[k] ascending: ranks to draw a CMC at, all of the first 50 and log-spaced ones after."""
    spaced = np.floor(np.geomspace(1, identities, points)).astype(np.int64)
    return np.unique(np.concatenate((np.arange(1, min(50, identities) + 1), spaced)))


# Scores of gallery faces int[g] (rows) and probes int[p] (columns): float[g, p].
ScoreBlock = Callable[[IntArray, IntArray], AnyFloatArray]
BLOCK = 1 << 21  # scores per block: 8 MiB of float32
FACES = 1 << 12  # gallery faces per block, more only where one identity has more


@dataclass(frozen=True, eq=False)
class Searches:
    """What is known of every probe after its search.

    mated: bool[n], whether the probe's person is in the gallery. own: float64[n], the best score of
    its own identity; other: of any other identity; both -inf where nothing was acquired.
    ahead: int64[n], the other identities at or above the own score; all of the gallery's where the
    own score is -inf, so that the own identity is found at no rank. identities: in the gallery.
    """

    mated: BoolArray
    own: FloatArray
    other: FloatArray
    ahead: IntArray
    identities: int

    def __len__(self) -> int:
        return len(self.mated)


@dataclass(frozen=True, eq=False)
class _Block:
    """Gallery faces of whole identities. rows: int[g]; starts: int[i], where each identity begins;
    first, last: its identities are first..last-1 of those with an acquired face.
    """

    rows: IntArray
    starts: IntArray
    first: int
    last: int


def search(
    score: ScoreBlock,
    gallery: ArrayLike,
    probes: ArrayLike,
    *,
    gallery_acquired: ArrayLike | None = None,
    probes_acquired: ArrayLike | None = None,
    block: int = BLOCK,
) -> Searches:
    """Search every probe in the gallery.

    score: gives the scores of a block (`ScoreBlock`); higher is more alike. gallery: int[G],
    probes: int[P], numbers of the people. gallery_acquired: bool[G], False for faces that match
    nobody; probes_acquired: bool[P], False for probes that find nobody. block: most scores held at
    once; a block has whole identities, so one with more faces than that makes a larger one.

    A probe's own score is found first, in the few blocks that hold its identity, then the others
    are counted against it. ValueError: no gallery, shapes that differ, NaN or +inf in the scores.
    """
    faces, people = np.asarray(gallery), np.asarray(probes)
    if faces.ndim != 1 or people.ndim != 1 or not faces.size:
        raise ValueError(
            "search: gallery and probes are lists of people's numbers, the gallery not empty; "
            f"got shapes {faces.shape} and {people.shape}"
        )
    names, identity = np.unique(faces, return_inverse=True)
    there = _flags(gallery_acquired, faces.size, "gallery_acquired")
    blocks = _blocks(identity, there, min(FACES, max(1, block)))
    present = np.unique(names[identity[there]])
    mated = np.isin(people, names)
    found = Searches(
        mated=mated,
        own=np.full(people.size, -np.inf),
        other=np.full(people.size, -np.inf),
        ahead=np.full(people.size, names.size, dtype=np.int64),
        identities=int(names.size),
    )
    position = _positions(present, people)
    acquired = np.flatnonzero(_flags(probes_acquired, people.size, "probes_acquired"))
    order = acquired[np.argsort(position[acquired], kind="stable")]
    widest = max((b.rows.size for b in blocks), default=1)
    step = max(1, block // widest)
    parts = [order[start : start + step] for start in range(0, order.size if blocks else 0, step)]

    def searched(part: IntArray) -> None:
        _search_block(score, blocks, part, position[part], found)

    list(over_cores(searched, parts))  # each fills in its own probes
    if not (found.own < np.inf).all() or not (found.other < np.inf).all():
        raise ValueError("search: scores has NaN or +inf; scores are finite or -inf")
    return found


def _search_block(
    score: ScoreBlock, blocks: list[_Block], probes: IntArray, position: IntArray, found: Searches
) -> None:
    """Fill in the results of some probes, sorted by the position of their own identity (or -1)."""
    own, last, kept = _own_scores(score, blocks, probes, position)
    first_mated = int(np.searchsorted(position, 0))
    ahead = np.zeros(probes.size - first_mated, dtype=np.int64)
    other = np.full(probes.size, -np.inf)
    for number in sorted(range(len(blocks)), key=lambda number: number != last):
        block = blocks[number]
        best = kept if kept is not None else _bests(score, block, probes)
        kept = None
        best[_own_cells(position, block)] = -np.inf
        np.maximum(other, best.max(axis=0), out=other)
        if own is not None:
            ahead += np.count_nonzero(best[:, first_mated:] >= own[first_mated:], axis=0)
    found.other[probes] = other
    if own is not None:
        found.own[probes] = own
        hit = own[first_mated:] > -np.inf
        found.ahead[probes[first_mated:][hit]] = ahead[hit]


def _own_scores(
    score: ScoreBlock, blocks: list[_Block], probes: IntArray, position: IntArray
) -> tuple[AnyFloatArray | None, int, AnyFloatArray | None]:
    """(own scores, the last block that gave any, its best scores), or (None, -1, None): nobody.

    Own scores come from the same products as those that they are compared with. Copies of one image
    in two blocks tie where ``score`` gives equal pairs equal scores in all blocks, as `score_block`
    in facebench/similarity/base.py does; a plain float32 product does not.
    """
    own, last, best = None, -1, None
    for number, block in enumerate(blocks):
        rows, columns = _own_cells(position, block)
        if rows.size:
            last, best = number, _bests(score, block, probes)
            if own is None:
                own = np.full(probes.size, -np.inf, dtype=best.dtype)
            own[columns] = best[rows, columns]
    return own, last, best


def _own_cells(position: IntArray, block: _Block) -> tuple[IntArray, IntArray]:
    """Rows and columns, in the block's best scores, of the probes' own identities."""
    start, stop = np.searchsorted(position, (block.first, block.last))
    columns = np.arange(start, stop)
    return position[columns] - block.first, columns


def _bests(score: ScoreBlock, block: _Block, probes: IntArray) -> AnyFloatArray:
    """float[i, p]: the best score of every identity of the block."""
    scores = score(block.rows, probes)
    if scores.shape != (block.rows.size, probes.size):
        raise ValueError(
            f"search: score gave shape {scores.shape} for {block.rows.size} gallery faces and "
            f"{probes.size} probes"
        )
    # Whole rows at a time: many times faster here than np.maximum.reduceat along either axis.
    best = scores[block.starts]
    ends = np.append(block.starts[1:], block.rows.size)
    for i in np.flatnonzero(ends - block.starts > 1).tolist():
        np.maximum.reduce(scores[block.starts[i] : ends[i]], axis=0, out=best[i])
    return best


def _blocks(identity: IntArray, there: BoolArray, faces: int) -> list[_Block]:
    """The acquired gallery faces, sorted by identity and cut between identities."""
    rows = np.flatnonzero(there)
    rows = rows[np.argsort(identity[rows], kind="stable")]
    if not rows.size:
        return []
    starts = np.flatnonzero(np.diff(identity[rows], prepend=-1))
    ends = np.append(starts[1:], rows.size)
    blocks, first = [], 0
    while first < starts.size:
        last = int(np.searchsorted(ends, starts[first] + faces, side="right"))
        last = max(last, first + 1)
        chosen = rows[starts[first] : ends[last - 1]]
        blocks.append(_Block(chosen, starts[first:last] - starts[first], first, last))
        first = last
    return blocks


def _positions(names: IntArray, people: IntArray) -> IntArray:
    """int64[n]: where each person is among the sorted names, -1 where not."""
    if not names.size:
        return np.full(people.size, -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(names, people), names.size - 1)
    return np.where(names[at] == people, at, -1).astype(np.int64)


def _flags(flags: ArrayLike | None, n: int, name: str) -> BoolArray:
    if flags is None:
        return np.ones(n, dtype=np.bool_)
    return checked_flags(flags, n, name, "search")
