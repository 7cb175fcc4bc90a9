"""One or all statistics of two records of the same comparisons, with what chance may do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.reporting.record import Record
from facebench.reporting.record_sections import RateSection, RatesSection, VerificationSection
from facebench.reporting.report_statistics import find_statistic, require_statistic, statistics_in
from facebench.reporting.scores import ScoreTable
from facebench.statistics.intervals import Interval, tar_key
from facebench.statistics.paired import Difference, mcnemar_exact
from facebench.statistics.paired_verification import no_change_interval, paired_verification
from facebench.statistics.rates import paired_rate_difference
from facebench.statistics.search_intervals import SearchTable, paired_search_difference

SIGNIFICANCE = 0.05
SMALLER_IS_BETTER = ("eer",)
_SAME = "the two have the same scores"


@dataclass(frozen=True)
class PairedStatistic:
    """base, candidate: shares; difference: candidate minus base; interval: of the difference.

    p_value, test: two-sided, and what it is of; both None, like the interval, where ``why`` says
    that nothing paired can be told. resolvable: false where either record's target is too fine.
    """

    statistic: str
    base: float
    candidate: float
    interval: Interval | None = None
    p_value: float | None = None
    test: str | None = None
    resolvable: bool = True
    why: str = ""

    @property
    def difference(self) -> float:
        return self.candidate - self.base

    @property
    def gain(self) -> float:
        """The difference, positive where the candidate is better."""
        return -self.difference if self.statistic in SMALLER_IS_BETTER else self.difference

    @property
    def significant(self) -> bool:
        """Whether chance explains the difference badly, at 5%."""
        return self.p_value is not None and self.p_value < SIGNIFICANCE

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``no difference shown``, or ``unknown``."""
        if self.p_value is None:
            return "unknown"
        if not self.significant or self.gain == 0:
            return "no difference shown"
        return "better" if self.gain > 0 else "worse"


