"""Records against the rules of a gate: pass, fail, or undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from facebench.errors import UserError, nearest
from facebench.reporting.cells import percent, points
from facebench.reporting.comparison import require_comparable
from facebench.reporting.gate_rules import Rule, Rules, Undecided
from facebench.reporting.paired_statistics import paired_statistics
from facebench.reporting.record import Record
from facebench.reporting.report_statistics import require_statistic

Outcome = Literal["pass", "fail", "undecided"]
RECORD_LEVEL = 0.95  # of the intervals that records hold
TOO_FEW = "the comparisons are too few to tell"
PASSED, FAILED, UNDECIDED_CODE = 0, 1, 3


@dataclass(frozen=True)
class Verdict:
    """One rule on one model. measured: the number and its interval, as text; why: of an outcome
    that the numbers do not tell by themselves; notice: of synthetic faces.
    """

    rule: Rule
    model: str
    outcome: Outcome
    measured: str
    why: str = ""
    notice: str | None = None

    @property
    def line(self) -> str:
        """One line without the outcome."""
        return f"{self.model}: {self.rule.text}: {self.measured}{f' ({self.why})' * bool(self.why)}"


@dataclass(frozen=True)
class GateResult:
    """All verdicts; undecided: what they make of a build that has one."""

    verdicts: tuple[Verdict, ...]
    undecided: Undecided

    @property
    def outcome(self) -> Outcome:
        """The worst: fail before undecided before pass; an undecided one counts as was chosen."""
        outcomes = {self.counted(verdict) for verdict in self.verdicts}
        if "fail" in outcomes:
            return "fail"
        return "undecided" if "undecided" in outcomes else "pass"

    @property
    def code(self) -> int:
        """The exit code: 0 pass, 1 fail, 3 undecided."""
        return {"pass": PASSED, "fail": FAILED, "undecided": UNDECIDED_CODE}[self.outcome]

    def counted(self, verdict: Verdict) -> Outcome:
        """What a verdict counts as."""
        if verdict.outcome != "undecided" or self.undecided == "report":
            return verdict.outcome
        return "fail" if self.undecided == "fail" else "pass"

    def number(self, outcome: Outcome) -> int:
        """How many verdicts have this outcome."""
        return sum(verdict.outcome == outcome for verdict in self.verdicts)


def judge(
    rules: Rules,
    baselines: Sequence[Record],
    records: Sequence[Record],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> GateResult:
    """Every rule on every model that records are of; a baseline is the record of its protocol.

    draws, seed: of the paired bootstrap. UserError: a rule of a protocol or statistic that no
    record has, no baseline for a rule that needs one, one that cannot be compared.
    """
    if not records:
        raise UserError("a gate needs at least one record")
    for record in records:  # all checked before the first is computed
        for base in baselines:
            if base.protocol.name == record.protocol.name and _alike(base, record):
                require_comparable(base, record)
    judged = [
        (rule, record, _baseline(rule, record, baselines) if rule.needs_baseline else None)
        for rule in rules.rules
        for record in _records_of(rule, records)
    ]
    return GateResult(
        tuple(_judge(rule, record, base, draws, seed) for rule, record, base in judged),
        rules.undecided,
    )


def _judge(rule: Rule, record: Record, base: Record | None, draws: int, seed: int) -> Verdict:
    if rule.of_model:
        return _of_model(rule, record, base)
    if rule.change is not None:
        assert base is not None
        return _of_change(rule, record, base, draws, seed)
    return _of_value(rule, record, base)


def _of_model(rule: Rule, record: Record, base: Record | None) -> Verdict:
    """A fact of the model, in itself or over the baseline's."""
    value = _fact(rule, record)
    shown = f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
    number: float = value
    if base is not None:
        of_base = _fact(rule, base)
        if not of_base:
            raise UserError(f"rule {rule.text!r}: the baseline {base.model.id} has 0 of it")
        number = value / of_base
        shown = f"{number:.3f} of baseline ({shown} of {of_base:,})"
    return Verdict(rule, record.model.id, _within(rule, number, number), shown)


def _of_value(rule: Rule, record: Record, base: Record | None) -> Verdict:
    """A statistic itself, or its share of the baseline's."""
    found = require_statistic(record, rule.statistic)
    low = high = found.value
    shown, why = f"{percent(found.value)} %", ""
    if base is not None:
        of_base = require_statistic(base, rule.statistic).value
        if not of_base:
            raise UserError(f"rule {rule.text!r}: the baseline's {rule.statistic} is 0")
        low = high = found.value / of_base
        shown = f"{low:.4f} of baseline ({percent(found.value)} % of {percent(of_base)} %)"
    outcome: Outcome = _within(rule, low, high)
    if rule.level is not None:
        if rule.level != RECORD_LEVEL:
            raise UserError(f"rule {rule.text!r}: records have 95% intervals; write at 95%")
        if found.interval is None:
            outcome, why = "undecided", "the record has no interval"
        else:
            outcome = _within(rule, *found.interval)
            shown += f" [{percent(found.interval[0])}, {percent(found.interval[1])}]"
            why = TOO_FEW * (outcome == "undecided")
    if not found.resolvable:
        outcome, why = "undecided", "the comparisons are too few for this target"
    return Verdict(rule, record.model.id, outcome, shown, why, record.data.notice)


