"""Every two of several records, paired: as `facebench.comparison.paired`, in seconds for hundreds.

What is each record's own, the influence of every comparison on its statistics, is found once; of
two records only their difference is left. Comparisons that one of two decided rightly and the other
did not are counted as products of bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from facebench.comparison.paired import (
    Paired,
    corrected,
    paired_statistics,
    target_of,
    verification_key,
)
from facebench.records.comparability import require_comparable
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.sections import VerificationSection
from facebench.records.statistics import Measured, find_statistic, statistics_in
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.paired import Difference
from facebench.statistics.verification import paired_among

Pairs = Mapping[tuple[int, int], tuple[Paired, ...]]


@dataclass(frozen=True, eq=False)
class Among:
    """Records of one measure, and of every two their statistics, the headline first.

    pairs: by two numbers, the lower one the base; changed: likewise, how many comparisons only the
    base decided rightly, and how many only the candidate; nothing where either has no scores.
    """

    records: tuple[Record, ...]
    pairs: Pairs
    changed: Mapping[tuple[int, int], tuple[int, int]]
    _families: dict[int, list[tuple[int, Paired]]] = field(default_factory=dict)

    def pair(self, base: int, candidate: int) -> tuple[Paired, ...]:
        """The statistics of a candidate against a base, by their numbers, which differ."""
        if base < candidate:
            return self.pairs[base, candidate]
        return tuple(map(turned, self.pairs[candidate, base]))

    def headline(self, base: int, candidate: int) -> Paired:
        """The first statistic of a candidate against a base."""
        if base < candidate:
            return self.pairs[base, candidate][0]
        return turned(self.pairs[candidate, base][0])

    def family(self, base: int) -> list[tuple[int, Paired]]:
        """The headline of every other record against a base, p-values corrected (Holm)."""
        if base not in self._families:
            others = [number for number in range(len(self.records)) if number != base]
            judged = corrected([self.headline(base, other) for other in others])
            self._families[base] = list(zip(others, judged, strict=True))
        return self._families[base]


def among(records: Sequence[Record], *, level: float = 0.95) -> Among:
    """Every two records of one measure, each as `paired_statistics` has it.

    UserError: `require_comparable`.
    """
    for record in records[1:]:
        require_comparable(records[0], record)
    alike = _alike(records)
    pairs = dict(_verified(records, alike, level))
    for one, other in combinations(range(len(records)), 2):
        if (one, other) not in pairs:
            found = paired_statistics(records[one], records[other], level=level)
            pairs[one, other] = tuple(found)
    return Among(tuple(records), pairs, _changed(records))


def turned(paired: Paired) -> Paired:
    """The same test with base and candidate in each other's place."""
    return replace(
        paired,
        base=paired.candidate,
        candidate=paired.base,
        interval=None if paired.interval is None else _turned(paired.interval),
        without=paired.without
        and replace(
            paired.without,
            difference=-paired.without.difference,
            interval=_turned(paired.without.interval),
        ),
        over_people=paired.over_people and (paired.over_people[1], paired.over_people[0]),
    )


def _turned(interval: Interval) -> Interval:
    return replace(interval, low=-interval.high, high=-interval.low)


def _alike(records: Sequence[Record]) -> list[int]:
    """Numbers of records of pairs in folds that have scores of the same list, and name the same
    people: those of the first that has any.
    """
    found: list[int] = []
    first: ScoreTable | None = None
    digests: set[str] = set()
    for number, record in enumerate(records):
        table = record.table
        if table is None or not isinstance(record.statistics, VerificationSection):
            continue
        first = first or table
        same = first.has_comparisons_of(table) and _known(first) == _known(table)
        if same and record.digest() not in digests:
            digests.add(record.digest())
            found.append(number)
    return found


def _known(table: ScoreTable) -> tuple[bool, bool]:
    return table.left_subjects is None, table.right_subjects is None


def _verified(
    records: Sequence[Record], alike: Sequence[int], level: float
) -> Iterator[tuple[tuple[int, int], tuple[Paired, ...]]]:
    """Of every two records of `_alike` the statistics that both have."""
    if len(alike) < 2:
        return
    tables = [table for n in alike if (table := records[n].table) is not None]
    first = tables[0]
    names = list(dict.fromkeys(name for n in alike for name in statistics_in(records[n])))
    targets = [target_of(name) for name in names if "=" in name]
    values = [{name: find_statistic(records[n], name) for name in names} for n in alike]
    found = paired_among(
        [(table.scores, table.decisions) for table in tables],
        first.mated,
        first.folds,
        first.left_subjects,
        first.right_subjects,
        targets,
        level=level,
    )
    for a, b, differences in found:
        yield (
            (alike[a], alike[b]),
            tuple(
                _paired(name, one, other, differences)
                for name in names
                if (one := values[a][name]) and (other := values[b][name])
            ),
        )


def _paired(
    name: str, one: Measured, other: Measured, differences: Mapping[str, Difference]
) -> Paired:
    found = differences[verification_key(name)]
    return Paired(
        name,
        one.value,
        other.value,
        interval=found.interval,
        p_value=found.p_value,
        resolvable=one.resolvable and other.resolvable,
        noise=found.noise,
    )


def _changed(records: Sequence[Record]) -> dict[tuple[int, int], tuple[int, int]]:
    """Comparisons that only one of two decided rightly, of records with scores of one list."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    kept = [(n, table) for n, record in enumerate(records) if (table := record.table) is not None]
    while kept:
        first = kept[0][1]
        same = [(n, table) for n, table in kept if first.has_comparisons_of(table)]
        numbers = [n for n, _ in same]
        # float64 holds these counts exactly, and its products are quick.
        right = np.stack([table.correct for _, table in same]).astype(np.float64)
        both = right @ right.T
        for a, b in combinations(range(len(numbers)), 2):
            only = both[a, a] - both[a, b], both[b, b] - both[a, b]
            found[numbers[a], numbers[b]] = int(only[0]), int(only[1])
        kept = [(n, table) for n, table in kept if n not in set(numbers)]
    return found
