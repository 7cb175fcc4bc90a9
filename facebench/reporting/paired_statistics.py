"""One or all statistics of two records of the same comparisons, with what chance may do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facebench.errors import UserError
from facebench.reporting.paired_rates import search_difference, tar_differences
from facebench.reporting.record import Record
from facebench.reporting.record_sections import RateSection, RatesSection, VerificationSection
from facebench.reporting.report_statistics import find_statistic, require_statistic, statistics_in
from facebench.reporting.scores import ScoreTable
from facebench.statistics.intervals import Interval, tar_key
from facebench.statistics.no_change import WIDENED
from facebench.statistics.paired import Difference, mcnemar_exact
from facebench.statistics.paired_verification import paired_with_each

SIGNIFICANCE = 0.05
SMALLER_IS_BETTER = ("eer",)
MCNEMAR = "exact McNemar"
_SAME = "the two have the same scores"


@dataclass(frozen=True)
class PairedStatistic:
    """base, candidate: shares; difference: candidate minus base; interval: of the difference.

    p_value, test: two-sided, and what it is of; both None, like the interval, where ``why`` says
    that nothing paired can be told. over_subjects: of accuracy, whose p-value is McNemar's, also
    that of the paired bootstrap over subjects. resolvable: false where either record's target is
    too fine.
    """

    statistic: str
    base: float
    candidate: float
    interval: Interval | None = None
    p_value: float | None = None
    test: str | None = None
    resolvable: bool = True
    why: str = ""
    over_subjects: float | None = None

    @property
    def difference(self) -> float:
        return self.candidate - self.base

    @property
    def gain(self) -> float:
        """The difference, positive where the candidate is better."""
        return -self.difference if self.statistic in SMALLER_IS_BETTER else self.difference

    @property
    def deciding_p(self) -> float | None:
        """The larger p-value where two tests must both say that there is a difference.

        Accuracy must pass both: McNemar's takes comparisons for independent, and calls equal models
        different too often (16% of them, instead of 5%, on some lists) where they share people.
        """
        if self.p_value is None or self.over_subjects is None:
            return self.p_value
        return max(self.p_value, self.over_subjects)

    @property
    def significant(self) -> bool:
        """Whether chance explains the difference badly, at 5%."""
        return self.deciding_p is not None and self.deciding_p < SIGNIFICANCE

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
    the exact McNemar p-value, and that of the paired bootstrap over subjects, which all others
    have, beside it; draws, seed: of the bootstrap. UserError: a name that a record does not have,
    people too few to resample.
    """
    if names is None:
        names = [name for name in statistics_in(base) if find_statistic(candidate, name)]
    (found,) = _paired(base, [candidate], [names], level, draws, seed)
    return found


def paired_with_first(
    base: Record, candidates: Sequence[Record], name: str, *, draws: int = 1000, seed: int = 0
) -> list[PairedStatistic]:
    """One statistic of several candidates, each as of `paired_statistics`.

    Resamples of pairs are made once for all, so that many draws stay affordable.
    """
    found = _paired(base, candidates, [[name]] * len(candidates), 0.95, draws, seed)
    return [one for (one,) in found]


def _paired(
    base: Record,
    candidates: Sequence[Record],
    names: Sequence[Sequence[str]],
    level: float,
    draws: int,
    seed: int,
) -> list[list[PairedStatistic]]:
    """For each candidate its statistics; UserError: see `paired_statistics`."""
    plain = [
        [_values(base, candidate, name) for name in of_one]
        for candidate, of_one in zip(candidates, names, strict=True)
    ]
    found = [_undrawn(base, one, p, level) for one, p in zip(candidates, plain, strict=True)]
    left = [at for at, known in enumerate(found) if known is None]
    pairings = [_Pairing.of(base, candidates[at], level, draws, seed) for at in left]
    try:
        drawn = _drawn(pairings, [plain[at] for at in left])
    except ValueError as error:
        raise UserError(
            f"cannot compare {base.model.id} and {candidates[left[0]].model.id}: {error}"
        ) from error
    known = dict(zip(left, drawn, strict=True))
    return [known[at] if one is None else one for at, one in enumerate(found)]


def _undrawn(
    base: Record, candidate: Record, plain: Sequence[PairedStatistic], level: float
) -> list[PairedStatistic] | None:
    """What needs no bootstrap, or cannot have one; None: it is to be drawn."""
    one, other = base.table, candidate.table
    if one is None or other is None:
        which = base if one is None else candidate
        return [_unpaired(p, f"the scores of {which.model.id} are not beside it") for p in plain]
    if not np.array_equal(one.mated, other.mated) or not np.array_equal(one.folds, other.folds):
        return [_unpaired(p, "the comparisons are in another order") for p in plain]
    alike = (np.array_equal(getattr(one, k), getattr(other, k)) for k in ("scores", "decisions"))
    if all(alike):
        same = Interval(0.0, 0.0, level, _SAME)
        return [_with(p, Difference(0.0, same, 1.0), _SAME) for p in plain]
    return None


