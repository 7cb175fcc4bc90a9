"""``facebench compare``: models against a base, on the same comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facebench.comparison.paired import Paired, corrected, paired_statistics
from facebench.records.comparability import SettingDifference, require_comparable
from facebench.records.record import Record
from facebench.statistics.paired import McNemar, mcnemar_exact


@dataclass(frozen=True)
class Comparison:
    """One candidate against the base.

    changed: comparisons that only one of the two decided rightly, None without scores; worse,
    better: their positions in the protocol's list, from 0, those whose scores moved most first;
    settings: what else their signatures differ in; keys: the faces of every comparison, where they
    are known.
    """

    base: Record
    candidate: Record
    statistics: tuple[Paired, ...]
    changed: McNemar | None
    worse: tuple[int, ...]
    better: tuple[int, ...]
    settings: tuple[SettingDifference, ...]
    keys: tuple[tuple[str, str], ...] | None = None


def compare_records(
    base: Record,
    candidates: Sequence[Record],
    *,
    level: float = 0.95,
) -> list[Comparison]:
    """Every candidate against the base; all are checked before the first is computed.

    Their first statistics are one family of tests, see `corrected`; the others are not judged.
    UserError: `require_comparable`, `paired_statistics`.
    """
    settings = [require_comparable(base, candidate) for candidate in candidates]
    found = [
        _compare(base, candidate, differs, level)
        for candidate, differs in zip(candidates, settings, strict=True)
    ]
    judged = corrected([one.statistics[0] for one in found])
    return [
        replace(one, statistics=(first, *one.statistics[1:]))
        for one, first in zip(found, judged, strict=True)
    ]


def _compare(
    base: Record,
    candidate: Record,
    settings: list[SettingDifference],
    level: float,
) -> Comparison:
    statistics = paired_statistics(base, candidate, level=level)
    one, other = base.table, candidate.table
    changed, worse, better = None, np.array([], np.int64), np.array([], np.int64)
    if one is not None and other is not None and one.has_comparisons_of(other):
        changed = mcnemar_exact(one.correct, other.correct)
        with np.errstate(invalid="ignore"):
            moved = np.abs(other.scores.astype(np.float64) - one.scores.astype(np.float64))
        order = np.argsort(-np.nan_to_num(moved), kind="stable")
        worse = order[(one.correct & ~other.correct)[order]]
        better = order[(other.correct & ~one.correct)[order]]
    return Comparison(
        base,
        candidate,
        tuple(statistics),
        changed,
        tuple(worse.tolist()),
        tuple(better.tolist()),
        tuple(settings),
    )
