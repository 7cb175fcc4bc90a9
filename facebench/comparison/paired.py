"""One or all statistics of two records of the same comparisons, with what chance may do to them.

This is the one place where two models are told apart: tables, comparisons, gates, histories and
reports read the same `Paired`, and `Paired.significant` is the one rule of significance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facebench.base.errors import UserError
from facebench.comparison.rates import search_difference, tar_differences
from facebench.records.comparability import require_comparable
from facebench.records.frames import Scalar
from facebench.records.groups.named import group_statistic
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.sections import RateSection, RatesSection, VerificationSection
from facebench.records.statistics import (
    AT_DEPLOYED,
    estimate_of,
    find_statistic,
    require_statistic,
    statistics_in,
)
from facebench.statistics.intervals.exact import Interval, tar_key
from facebench.statistics.paired import (
    Difference,
    Noise,
    difference_of_draws,
    holm,
    mcnemar_exact,
    p_value_range,
)
from facebench.statistics.rates import most_frequent
from facebench.statistics.verification import paired_with_each

SIGNIFICANCE = 0.05
SMALLER_IS_BETTER = ("eer", "fmr@deployed", "fnmr@deployed")
SAME = "the same record"
_MARKS = {"better": "▲", "worse": "▼", "no difference shown": "≈", "undecided": "?"}


@dataclass(frozen=True)
class Without:
    """A difference without the person whom most mated searches are of. share: of these searches."""

    share: float
    difference: float
    interval: Interval
    p_value: float


@dataclass(frozen=True)
class Paired:
    """base, candidate: shares; difference: candidate minus base; interval: of the difference.

    p_value: two-sided, over people where they are known; None, like the interval, where ``why``
    says that nothing paired can be told. mcnemar: of accuracy, the p-value of McNemar's exact test,
    which takes comparisons for independent: information, no part of any verdict. resolvable: false
    where either record's target is too fine. p_range: where p_value would be with endless draws,
    None: it rests on no draws. without: of searches, the same without their most frequent person.
    over_people: of base and candidate, the rate with every person counted once, None: not recorded.
    adjusted: the p-value among all tests of one table (`corrected`), which then decides in place of
    p_value; None: a test of its own, as a gate's. noise: what chance does to the difference, for
    `facebench.comparison.power`.
    """

    statistic: str
    base: float
    candidate: float
    interval: Interval | None = None
    p_value: float | None = None
    resolvable: bool = True
    why: str = ""
    mcnemar: float | None = None
    p_range: tuple[float, float] | None = None
    without: Without | None = None
    over_people: tuple[float, float] | None = None
    adjusted: float | None = None
    noise: Noise | None = None

    @property
    def difference(self) -> float:
        return self.candidate - self.base

    @property
    def gain(self) -> float:
        """The difference, positive where the candidate is better."""
        return -self.difference if self.statistic in SMALLER_IS_BETTER else self.difference

    @property
    def over_subjects(self) -> bool:
        """Whether people are what interval and p-value are over, and not comparisons."""
        return self.interval is not None and "subjects" in self.interval.kind

    @property
    def tested(self) -> bool:
        """Whether anything paired can be told; else ``why`` says why not."""
        return self.p_value is not None

    @property
    def undecided(self) -> bool:
        """Whether draws are too few to tell on which side of 5% the deciding p-value is."""
        if self.p_range is None or not self.p_value or self.deciding_p is None:
            return False
        low, high = (self.deciding_p / self.p_value * end for end in self.p_range)
        return low <= SIGNIFICANCE <= high

    @property
    def significant(self) -> bool:
        """Whether chance explains the difference badly, at 5%: the one rule of all verdicts."""
        p = self.deciding_p
        return p is not None and not self.undecided and p < SIGNIFICANCE

    @property
    def deciding_p(self) -> float | None:
        """The p-value that the verdict rests on."""
        return self.p_value if self.adjusted is None else self.adjusted

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``no difference shown``, ``undecided``, or ``unknown``."""
        if self.p_value is None:
            return "unknown"
        if self.undecided:
            return "undecided"
        if not self.significant or self.gain == 0:
            return "no difference shown"
        return "better" if self.gain > 0 else "worse"

    @property
    def judged(self) -> bool:
        """Whether it has a verdict: the first statistic has, or whatever cannot be told."""
        return self.adjusted is not None or self.p_value is None

    @property
    def mark(self) -> str:
        """``▲ ▼`` significantly better or worse, ``≈`` not, ``?`` undecided, or nothing."""
        return _MARKS.get(self.verdict, "")


def corrected(family: Sequence[Paired]) -> list[Paired]:
    """The tests of one family with their p-values after Holm; what was not tested stays as it is.

    A family is what one table tests: its rows, on the first statistic of one protocol.
    """
    adjusted = holm([one.p_value for one in family])
    return [replace(one, adjusted=p) for one, p in zip(family, adjusted, strict=True)]


