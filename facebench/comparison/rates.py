"""Rates of two records of the same template comparisons or searches, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facebench.records.scores import ScoreTable
from facebench.records.sections import RateSection
from facebench.statistics.intervals.searches import SearchTable, paired_search_difference
from facebench.statistics.paired import Difference
from facebench.statistics.rates import paired_rate_difference
from facebench.statistics.templates import (
    FIXED,
    SplitScores,
    paired_tar_differences,
    tar_over_splits,
)

_ROUNDING = 1e-6


def tar_differences(
    rates: Sequence[tuple[RateSection, RateSection]],
    one: ScoreTable,
    other: ScoreTable,
    *,
    level: float = 0.95,
) -> list[Difference | None]:
    """Differences in TAR of (base's rate, candidate's rate), over people.

    The errors of both thresholds are in them. Where only the mated comparisons say who
    is in them, those that the records name are held fixed, which is too narrow; the interval's kind
    then says so. None: the scores do not give the rates, or nobody knows whose they are.
    ValueError: as `paired_tar_differences`.
    """
    if not rates:
        return []
    if one.left_subjects is None:
        return [None] * len(rates)
    targets = [base.target for base, _ in rates]
    base_splits, other_splits = _splits(one), _splits(other)
    told = one.right_subjects is not None and all(
        np.allclose(found.mean, rate.value, atol=_ROUNDING)
        for splits, number in ((base_splits, 0), (other_splits, 1))
        for found, rate in zip(
            tar_over_splits(splits, targets), (pair[number] for pair in rates), strict=True
        )
    )
    if told:
        return [*paired_tar_differences(base_splits, other_splits, targets, level=level)]
    return [_held_fixed(pair, one, other, level) for pair in rates]


def search_difference(
    far: float | None,
    one: ScoreTable,
    other: ScoreTable,
    *,
    rank: int = 1,
    first: bool = True,
    level: float = 0.95,
) -> Difference | None:
    """Difference in DIR or TPIR at a FAR; far None: in the rate at a rank.

    None: a rank beyond the first, and scores that keep no ranks. first: the own identity must
    come first, as for DIR and not for TPIR.
    ValueError: as `paired_search_difference`.
    """
    if far is None and rank != 1 and (one.ranks is None or other.ranks is None):
        return None
    tables = (_search_tables(one, first), _search_tables(other, first))
    return paired_search_difference(*tables, far, rank=rank, level=level)


def _held_fixed(
    rates: tuple[RateSection, RateSection],
    one: ScoreTable,
    other: ScoreTable,
    level: float,
) -> Difference | None:
    before, after = (
        _accepted(rate, table) for rate, table in zip(rates, (one, other), strict=True)
    )
    if before is None or after is None or one.left_subjects is None:
        return None
    mated = one.mated
    found = paired_rate_difference(
        before[mated],
        after[mated],
        one.folds[mated],
        one.left_subjects[mated],
        level=level,
    )
    interval = replace(found.interval, kind=f"{found.interval.kind}, {FIXED}")
    return replace(found, interval=interval)


def _accepted(rate: RateSection, table: ScoreTable) -> NDArray[np.bool_] | None:
    """Which comparisons a TAR's thresholds accept; None where they do not give its values."""
    parts, position = np.unique(table.folds, return_inverse=True)
    if len(rate.thresholds) != len(parts):
        return None
    accepted = table.scores >= np.asarray(rate.thresholds)[position]
    shares = [accepted[table.mated & (position == n)].mean() for n in range(len(parts))]
    return accepted if np.allclose(shares, rate.per_part, atol=_ROUNDING) else None


def _splits(table: ScoreTable) -> list[SplitScores]:
    left, right = table.left_subjects, table.right_subjects
    return [
        SplitScores(
            table.scores[rows],
            table.mated[rows],
            None if left is None else left[rows],
            None if right is None else right[rows],
        )
        for rows in _rows(table)
    ]


def _search_tables(table: ScoreTable, first: bool) -> list[SearchTable]:
    """A table a part; first: a mated search finds its own identity only where that came first."""
    if table.left_subjects is None:
        raise ValueError("the searches do not say whose probes they are")
    scores, ranks, came_first = table.scores, table.ranks, table.came_first
    if first and came_first is not None:
        scores = np.where(table.mated & ~came_first, -np.inf, scores)
    return [
        SearchTable(
            scores[rows],
            table.mated[rows],
            table.left_subjects[rows],
            None if ranks is None else ranks[rows],
        )
        for rows in _rows(table)
    ]


def _rows(table: ScoreTable) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(table.folds == part) for part in np.unique(table.folds)]
