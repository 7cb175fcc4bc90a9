"""Intervals of identification rates: over the people of the probes, shared by a protocol's draws.

A protocol may draw what is not published several times (which image is the probe); its rates are
means over these draws, and the searches of one person, in whichever draw, may all depend on each
other. So an interval is one for the mean over the protocol's draws, and what it says is how far
that mean depends on which people the data set happens to hold. The gallery is kept as it is.

Sources: those of `facebench.statistics.intervals.dyadic`; where every search has one person it is
the cluster-robust variance (Liang and Zeger 1986).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    IntArray,
    checked_alike,
    checked_flags,
    checked_level,
    checked_scores,
)
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.paired import Difference
from facebench.statistics.rates import (
    PartRate,
    rate_difference,
    rate_interval,
    share_rate,
    tar_rate,
)


@dataclass(frozen=True, eq=False)
class SearchTable:
    """The searches of one draw of a protocol.

    scores: float[n], `facebench.statistics.searches.search_scores` at rank 1; mated: bool[n];
    subjects: int[n], the probe's person; ranks: int[n], `ranks_of`, None: only of scores above -inf
    it is known, that they are of the first.
    """

    scores: AnyFloatArray
    mated: BoolArray
    subjects: IntArray
    ranks: NDArray[np.integer] | None = None

    def found(self, rank: int) -> BoolArray:
        """bool[n]: mated probes found within a rank, whatever their score."""
        if self.ranks is not None:
            return self.mated & (self.ranks > 0) & (self.ranks <= rank)
        if rank != 1:
            raise ValueError(f"a table without ranks cannot give the rate at rank {rank}")
        return self.mated & (self.scores > -np.inf)


def dir_key(target: float) -> str:
    """The name of DIR at a FAR: dir_key(0.01) is "DIR@FAR=0.01"."""
    return f"DIR@FAR={float(target)!r}"


def rank_key(rank: int) -> str:
    """The name of the identification rate at a rank: rank_key(1) is "rank-1"."""
    return f"rank-{rank}"


def search_intervals(
    tables: Sequence[SearchTable],
    fars: Sequence[float],
    ranks: Sequence[int],
    *,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Intervals of the mean over tables of DIR at every FAR and of every rank's rate.

    Keys: `dir_key`, `rank_key`. ValueError: no mated probes, or no non-mated ones where fars are
    asked for; level outside (0, 1).
    """
    where = "search_intervals"
    checked_level(level, where)
    tables = [_checked(table, bool(fars), where) for table in tables]
    sharing, searched = _sharing(tables)
    rates = {dir_key(far): dir_rate(tables, far) for far in fars}
    rates |= {rank_key(rank): rank_rate(tables, rank) for rank in ranks}
    return {key: rate_interval(rate, sharing, searched, level) for key, rate in rates.items()}


def paired_search_difference(
    baseline: Sequence[SearchTable],
    candidate: Sequence[SearchTable],
    far: float | None,
    *,
    rank: int = 1,
    level: float = 0.95,
) -> Difference:
    """Difference of a rate, candidate minus baseline, with its interval over people.

    far: of DIR at rank 1, the error of every threshold included, or None for the rate at ``rank``.
    ValueError: tables of other searches (their number, people or kinds differ); else as
    `search_intervals`.
    """
    where = "paired_search_difference"
    checked_level(level, where)
    said = f"{where}: the two models did not make the same searches"
    checked_alike(baseline, candidate, ("mated", "subjects"), said)
    both = [[_checked(t, far is not None, where) for t in model] for model in (baseline, candidate)]
    sharing, searched = _sharing(baseline)
    one, other = (
        rank_rate(tables, rank) if far is None else dir_rate(tables, far) for tables in both
    )
    return rate_difference(one, other, sharing, searched, level)


def dir_rate(tables: Sequence[SearchTable], far: float) -> PartRate:
    """The mean over tables of DIR at a FAR: TAR at it of one row per search."""
    parts = [Sharing.of_one_person(table.subjects) for table in tables]
    return tar_rate([t.scores for t in tables], [t.mated for t in tables], far, parts)


def rank_rate(tables: Sequence[SearchTable], rank: int) -> PartRate:
    """The mean over tables of the share of mated searches that find their person within a rank;
    non-mated searches have no influence.
    """
    mated = np.concatenate([table.mated for table in tables])
    parts = np.repeat(np.arange(len(tables)), [table.mated.size for table in tables])
    found = np.concatenate([table.found(rank) for table in tables])
    rate = share_rate(found[mated], parts[mated])
    influence, right = np.zeros(mated.size), np.zeros(mated.size)
    influence[mated], right[mated] = rate.influence, rate.right
    return PartRate(rate.value, influence, right, rate.mated)


def _sharing(tables: Sequence[SearchTable]) -> tuple[Sharing, int]:
    """Of all searches, and how many people the mated ones are of."""
    searched = np.unique(np.concatenate([table.subjects[table.mated] for table in tables])).size
    return Sharing.of_one_person(np.concatenate([t.subjects for t in tables])), searched


def _checked(table: SearchTable, both_kinds: bool, where: str) -> SearchTable:
    scores = checked_scores(table.scores, where)
    mated = checked_flags(table.mated, scores.size, "mated", where)
    if np.asarray(table.subjects).shape != (scores.size,):
        raise ValueError(f"{where}: subjects must name one person per search, {scores.size}")
    if not mated.any() or (both_kinds and mated.all()):
        kinds = "mated and non-mated" if both_kinds else "mated"
        raise ValueError(f"{where}: there must be {kinds} probes")
    return table