def _of_change(rule: Rule, record: Record, base: Record, draws: int, seed: int) -> Verdict:
    """A drop or rise against the baseline, paired."""
    level = rule.level or 0.95
    names = [rule.statistic]
    (found,) = paired_statistics(base, record, names, level=level, draws=draws, seed=seed)
    sign = -1 if rule.change == "drop" else 1
    change, why = sign * found.difference, ""
    shown = f"{points(found.difference)} pt"
    if found.interval is not None:
        shown += f" [{points(found.interval.low)}, {points(found.interval.high)}]"
    if rule.level is None:
        outcome: Outcome = _within(rule, change, change)
    elif found.interval is None:
        outcome, why = "undecided", found.why
    else:
        ends = sorted((sign * found.interval.low, sign * found.interval.high))
        outcome = _within(rule, ends[0], ends[1])
        why = TOO_FEW * (outcome == "undecided")
    if not found.resolvable:
        outcome, why = "undecided", "the comparisons are too few for this target"
    return Verdict(rule, record.model.id, outcome, shown, why, record.data.notice)


def _within(rule: Rule, low: float, high: float) -> Outcome:
    """Whether all of [low, high], none or a part is within the bound; its own rounding is not held
    against a number that equals it.
    """
    slack = 1e-9 * max(1.0, abs(rule.bound))
    if rule.at_most:
        low, high, bound = -high, -low, -rule.bound
    else:
        bound = rule.bound
    if low >= bound - slack:
        return "pass"
    return "fail" if high < bound - slack else "undecided"


def _records_of(rule: Rule, records: Sequence[Record]) -> list[Record]:
    """Records that a rule is about: of a fact of the model, one record per model."""
    if rule.protocol is None:
        return list({(r.model.id, r.model.weights_hash): r for r in reversed(records)}.values())[
            ::-1
        ]
    own = [record for record in records if record.protocol.name == rule.protocol]
    if not own:
        has = sorted({record.protocol.name for record in records})
        raise UserError(
            f"rule {rule.text!r}: no record of {rule.protocol!r} was given"
            f"{nearest(rule.protocol, has)} (records of: {', '.join(has)})"
        )
    return own


def _baseline(rule: Rule, record: Record, baselines: Sequence[Record]) -> Record:
    """The baseline of a record: of its protocol and its settings."""
    if rule.of_model and baselines:
        return _baseline_of_fact(rule, record, baselines)
    own = [base for base in baselines if base.protocol.name == record.protocol.name]
    if not own:
        raise UserError(
            f"rule {rule.text!r}: there is no baseline of {record.protocol.name}; name one with "
            "--baseline, or make one with `facebench gate --update`"
        )
    fit = [base for base in own if _alike(base, record)]
    if not fit:
        others = dict.fromkeys(f"{base.similarity} and {base.pooling}" for base in own)
        raise UserError(
            f"rule {rule.text!r}: no baseline of {record.protocol.name} has {record.similarity} "
            f"and {record.pooling}, as {record.model.id} has (there is: {'; '.join(others)}); "
            "evaluate both alike, or name another with --baseline"
        )
    # Two that have learned the same kind of similarity differ in what they have learned.
    alike = [base for base in fit if base.similarity == record.similarity] or fit
    if len(alike) > 1:
        models = ", ".join(f"{base.model.id} {base.digest()[:8]}" for base in alike)
        raise UserError(
            f"rule {rule.text!r}: {len(alike)} baselines of {record.protocol.name} fit ({models}); "
            "keep one"
        )
    return alike[0]


def _baseline_of_fact(rule: Rule, record: Record, baselines: Sequence[Record]) -> Record:
    """The baseline of a fact of the model: the record's own where there is one, else all, which
    must then tell the same.
    """
    own = [base for base in baselines if base.protocol.name == record.protocol.name]
    fit = [base for base in own if _alike(base, record)] or baselines
    told = {_fact(rule, base): base.model.id for base in fit}
    if len(told) > 1:
        values = ", ".join(f"{model} {value:,}" for value, model in told.items())
        raise UserError(
            f"rule {rule.text!r}: the baselines of {record.model.id} differ in {rule.statistic} "
            f"({values}); name one with --baseline"
        )
    return fit[0]


def _alike(base: Record, record: Record) -> bool:
    """Whether similarity and pooling are the same, whatever the similarity has learned."""
    kinds = [one.similarity.partition("(")[0] for one in (base, record)]
    return kinds[0] == kinds[1] and base.pooling == record.pooling


def _fact(rule: Rule, record: Record) -> float | int:
    value: float | int | None = getattr(record.model, rule.statistic)
    if value is None:
        raise UserError(
            f"rule {rule.text!r}: the record of {record.model.id} does not tell its "
            f"{rule.statistic}; leave the rule out, or evaluate a model with a card"
        )
    return value