def paired_statistics(
    base: Record,
    candidate: Record,
    names: Sequence[str] | None = None,
    *,
    level: float = 0.95,
) -> list[Paired]:
    """Statistics of two records of the same comparisons.

    names: as in `report_statistics`, e.g. ``TAR@FAR=0.001``; None: all that both have. level: of
    the intervals. UserError: `require_comparable`, a name that a record does not have.
    """
    if names is None:
        names = [name for name in statistics_in(base) if find_statistic(candidate, name)]
    (found,) = _paired(base, [candidate], [names], level)
    return found


def paired_with_first(
    base: Record, candidates: Sequence[Record], name: str | None = None
) -> list[Paired]:
    """One statistic of several candidates, each as of `paired_statistics`.

    name: None: the first statistic of the base's protocol, which tables judge.
    """
    names = [name or statistics_in(base)[0]]
    return [one for (one,) in _paired(base, candidates, [names] * len(candidates), 0.95)]


def _paired(
    base: Record, candidates: Sequence[Record], names: Sequence[Sequence[str]], level: float
) -> list[list[Paired]]:
    """For each candidate its statistics; UserError: see `paired_statistics`."""
    for candidate in candidates:
        require_comparable(base, candidate)
    if fixed := {name for of_one in names for name in of_one} & {*AT_DEPLOYED}:
        raise UserError(
            f"{min(fixed)} of two models is at thresholds of their own, which no paired test "
            "compares; bound each by a rule, e.g. lfw.fmr@deployed <= 0.2%"
        )
    plain = [
        [_values(base, candidate, name) for name in of_one]
        for candidate, of_one in zip(candidates, names, strict=True)
    ]
    found = [_untested(base, one, p, level) for one, p in zip(candidates, plain, strict=True)]
    left = [at for at, known in enumerate(found) if known is None]
    pairings = [_Pairing.of(base, candidates[at], level) for at in left]
    try:
        tested = _tested(pairings, [plain[at] for at in left])
    except ValueError as error:
        raise UserError(
            f"cannot compare {base.model.id} and {candidates[left[0]].model.id}: {error}"
        ) from error
    known = dict(zip(left, tested, strict=True))
    return [known[at] if one is None else one for at, one in enumerate(found)]


def _untested(
    base: Record, candidate: Record, plain: Sequence[Paired], level: float
) -> list[Paired] | None:
    """What needs no test, or cannot have one; None: it is to be tested."""
    if base.digest() == candidate.digest():
        same = Interval(0.0, 0.0, level, SAME)
        return [replace(p, interval=same, p_value=1.0) for p in plain]
    if all(group_statistic(p.statistic) for p in plain):
        return [replace(p, why="groups are compared by `facebench groups`") for p in plain]
    one, other = base.table, candidate.table
    kept = any(record.scores for record in (base, candidate))
    if not kept and isinstance(base.statistics, RatesSection):
        return [_of_draws(base, candidate, p, level) for p in plain]
    if one is None or other is None:
        which = base if one is None else candidate
        return [replace(p, why=which.missing) for p in plain]
    if not one.has_comparisons_of(other):
        return [replace(p, why="the comparisons are in another order") for p in plain]
    return None


def _of_draws(base: Record, candidate: Record, plain: Paired, level: float) -> Paired:
    """A rate of records that keep no scores, by the draws that they keep: of the same people."""
    try:
        one, other = (_rate_of(r, plain.statistic).draws for r in (base, candidate))
    except ValueError as error:
        raise UserError(f"the draws of {plain.statistic} in a record are no numbers") from error
    if one is None or other is None:
        which = base if one is None else candidate
        why = f"the record of {which.model.id} keeps no draws of it; evaluate it again"
        return replace(plain, why=why)
    if one.size != other.size or base.bootstrap != candidate.bootstrap:
        return replace(plain, why="draws or seeds differ; evaluate both with one --seed, --draws")
    values, people = other - one, base.comparisons.subjects or base.comparisons.total
    found = difference_of_draws(plain.difference, values, level, "subjects", people)
    return replace(
        plain,
        interval=found.interval,
        p_value=found.p_value,
        p_range=p_value_range(values),
        noise=found.noise,
    )


def keeps_draws(record: Record, statistic: str) -> bool:
    """Whether a record has the draws of a statistic in place of scores, to be compared by them."""
    found = estimate_of(record, statistic)
    return record.scores is None and isinstance(found, RateSection) and found.drawn is not None


