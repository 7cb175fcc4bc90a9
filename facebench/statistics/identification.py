"""Identification: DIR at FAR of an open set, rank and CMC of a closed one.

FAR of an identification is FPIR: the share of *searches* of people who are not in the gallery that
return anybody, not the share of non-mated scores (PROTOCOLS.md, LFW identification). It is reached
at a threshold on the best score of each such search. Seen so, DIR at FAR is TAR at FAR of a list
with one row per probe: the own score of a mated probe whose identity is ranked first (within
`rank`), -inf of one whose identity is not, and the best score of a non-mated probe. The wrong
candidates of mated probes are no rows of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.statistics.checks import BoolArray, FloatArray
from facebench.statistics.roc import OperatingPoint, tar_at_far
from facebench.statistics.searching import Searches


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