@dataclass(frozen=True, eq=False)
class _Pairing:
    base: Record
    candidate: Record
    one: ScoreTable
    other: ScoreTable
    level: float
    draws: int
    seed: int

    @classmethod
    def of(cls, base: Record, candidate: Record, level: float, draws: int, seed: int) -> _Pairing:
        assert base.table is not None and candidate.table is not None  # see _undrawn
        return cls(base, candidate, base.table, candidate.table, level, draws, seed)

    def verified(
        self, plain: Sequence[PairedStatistic], found: Mapping[str, Difference]
    ) -> list[PairedStatistic]:
        """Statistics of pairs with the differences that were drawn."""
        done = []
        for p in plain:
            difference = found[_verification_key(p.statistic)]
            if p.statistic == "accuracy":
                exact = mcnemar_exact(self.one.correct, self.other.correct).p_value
                known = Difference(difference.estimate, difference.interval, exact)
                over_subjects = difference.p_value
                done.append(replace(_with(p, known, MCNEMAR), over_subjects=over_subjects))
            else:
                done.append(_with(p, difference, _bootstrap(difference)))
        return done

    def rates(self, plain: Sequence[PairedStatistic]) -> list[PairedStatistic]:
        """Rates of templates or searches."""
        if self.one.left_subjects is None:
            return [_unpaired(p, "the record does not say who is in its images") for p in plain]
        pairs = {
            p.statistic: (_rate_of(self.base, p.statistic), _rate_of(self.candidate, p.statistic))
            for p in plain
        }
        tars = [name for name, (rate, _) in pairs.items() if rate.name == "TAR"]
        of_tars = tar_differences(  # all from the same draws
            [pairs[name] for name in tars],
            self.one,
            self.other,
            draws=self.draws,
            seed=self.seed,
            level=self.level,
        )
        found = dict(zip(tars, of_tars, strict=True))
        for name, (rate, _) in pairs.items():
            if name not in found:
                found[name] = self._searches(rate)
        return [_rate(p, found[p.statistic]) for p in plain]

    def _searches(self, rate: RateSection) -> Difference | None:
        """DIR, TPIR and rank 1. None: another rank, of which the records keep nothing."""
        if rate.name == "rank" and rate.target != 1:
            return None
        far = None if rate.name == "rank" else rate.target
        return search_difference(
            far, self.one, self.other, draws=self.draws, seed=self.seed, level=self.level
        )


def _drawn(
    pairings: Sequence[_Pairing], plain: Sequence[Sequence[PairedStatistic]]
) -> list[list[PairedStatistic]]:
    """For each pairing its statistics; all are with the same base and of the same comparisons."""
    if not pairings or not isinstance(pairings[0].base.statistics, VerificationSection):
        return [one.rates(p) for one, p in zip(pairings, plain, strict=True)]
    first, one = pairings[0], pairings[0].one
    names = list(dict.fromkeys(p.statistic for of_one in plain for p in of_one))
    found = paired_with_each(
        (one.scores, one.decisions),
        [(pairing.other.scores, pairing.other.decisions) for pairing in pairings],
        one.mated,
        one.folds,
        one.left_subjects,
        one.right_subjects,
        [_target(name) for name in names if "=" in name],
        names=names,
        draws=first.draws,
        rng=np.random.default_rng(first.seed),
        level=first.level,
    )
    return [p.verified(of, f) for p, of, f in zip(pairings, plain, found, strict=True)]


def _rate_of(record: Record, statistic: str) -> RateSection:
    assert isinstance(record.statistics, RatesSection)
    return next(r for r in record.statistics.rates if _named(r.label) == _named(statistic))


def _named(statistic: str) -> tuple[str, float]:
    """``TAR@FAR=1e-3`` and ``TAR@FAR=0.001`` are the same."""
    name, _, target = statistic.partition("=")
    return name, float(target) if target else 0.0


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


def _rate(plain: PairedStatistic, found: Difference | None) -> PairedStatistic:
    if found is None:
        return _unpaired(plain, "the records keep no decisions for it")
    return _with(plain, found, _bootstrap(found))


def _bootstrap(difference: Difference) -> str:
    """What the p-value is of; how far the interval was widened is in its kind."""
    kind = difference.interval.kind
    return f"paired {kind.partition(WIDENED)[0]}" if kind.startswith("bootstrap") else kind


def _verification_key(statistic: str) -> str:
    return tar_key(_target(statistic)) if "=" in statistic else statistic


def _target(statistic: str) -> float:
    return float(statistic.partition("=")[2])
