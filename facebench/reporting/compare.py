"""Which records may stand in one table, and how a model compares with the table's first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facebench.errors import UserError
from facebench.reporting.comparability import measure_of, require_comparable
from facebench.reporting.paired_rates import search_difference, tar_differences
from facebench.reporting.record import Record
from facebench.reporting.record_sections import RatesSection
from facebench.reporting.scores import ScoreTable
from facebench.statistics.intervals import Interval
from facebench.statistics.paired import mcnemar_exact
from facebench.statistics.paired_verification import paired_with_each

SIGNIFICANCE = 0.05
SURE_DRAWS = 5_000  # of a bootstrap whose interval ends so near zero that the mark rests on chance
_NEAR = 0.065  # of the width: three standard errors of an end at 1,000 draws


@dataclass(frozen=True)
class Paired:
    """Against the reference: difference of the headline numbers (a share).

    p_value: of the exact McNemar test on decisions, None for rates; interval: of the difference, by
    a paired bootstrap over subjects; None where no draws were asked for or the scores do not give
    it.
    """

    difference: float
    p_value: float | None
    interval: Interval | None

    @property
    def significant(self) -> bool:
        """Whether the two differ more than chance explains, at 5%.

        Accuracy must pass both tests: McNemar's takes comparisons for independent, and calls equal
        models different too often where they share people. So nothing is without an interval.
        """
        if self.interval is None or self.interval.low <= 0 <= self.interval.high:
            return False
        return self.p_value is None or self.p_value < SIGNIFICANCE

    @property
    def mark(self) -> str:
        """``▲ ▼`` significantly better or worse, ``≈`` not, nothing where no interval tells."""
        if not self.significant:
            return "≈" if self.interval is not None else ""
        return "▼" if self.difference < 0 else "▲"


def require_same_data(records: Sequence[Record]) -> None:
    """UserError unless all records may be compared with the first; see `require_comparable`."""
    for record in records[1:]:
        require_comparable(records[0], record)


def group_records(records: Sequence[Record]) -> list[list[Record]]:
    """Records by what they measure, one group per table, in order of appearance."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(measure_of(record), []).append(record)
    return list(groups.values())


def compare_paired(reference: Record, record: Record) -> Paired | None:
    """Exact McNemar on the decisions of both (accuracy), and a paired bootstrap of the difference
    in the headline number, with the reference's draws and seed, or `SURE_DRAWS` where an end of the
    interval is so near zero that the mark would rest on the draw; None where a record came without
    its scores.

    UserError where the two are not of the same data.
    Sources: those of `mcnemar_exact` and `paired_bootstrap` in `facebench.statistics.paired`.
    """
    (found,) = compare_each(reference, [record])
    return found


def compare_each(reference: Record, records: Sequence[Record]) -> list[Paired | None]:
    """`compare_paired` with each record: the same numbers, from resamples drawn once for all."""
    require_same_data([reference, *records])
    one, drawn = reference.table, reference.bootstrap
    if one is None:
        return [None] * len(records)
    told = {
        at: record.table
        for at, record in enumerate(records)
        if record.table is not None and np.array_equal(one.mated, record.table.mated)
    }
    of_rates = isinstance(reference.statistics, RatesSection)

    def intervals(which: Sequence[int], draws: int) -> list[Interval | None]:
        if of_rates:
            return [_rate_interval(reference, records[at], draws) for at in which]
        return _intervals(one, [told[at] for at in which], draws, drawn.seed)

    ends = dict(zip(told, _steady(intervals, list(told), drawn.draws), strict=True))
    found: list[Paired | None] = []
    for at, record in enumerate(records):
        difference = record.statistics.headline.value - reference.statistics.headline.value
        exact = None if of_rates or at not in told else mcnemar_exact(one.correct, told[at].correct)
        p_value = exact.p_value if exact is not None else None
        found.append(Paired(difference, p_value, ends[at]) if at in told else None)
    return found


def draws_text(draws: int) -> str:
    """How many draws an interval of `compare_paired` has, in words for a caption."""
    more = f", {SURE_DRAWS:,} where it ends near zero" if draws < SURE_DRAWS else ""
    return f"{draws:,} draws{more}"


def _steady(
    intervals: Callable[[Sequence[int], int], list[Interval | None]], which: list[int], draws: int
) -> list[Interval | None]:
    """Intervals of so many draws, or of more where an end is near zero; None: no draws."""
    if not draws or not which:
        return [None] * len(which)
    found = dict(zip(which, intervals(which, draws), strict=True))
    near = [at for at, interval in found.items() if draws < SURE_DRAWS and _near_zero(interval)]
    if near:
        found |= zip(near, intervals(near, SURE_DRAWS), strict=True)
    return [found[at] for at in which]


def _near_zero(found: Interval | None) -> bool:
    if found is None:
        return False
    return min(abs(found.low), abs(found.high)) < _NEAR * (found.high - found.low)


def _rate_interval(reference: Record, record: Record, draws: int) -> Interval | None:
    """Of the difference in a rate; comparisons and searches are thresholded anew in every draw."""
    one, other, seed = reference.table, record.table, reference.bootstrap.seed
    assert one is not None and other is not None
    assert isinstance(reference.statistics, RatesSection)
    assert isinstance(record.statistics, RatesSection)
    if one.left_subjects is None:
        return None
    rate, of_other = reference.statistics.headline, record.statistics.headline
    try:
        if rate.name in ("DIR", "TPIR") or (rate.name, rate.target) == ("rank", 1):
            far = None if rate.name == "rank" else rate.target
            return search_difference(far, one, other, draws=draws, seed=seed).interval
        if rate.name != "TAR":
            return None
        (found,) = tar_differences([(rate, of_other)], one, other, draws=draws, seed=seed)
    except ValueError as error:
        raise UserError(f"cannot compare the two models: {error}") from error
    return found.interval if found else None


def _intervals(
    one: ScoreTable, others: Sequence[ScoreTable], draws: int, seed: int
) -> list[Interval | None]:
    """Of the difference in accuracy; decisions are held fixed, as in that of one accuracy."""
    found = paired_with_each(
        (one.scores, one.decisions),
        [(other.scores, other.decisions) for other in others],
        one.mated,
        one.folds,
        one.left_subjects,
        one.right_subjects,
        names=("accuracy",),
        draws=draws,
        rng=np.random.default_rng(seed),
    )
    return [differences["accuracy"].interval for differences in found]


def data_of(record: Record) -> tuple[str, str, str]:
    """The protocol, faces and comparisons of a record."""
    protocol = record.protocol
    name = f"{protocol.name} v{protocol.version}{protocol.edition}"
    return name, record.data.fingerprint, record.comparisons.fingerprint
