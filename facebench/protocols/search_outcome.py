"""From searches to the rates, curves and decisions of an identification outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facebench.protocols.cards import IdentificationCard
from facebench.protocols.outcome import Decided, Rate, Series
from facebench.statistics.identification import (
    cmc,
    curve_counts,
    curve_ranks,
    dir_at_counts,
    dir_at_far,
    found_at,
)
from facebench.statistics.intervals import Interval
from facebench.statistics.rates import most_frequent, over_people
from facebench.statistics.roc import OperatingPoint
from facebench.statistics.search_intervals import (
    SearchTable,
    dir_key,
    rank_key,
    search_intervals,
)
from facebench.statistics.searching import Searches


def search_rates(
    card: IdentificationCard,
    found: Sequence[Searches],
    tables: Sequence[SearchTable],
) -> tuple[Rate, ...]:
    """DIR at every FAR of an open set, then the rates at the card's ranks; means over the draws.

    found, tables: of every draw. ValueError: probes of one kind only.
    """
    fars = card.fars if card.task == "open" else ()
    intervals = search_intervals(tables, fars, card.ranks)
    points = [dir_at_far(searches, fars) for searches in found] if fars else []
    rates = []
    for number, far in enumerate(fars):
        of_far = [point[number] for point in points]
        hits = [t.scores >= p.threshold for t, p in zip(tables, of_far, strict=True)]
        rate = _detection(of_far, intervals.get(dir_key(far)))
        rates.append(replace(rate, over_people=searched_people(tables, hits)))
    for rank in card.ranks:
        shares = [_share(searches, rank) for searches in found]
        rate = _rate("rank", rank, shares, intervals.get(rank_key(rank)))
        hits = [table.found(rank) for table in tables]
        rates.append(replace(rate, over_people=searched_people(tables, hits)))
    return tuple(rates)


def searched_people(tables: Sequence[SearchTable], hits: Sequence[NDArray[np.bool_]]) -> float:
    """The mean over tables of the rate over people; hits: bool[n] of all searches of each."""
    mated = [table.mated for table in tables]
    return over_people(
        np.concatenate([hit[own] for hit, own in zip(hits, mated, strict=True)]),
        np.repeat(np.arange(len(tables)), [np.count_nonzero(own) for own in mated]),
        np.concatenate([t.subjects[own] for t, own in zip(tables, mated, strict=True)]),
    )


def most_searched(table: SearchTable) -> int:
    """How many mated searches of a draw are of one person, at most."""
    own = table.subjects[table.mated]
    return round(most_frequent(own)[1] * own.size)


def _detection(points: Sequence[OperatingPoint], interval: Interval | None) -> Rate:
    """DIR at one FAR; a point per draw."""
    return replace(
        _rate("DIR", points[0].target, [point.tar for point in points], interval),
        reached=tuple(point.far for point in points),
        thresholds=tuple(point.threshold for point in points),
        resolvable=all(point.resolvable for point in points),
    )


def _rate(name: str, target: float, values: Sequence[float], interval: Interval | None) -> Rate:
    """The mean over draws; one draw alone has no spread."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Rate(
        name=name,
        target=target,
        value=float(np.mean(values)),
        spread=spread,
        spread_kind="standard deviation",
        per_part=tuple(values),
        interval=interval,
    )


def search_series(card: IdentificationCard, found: Sequence[Searches]) -> tuple[Series, ...]:
    """CMC, and for an open set DIR over FAR: means over the draws at the same ranks and FARs.

    FARs are whole numbers of false alarms: y is the DIR at the largest operating point whose FAR is
    at most x.
    """
    ranks = curve_ranks(found[0].identities)
    matched = np.mean([cmc(searches)[ranks - 1] for searches in found], axis=0)
    curves = [Series("CMC", "rank", "identification rate", ranks.astype(np.float64), matched)]
    if card.task == "open":
        n_nonmated = int(np.count_nonzero(~found[0].mated))
        counts = curve_counts(n_nonmated)
        detected = np.mean([dir_at_counts(searches, counts) for searches in found], axis=0)
        name = "detection and identification rate"
        curves.append(Series("DIR", "false alarm rate", name, counts / n_nonmated, detected))
    return tuple(curves)


def searches_decided(
    card: IdentificationCard, headline: Rate, tables: Sequence[SearchTable]
) -> Decided:
    """All searches, draw after draw; decisions at the headline's thresholds, or at rank 1.

    scores: of mated probes the own score where their identity is ranked first, else -inf; ranks are
    kept where others than the first are reported.
    """
    decisions = []
    for number, table in enumerate(tables):
        if headline.thresholds:
            decisions.append(table.scores >= headline.thresholds[number])
        else:
            decisions.append(table.found(int(headline.target)))
    return Decided(
        scores=np.concatenate([table.scores for table in tables]),
        decisions=np.concatenate(decisions),
        mated=np.concatenate([table.mated for table in tables]),
        parts=np.repeat(np.arange(1, len(tables) + 1), [len(table.mated) for table in tables]),
        left_subjects=np.concatenate([table.subjects for table in tables]),
        ranks=kept_ranks(tables) if max(card.ranks, default=1) > 1 else None,
    )


def kept_ranks(tables: Sequence[SearchTable]) -> NDArray[np.uint32]:
    """uint32[n] of all searches, table after table."""
    ranks = [table.ranks for table in tables if table.ranks is not None]
    return np.concatenate(ranks).astype(np.uint32)


def _share(searches: Searches, rank: int) -> float:
    return int(found_at(searches, rank).sum()) / int(searches.mated.sum())