@dataclass(frozen=True, eq=False)
class _Pairing:
    base: Record
    candidate: Record
    one: ScoreTable
    other: ScoreTable
    level: float

    @classmethod
    def of(cls, base: Record, candidate: Record, level: float) -> _Pairing:
        assert base.table is not None and candidate.table is not None  # see _untested
        one, other = base.table, candidate.table
        return cls(base, candidate, one.with_people_of(other), other.with_people_of(one), level)

    def rates(self, plain: Sequence[Paired]) -> list[Paired]:
        """Rates of templates or searches."""
        if self.one.left_subjects is None:
            why = "the record does not say who is in its images"
            return [replace(p, why=why) for p in plain]
        pairs = {
            p.statistic: (_rate_of(self.base, p.statistic), _rate_of(self.candidate, p.statistic))
            for p in plain
        }
        tars = [name for name, (rate, _) in pairs.items() if rate.name == "TAR"]
        of_tars = tar_differences(
            [pairs[name] for name in tars], self.one, self.other, level=self.level
        )
        found = dict(zip(tars, of_tars, strict=True))
        for name, (rate, _) in pairs.items():
            if name not in found:
                found[name] = self._searched(rate, self.one, self.other)
        return [
            replace(self._rate(p, found[p.statistic]), without=self._without(pairs[p.statistic][0]))
            for p in plain
        ]

    def _rate(self, plain: Paired, found: Difference | None) -> Paired:
        if found is not None:
            return _with(plain, found)
        pair = ((self.base, self.one), (self.candidate, self.other))
        bare = next((r.model.id for r, table in pair if table.ranks is None), None)
        if not plain.statistic.startswith("rank-") or bare is None:
            return replace(plain, why="the records keep no decisions for it")
        why = f"the scores of {bare} keep no ranks beyond the first; evaluate it again"
        return replace(plain, why=why)

    def _without(self, rate: RateSection) -> Without | None:
        """Of searches that the records keep; None: not of such, or nobody else was searched."""
        if rate.name == "TAR":
            return None
        people, mated = self.one.left_subjects, self.one.mated
        if people is None or np.unique(people[mated]).size < 2:
            return None
        person, share = most_frequent(people[mated])
        rows = np.flatnonzero(people != person)
        one, two = self.one.only(rows), self.other.only(rows)
        found = self._searched(rate, one, two)
        if found is None:
            return None
        return Without(share, found.estimate, found.interval, found.p_value)

    def _searched(self, rate: RateSection, one: ScoreTable, other: ScoreTable) -> Difference | None:
        """DIR, TPIR and ranks; None: a rank of which the records keep nothing."""
        far, rank = (None, int(rate.target)) if rate.name == "rank" else (rate.target, 1)
        first = rate.name != "TPIR"
        return search_difference(far, one, other, rank=rank, first=first, level=self.level)


def _tested(pairings: Sequence[_Pairing], plain: Sequence[Sequence[Paired]]) -> list[list[Paired]]:
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
        [target_of(name) for name in names if "=" in name],
        names=names,
        level=first.level,
    )
    return [
        [_verified(p, pairing, differences[verification_key(p.statistic)]) for p in of_one]
        for pairing, of_one, differences in zip(pairings, plain, found, strict=True)
    ]


def _verified(plain: Paired, pairing: _Pairing, found: Difference) -> Paired:
    """A statistic of pairs with its difference."""
    tested = _with(plain, found)
    if plain.statistic != "accuracy":
        return tested
    exact = mcnemar_exact(pairing.one.correct, pairing.other.correct)
    return replace(tested, mcnemar=exact.p_value)


def _with(plain: Paired, found: Difference) -> Paired:
    return replace(plain, interval=found.interval, p_value=found.p_value, noise=found.noise)


def _rate_of(record: Record, statistic: str) -> RateSection:
    found = estimate_of(record, statistic)
    assert isinstance(found, RateSection)
    return found


def _values(base: Record, candidate: Record, name: str) -> Paired:
    one, other = require_statistic(base, name), require_statistic(candidate, name)
    averaged = None
    if isinstance(base.statistics, RatesSection):
        first, second = (_rate_of(record, name).over_people for record in (base, candidate))
        averaged = None if first is None or second is None else (first, second)
    return Paired(
        name,
        one.value,
        other.value,
        resolvable=one.resolvable and other.resolvable,
        over_people=averaged,
    )


def verification_key(statistic: str) -> str:
    """By which `facebench.statistics.verification` knows a statistic of pairs."""
    return tar_key(target_of(statistic)) if "=" in statistic else statistic


def target_of(statistic: str) -> float:
    """The FAR in a name such as ``TAR@FAR=0.001``."""
    return float(statistic.partition("=")[2])


def paired_row(found: Paired) -> dict[str, Scalar]:
    """A paired statistic as a row: shares, None where nothing can be told."""
    interval, without = found.interval, found.without
    return {
        "statistic": found.statistic,
        "base": found.base,
        "candidate": found.candidate,
        "difference": found.difference,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "level": interval.level if interval else None,
        "interval": interval.kind if interval else None,
        "p_value": found.p_value,
        "p_holm": found.adjusted,
        "over_subjects": found.over_subjects,
        "p_mcnemar": found.mcnemar,
        "without_most_frequent": without.difference if without else None,
        "share_of_most_frequent": without.share if without else None,
        "verdict": found.verdict if found.judged else None,
        "resolvable": found.resolvable,
        "why": found.why,
    }