def paired_statistics(
    base: Record,
    candidate: Record,
    names: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> list[PairedStatistic]:
    """Statistics of two records of the same comparisons, which the caller has made sure of.

    names: as in `report_statistics`, e.g. ``TAR@FAR=0.001``; None: all that both have. Accuracy has
    the exact McNemar p-value, all others that of the paired bootstrap over subjects; draws, seed:
    of that. UserError: a name that a record does not have, people too few to resample.
    """
    if names is None:
        names = [name for name in statistics_in(base) if find_statistic(candidate, name)]
    plain = [_values(base, candidate, name) for name in names]
    one, other = base.table, candidate.table
    if one is None or other is None:
        which = base if one is None else candidate
        return [_unpaired(p, f"the scores of {which.model.id} are not beside it") for p in plain]
    if not np.array_equal(one.mated, other.mated) or not np.array_equal(one.folds, other.folds):
        return [_unpaired(p, "the comparisons are in another order") for p in plain]
    if _equal(one.scores, other.scores) and _equal(one.decisions, other.decisions):
        same = Interval(0.0, 0.0, level, _SAME)
        return [_with(p, Difference(0.0, same, 1.0), _SAME) for p in plain]
    pairing = _Pairing(base, candidate, one, other, level, draws, seed)
    try:
        return pairing.all(plain)
    except ValueError as error:
        raise UserError(
            f"cannot compare {base.model.id} and {candidate.model.id}: {error}"
        ) from error


@dataclass(frozen=True, eq=False)
class _Pairing:
    base: Record
    candidate: Record
    one: ScoreTable
    other: ScoreTable
    level: float
    draws: int
    seed: int

    def all(self, plain: Sequence[PairedStatistic]) -> list[PairedStatistic]:
        if isinstance(self.base.statistics, VerificationSection):
            return self._verification(plain)
        return [self._rate(p) for p in plain]

    @property
    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _verification(self, plain: Sequence[PairedStatistic]) -> list[PairedStatistic]:
        one, other = self.one, self.other
        keys = {p.statistic: _verification_key(p.statistic) for p in plain}
        targets = [_target(p.statistic) for p in plain if "=" in p.statistic]
        found = paired_verification(
            (one.scores, one.decisions),
            (other.scores, other.decisions),
            one.mated,
            one.folds,
            one.left_subjects,
            one.right_subjects,
            targets,
            draws=self.draws,
            rng=self._rng,
            level=self.level,
        )
        done = []
        for p in plain:
            difference, test = found[keys[p.statistic]], _bootstrap(found[keys[p.statistic]])
            if p.statistic == "accuracy":
                exact = mcnemar_exact(one.correct, other.correct)
                interval = difference.interval
                if exact.only_a + exact.only_b == 0:
                    interval = no_change_interval(self._independent(one.mated >= 0), self.level)
                difference = Difference(difference.estimate, interval, exact.p_value)
                test = "exact McNemar"
            done.append(_with(p, difference, test))
        return done

    def _rate(self, plain: PairedStatistic) -> PairedStatistic:
        if self.one.left_subjects is None:
            return _unpaired(plain, "the record does not say who is in its images")
        rate = next(r for r in _rates_of(self.base) if _named(r.label) == _named(plain.statistic))
        found: Callable[[RateSection], Difference | None] = (
            self._accepts if rate.name == "TAR" else self._searches
        )
        difference = found(rate)
        if difference is None:
            return _unpaired(plain, "the records keep no decisions for it")
        return _with(plain, difference, _bootstrap(difference))

    def _searches(self, rate: RateSection) -> Difference | None:
        """DIR, TPIR and rank 1; thresholds anew in every draw. None: another rank."""
        if rate.name == "rank" and rate.target != 1:
            return None
        far = None if rate.name == "rank" else rate.target
        difference = paired_search_difference(
            _search_tables(self.one),
            _search_tables(self.other),
            far,
            draws=self.draws,
            rng=self._rng,
            level=self.level,
        )
        hits = [_found(table, far) for table in (self.one, self.other)]
        return self._widened(difference, *hits) if far is None else difference

    def _accepts(self, rate: RateSection) -> Difference | None:
        """TAR, thresholds held fixed: those that the records name. None: they do not."""
        mated, people = self.one.mated, self.one.left_subjects
        own = next(r for r in _rates_of(self.candidate) if r.label == rate.label)
        one, other = _accepted(rate, self.one), _accepted(own, self.other)
        if one is None or other is None or people is None:
            return None
        difference = paired_rate_difference(
            one[mated],
            other[mated],
            self.one.folds[mated],
            people[mated],
            draws=self.draws,
            rng=self._rng,
            level=self.level,
        )
        return self._widened(difference, one, other)

    def _widened(
        self, difference: Difference, one: NDArray[np.bool_], other: NDArray[np.bool_]
    ) -> Difference:
        """What no bootstrap shows where no decision on a mated comparison differs."""
        mated = self.one.mated
        if not _equal(one[mated], other[mated]):
            return difference
        interval = no_change_interval(self._independent(mated), self.level)
        return Difference(difference.estimate, interval, difference.p_value)

    def _independent(self, rows: NDArray[np.bool_]) -> int:
        """People or comparisons, whichever are fewer."""
        people = self.one.left_subjects
        number = int(np.count_nonzero(rows))
        return number if people is None else min(number, np.unique(people[rows]).size)


def _rates_of(record: Record) -> tuple[RateSection, ...]:
    assert isinstance(record.statistics, RatesSection)
    return record.statistics.rates


def _named(statistic: str) -> tuple[str, float]:
    """``TAR@FAR=1e-3`` and ``TAR@FAR=0.001`` are the same."""
    name, _, target = statistic.partition("=")
    return name, float(target) if target else 0.0


def _accepted(rate: RateSection, table: ScoreTable) -> NDArray[np.bool_] | None:
    """Which comparisons a TAR's thresholds accept; None where they do not give its values."""
    parts, position = np.unique(table.folds, return_inverse=True)
    if len(rate.thresholds) != len(parts):
        return None
    accepted = table.scores >= np.asarray(rate.thresholds)[position]
    shares = [accepted[table.mated & (position == n)].mean() for n in range(len(parts))]
    return accepted if np.allclose(shares, rate.per_part, atol=1e-6) else None


def _values(base: Record, candidate: Record, name: str) -> PairedStatistic:
    one, other = require_statistic(base, name), require_statistic(candidate, name)
    return PairedStatistic(
        name, one.value, other.value, resolvable=one.resolvable and other.resolvable
    )


def _with(plain: PairedStatistic, difference: Difference, test: str) -> PairedStatistic:
    return PairedStatistic(
        plain.statistic,
        plain.base,
        plain.candidate,
        difference.interval,
        difference.p_value,
        test,
        plain.resolvable,
    )


def _unpaired(plain: PairedStatistic, why: str) -> PairedStatistic:
    return PairedStatistic(
        plain.statistic, plain.base, plain.candidate, resolvable=plain.resolvable, why=why
    )


def _bootstrap(difference: Difference) -> str:
    kind = difference.interval.kind
    return f"paired {kind}" if kind.startswith("bootstrap") else kind


def _verification_key(statistic: str) -> str:
    return tar_key(_target(statistic)) if "=" in statistic else statistic


def _target(statistic: str) -> float:
    return float(statistic.partition("=")[2])


def _search_tables(table: ScoreTable) -> list[SearchTable]:
    assert table.left_subjects is not None
    return [
        SearchTable(table.scores[rows], table.mated[rows], table.left_subjects[rows])
        for part in np.unique(table.folds)
        for rows in [np.flatnonzero(table.folds == part)]
    ]


def _found(table: ScoreTable, far: float | None) -> NDArray[np.bool_]:
    return table.mated & (table.scores > -np.inf) if far is None else table.decisions


def _equal(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    return np.array_equal(one, other)
