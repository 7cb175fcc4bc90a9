"""Intervals of identification rates: a bootstrap over subjects, shared by a protocol's draws.

A protocol may draw what is not published several times (which image is the probe); its rates are
means over these draws. One bootstrap draw resamples the *people* once, as often as there are: every
search of a person then counts as often as the person came up, the same in all draws of the
protocol, and the rate is computed again in each of them, its threshold too, and averaged. So the
interval is one for the mean over the protocol's draws, and what it says is how far that mean
depends on which people the data set happens to hold. The gallery is kept as it is: the people of
the probes are resampled, not those whom they are searched among.

Sources: Bolle, Ratha, Pankanti 2004 (subsets bootstrap by person); Efron 1979 (percentiles).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    FloatArray,
    IntArray,
    checked_flags,
    checked_level,
    checked_scores,
)
from facebench.statistics.intervals import Interval, percentile_interval
from facebench.statistics.paired import Difference, difference_of_draws
from facebench.statistics.resample import BLOCK, MOST_REDRAWS
from facebench.statistics.weighted import SortedComparisons, WeightedRoc

# Weights int[b, n] of the searches of one draw of the protocol to values float[b] by name.
_OfWeights = Callable[[IntArray], dict[str, FloatArray]]


@dataclass(frozen=True, eq=False)
class SearchTable:
    """The searches of one draw of a protocol.

    scores: float[n], `facebench.statistics.identification.search_scores` at rank 1; mated: bool[n];
    subjects: int[n], the probe's person; hits: {rank: bool[n]}, `found_at` of other ranks.
    """

    scores: AnyFloatArray
    mated: BoolArray
    subjects: IntArray
    hits: Mapping[int, BoolArray] = field(default_factory=dict)

    def found(self, rank: int) -> BoolArray:
        """bool[n]: mated probes found within a rank, whatever their score."""
        if rank in self.hits:
            return self.hits[rank]
        if rank != 1:
            raise ValueError(f"a table without hits at rank {rank} cannot give that rate")
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
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals of the mean over tables of DIR at every FAR and of every rank's rate.

    Keys: `dir_key`, `rank_key`; all from the same resamples. See the module for what is resampled.
    ValueError: no mated probes, or no non-mated ones where fars are asked for; draws below 1; level
    outside (0, 1); people too few to resample.
    """
    where = "search_intervals"
    checked_level(level, where)
    rates = [_rates(_checked(table, bool(fars), where), fars, ranks) for table in tables]
    values = _resampled(tables, rates, bool(fars), draws, rng, where)
    return {key: percentile_interval(found, level, "subjects") for key, found in values.items()}


def paired_search_difference(
    baseline: Sequence[SearchTable],
    candidate: Sequence[SearchTable],
    far: float | None,
    *,
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Difference:
    """Difference of a rate, candidate minus baseline, with its interval over subjects.

    far: of DIR at rank 1, or None for the rank-1 rate. Both models are weighted by the same draws,
    and the threshold of each is found again in every draw and table; where draws do not differ the
    people of the mated probes bound the difference, see `difference_of_draws`.
    ValueError: tables of other searches (their number, people or kinds differ); else as
    `search_intervals`.
    """
    where = "paired_search_difference"
    checked_level(level, where)
    _require_same(baseline, candidate, where)
    fars, ranks = ([], [1]) if far is None else ([far], [])
    key = rank_key(1) if far is None else dir_key(far)
    pairs = [
        tuple(_rates(_checked(table, bool(fars), where), fars, ranks) for table in both)
        for both in zip(baseline, candidate, strict=True)
    ]

    def difference(first: _OfWeights, second: _OfWeights) -> _OfWeights:
        return lambda weights: {key: second(weights)[key] - first(weights)[key]}

    rates = [difference(first, second) for first, second in pairs]
    once = [rate(np.ones((1, len(t.mated)), np.int64))[key][0] for rate, t in _zip(rates, baseline)]
    values = _resampled(baseline, rates, bool(fars), draws, rng, where)[key]
    searched = np.unique(np.concatenate([table.subjects[table.mated] for table in baseline])).size
    return difference_of_draws(float(np.mean(once)), values, level, "subjects", searched)


def _zip(
    rates: Sequence[_OfWeights], tables: Sequence[SearchTable]
) -> Iterator[tuple[_OfWeights, SearchTable]]:
    return zip(rates, tables, strict=True)


def _rates(table: SearchTable, fars: Sequence[float], ranks: Sequence[int]) -> _OfWeights:
    """The rates of one table as functions of weights; what can be sorted once is sorted here."""
    mated = np.flatnonzero(table.mated)
    hits = {rank: np.flatnonzero(table.found(rank)) for rank in ranks}
    ordered = SortedComparisons.of(table.scores, table.mated, "search_intervals") if fars else None

    def of_weights(weights: IntArray) -> dict[str, FloatArray]:
        values: dict[str, FloatArray] = {}
        if ordered is not None:
            curve = WeightedRoc(ordered, weights)
            values |= {dir_key(far): curve.tar_at_far(far) for far in fars}
        total = weights[:, mated].sum(axis=1) if hits else None
        for rank, rows in hits.items():
            values[rank_key(rank)] = np.asarray(weights[:, rows].sum(axis=1) / total)
        return values

    return of_weights


def _resampled(
    tables: Sequence[SearchTable],
    rates: Sequence[_OfWeights],
    both_kinds: bool,
    draws: int,
    rng: np.random.Generator,
    where: str,
) -> dict[str, FloatArray]:
    """float64[draws] by name: the mean over tables in every resample of the people."""
    blocks: list[dict[str, FloatArray]] = []
    for weights in _weights(tables, both_kinds, draws, rng, where):
        values = [rate(part) for rate, part in zip(rates, weights, strict=True)]
        blocks.append({key: np.mean([v[key] for v in values], axis=0) for key in values[0]})
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def _weights(
    tables: Sequence[SearchTable],
    both_kinds: bool,
    draws: int,
    rng: np.random.Generator,
    where: str,
) -> Iterator[list[IntArray]]:
    """Blocks of weights, one int[b, n] per table, `draws` rows in all.

    A resample that leaves a table without mated probes, or non-mated ones where they are needed, is
    drawn again.
    """
    if draws < 1:
        raise ValueError(f"{where}: draws is {draws}; at least 1 is needed")
    names, position = np.unique(np.concatenate([t.subjects for t in tables]), return_inverse=True)
    units = np.split(position, np.cumsum([t.subjects.size for t in tables])[:-1])
    count = names.size
    rows = max(1, BLOCK // max(count, *(unit.size for unit in units)))
    kinds = (True, False) if both_kinds else (True,)
    needed = {
        tuple(np.unique(unit[table.mated == kind]).tolist())
        for table, unit in zip(tables, units, strict=True)
        for kind in kinds
    }
    left, redraws = draws, 0
    while left:
        b = min(rows, left)
        picks = rng.integers(0, count, size=(b, count)) + count * np.arange(b)[:, None]
        drawn = np.bincount(picks.ravel(), minlength=b * count).reshape(b, count)
        usable = np.ones(b, dtype=np.bool_)
        for people in needed:
            usable &= drawn[:, np.array(people)].any(axis=1)
        redraws += int(b - usable.sum())
        if redraws > MOST_REDRAWS * draws:
            raise ValueError(
                f"{where}: most resamples of the {count} people lack a kind of search; they are "
                "too few for a bootstrap, use draws=0"
            )
        drawn = drawn[usable]
        left -= len(drawn)
        if len(drawn):
            yield [np.take(drawn, unit, axis=1) for unit in units]


def _checked(table: SearchTable, both_kinds: bool, where: str) -> SearchTable:
    scores = checked_scores(table.scores, where)
    mated = checked_flags(table.mated, scores.size, "mated", where)
    if np.asarray(table.subjects).shape != (scores.size,):
        raise ValueError(f"{where}: subjects must name one person per search, {scores.size}")
    if not mated.any() or (both_kinds and mated.all()):
        kinds = "mated and non-mated" if both_kinds else "mated"
        raise ValueError(f"{where}: there must be {kinds} probes")
    return table


def _require_same(
    baseline: Sequence[SearchTable], candidate: Sequence[SearchTable], where: str
) -> None:
    same = len(baseline) == len(candidate) and all(
        _equal(a.mated, b.mated) and _equal(a.subjects, b.subjects)
        for a, b in zip(baseline, candidate, strict=True)
    )
    if not same or not baseline:
        raise ValueError(f"{where}: the two models did not make the same searches")


def _equal(a: ArrayLike, b: ArrayLike) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))
