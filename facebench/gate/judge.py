"""Records against the rules of a gate: pass, fail, or undecided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from facebench.base.errors import UserError, nearest
from facebench.base.text import percent, points
from facebench.comparison.paired import Paired, keeps_draws, paired_statistics
from facebench.comparison.power import units_to_decide
from facebench.gate.baselines import baseline_of, fact_of
from facebench.gate.groups import (
    TOO_FEW_GROUPS,
    damage_of,
    has_groups,
    number_of_groups,
    require_groups,
)
from facebench.gate.rules import Rule, Rules, Undecided, require_reachable
from facebench.records.comparability import signature_differences, told_apart
from facebench.records.frames import Shown, frame_of
from facebench.records.groups.named import GroupStatistic
from facebench.records.record import Record, template_kind
from facebench.records.sections import IntervalSection
from facebench.records.statistics import require_statistic
from facebench.statistics.paired import no_change_interval

if TYPE_CHECKING:
    from pandas import DataFrame

Judgement = Literal["pass", "fail", "undecided"]
RECORD_LEVEL = 0.95  # of the intervals that records hold
TOO_FEW = "the comparisons are too few to tell"
PASSED, FAILED, UNDECIDED_CODE = 0, 1, 3


@dataclass(frozen=True)
class Verdict:
    """One rule on one model. measured: the number and its interval, as text; why: of an outcome
    that the numbers do not tell by themselves; notice: of synthetic faces; settings: what tells the
    record from others of the model that the rule was applied to, e.g. ``joint-bayesian``;
    units_needed: of an undecided change, how many people would decide it, see `units_to_decide`.
    """

    rule: Rule
    model: str
    outcome: Judgement
    measured: str
    why: str = ""
    notice: str | None = None
    settings: str = ""
    units_needed: int | None = None

    @property
    def subject(self) -> str:
        """The model, with the settings where it was judged with several."""
        return f"{self.model} ({self.settings})" if self.settings else self.model

    @property
    def line(self) -> str:
        """One line without the outcome."""
        why = f" ({self.why})" if self.why else ""
        return f"{self.subject}: {self.rule.text}: {self.measured}{why}"


@dataclass(frozen=True)
class GateResult(Shown):
    """All verdicts; undecided: what they make of a build that has one; passed_over: a line for each
    record that was too old to be judged.
    """

    verdicts: tuple[Verdict, ...]
    undecided: Undecided
    passed_over: tuple[str, ...] = ()

    @property
    def outcome(self) -> Judgement:
        """The worst: fail before undecided before pass; an undecided one counts as was chosen."""
        outcomes = {self.counted(verdict) for verdict in self.verdicts}
        if "fail" in outcomes:
            return "fail"
        return "undecided" if "undecided" in outcomes else "pass"

    @property
    def code(self) -> int:
        """The exit code: 0 pass, 1 fail, 3 undecided."""
        return {"pass": PASSED, "fail": FAILED, "undecided": UNDECIDED_CODE}[self.outcome]

    def counted(self, verdict: Verdict) -> Judgement:
        """What a verdict counts as."""
        if verdict.outcome != "undecided" or self.undecided == "report":
            return verdict.outcome
        return "fail" if self.undecided == "fail" else "pass"

    def to_frame(self) -> DataFrame:
        """One row for every verdict; ``counts_as``: what it counts as for the build."""
        return frame_of(
            {
                "model": verdict.model,
                "settings": verdict.settings,
                "rule": verdict.rule.text,
                "outcome": verdict.outcome,
                "counts_as": self.counted(verdict),
                "measured": verdict.measured,
                "why": verdict.why,
                "units_needed": verdict.units_needed,
                "notice": verdict.notice,
            }
            for verdict in self.verdicts
        )

    def number(self, outcome: Judgement) -> int:
        """How many verdicts have this outcome."""
        return sum(verdict.outcome == outcome for verdict in self.verdicts)


def gated(
    rules: Rules,
    baselines: Sequence[Record],
    records: Sequence[Record],
    *,
    passed_over: Sequence[str] = (),
) -> GateResult:
    """Every rule on every model that records are of; a baseline is the record of its protocol.

    passed_over: see `facebench.records.newest`. A model without a record of a rule's protocol
    fails that rule: nothing tells that it holds, and an evaluation that was cut short must not
    pass. Undecided is only what was computed and told too little.
    UserError: a rule of a protocol or statistic that no record has, no baseline for a rule that
    needs one, one that cannot be compared, a rule at a level where scores or interval are missing.
    """
    if not records:
        raise UserError(
            "a gate needs at least one record: name files, folders or models that were evaluated"
        )
    tasks: list[tuple[Rule, Record, Record | None, str]] = []
    for rule in rules.rules:  # all checked before the first is computed
        own = _records_of(rule, records)
        for one, settings in zip(own, told_apart(own, of_model=rule.of_model), strict=True):
            held = baseline_of(rule, one, baselines) if rule.needs_baseline else None
            _require_told(rule, one, held)
            tasks.append((rule, one, held, settings))
    verdicts = [
        replace(_settings_named(_judge(rule, record, base), record, base), settings=settings)
        for rule, record, base, settings in tasks
    ]
    verdicts += [verdict for rule in rules.rules for verdict in _missing(rule, records)]
    return GateResult(tuple(verdicts), rules.undecided, tuple(passed_over))


def _missing(rule: Rule, records: Sequence[Record]) -> Iterator[Verdict]:
    """A failure for each model that has no record of a rule's protocol."""
    own = [record for record in records if record.protocol.name == rule.protocol]
    what = rule.protocol or ""
    if rule.of_groups:
        own = [record for record in own if has_groups(rule, record)]
        what += f" with groups{f' by {rule.by}' if rule.by else ''}"
    has = {record.model.id for record in own}
    for model in dict.fromkeys(record.model.id for record in records):
        if rule.protocol is not None and model not in has:
            why = f"evaluate {model} on {what}"
            yield Verdict(rule, model, "fail", f"no record of {what}", why)


def _require_told(rule: Rule, record: Record, base: Record | None) -> None:
    """UserError where a rule has nothing to be computed from, or nothing tells that it is as it
    was made: no gate may pass that.
    """
    for one in (record, base):
        if one is not None and one.seal is None:
            raise UserError(
                f"rule {rule.text!r}: the record of {one.model.id} on {one.protocol.name} has no "
                "seal, without which nothing tells whether it was changed; make it again with "
                "`facebench eval`"
            )
    if rule.of_groups:
        require_groups(rule, record, base)
    elif not rule.of_model:
        try:
            require_statistic(record, rule.statistic)
        except UserError as error:
            raise UserError(f"rule {rule.text!r}: {error}") from None
        if rule.of_baseline and base is not None:
            of_base = require_statistic(base, rule.statistic).value
            require_reachable(rule, of_base, base.model.id)
    if rule.of_damage:
        for one in (base, record):
            if one is not None and one.table is None:
                raise UserError(f"rule {rule.text!r}: {_without_scores(one)}")
    if rule.level is None or rule.of_damage:
        return
    if rule.change is None:
        if rule.level != RECORD_LEVEL:
            raise UserError(f"rule {rule.text!r}: records have 95% intervals; write at 95%")
        if require_statistic(record, rule.statistic).interval is None:
            raise UserError(
                f"rule {rule.text!r}: the record of {record.model.id} has no interval; evaluate it "
                "again (all pairs with --draws 1000), or leave out 'at'"
            )
        return
    for one in (base, record):
        kept = one is None or one.table is not None or keeps_draws(one, rule.statistic)
        if one is not None and not kept:
            raise UserError(f"rule {rule.text!r}: {_without_scores(one)}")


def _without_scores(record: Record) -> str:
    """Why a record cannot be compared pair by pair, and what to do."""
    again = "evaluate it again, or leave out 'at'"
    if record.scores is None:
        return f"the record of {record.model.id} keeps no scores; {again}"
    return f"{record.missing}; copy the file there, {again}"


def _judge(rule: Rule, record: Record, base: Record | None) -> Verdict:
    if rule.of_model:
        return _of_model(rule, record, base)
    if rule.groups is not None:
        return _of_groups(rule, rule.groups, record)
    if rule.of_damage:
        assert base is not None
        return _of_damage(rule, record, base)
    if rule.change is not None:
        assert base is not None
        return _of_change(rule, record, base)
    return _of_value(rule, record, base)


# What of a model's input and output two runs of one network may have set otherwise.
_SETTINGS = ("flip", "precision", "missing")


def _settings_named(verdict: Verdict, record: Record, base: Record | None) -> Verdict:
    """The verdict with the settings of both, where they differ: no gate passes over them."""
    if base is None:
        return verdict
    differ = [
        f"{one.word} {one.candidate} against {one.base}"
        for one in signature_differences(base.signature, record.signature)
        if one.word in _SETTINGS
    ]
    if base.model.template != record.model.template:
        kinds = template_kind(record.model), template_kind(base.model)
        differ.insert(0, f"template {kinds[0]} against {kinds[1]}")
    return replace(verdict, why="; ".join(filter(None, (verdict.why, *differ))))


def _of_model(rule: Rule, record: Record, base: Record | None) -> Verdict:
    """A fact of the model, in itself or over the baseline's."""
    value = fact_of(rule, record)
    shown = f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
    number: float = value
    if base is not None:
        of_base = fact_of(rule, base)
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
    outcome: Judgement = _within(rule, low, high)
    if rule.level is not None:
        assert found.interval is not None  # see _require_told
        low, high = _exact_at_the_end(found.interval, record)
        outcome = _within(rule, low, high)
        shown += f" [{percent(low)}, {percent(high)}]"
        why = TOO_FEW * (outcome == "undecided")
    if not found.resolvable:
        outcome, why = "undecided", _too_fine(rule.statistic)
    return Verdict(rule, record.model.id, outcome, shown, why, record.data.notice)


def _of_groups(rule: Rule, statistic: GroupStatistic, record: Record) -> Verdict:
    """A number of all groups; undecided where fewer than two have enough comparisons."""
    told = number_of_groups(rule, statistic, record)
    if told is None:
        return Verdict(
            rule, record.model.id, "undecided", "none", TOO_FEW_GROUPS, record.data.notice
        )
    shown, why = told.shown, told.why
    outcome: Judgement = _within(rule, told.value, told.value)
    if rule.level is not None:
        outcome = _within(rule, told.low, told.high)
        shown += told.ends
        why = "; ".join(filter(None, (TOO_FEW * (outcome == "undecided"), why)))
    return Verdict(rule, record.model.id, outcome, shown, why, record.data.notice)


def _of_damage(rule: Rule, record: Record, base: Record) -> Verdict:
    """Whether the damage to groups is not shown to be unequal."""
    holds, shown, why = damage_of(rule, record, base)
    outcome: Judgement = "undecided" if holds is None else "pass" if holds else "fail"
    return Verdict(rule, record.model.id, outcome, shown, why, record.data.notice)


def _exact_at_the_end(interval: IntervalSection, record: Record) -> tuple[float, float]:
    """A record's interval; in older records a bootstrap where all or none were right knows only
    that, and the exact bound for as many people as there are is taken.
    """
    if (interval.low, interval.high) not in ((0.0, 0.0), (1.0, 1.0)):
        return interval.low, interval.high
    units = record.comparisons.subjects or record.comparisons.total
    bound = no_change_interval(units, RECORD_LEVEL).high
    return (0.0, bound) if interval.high == 0 else (1 - bound, 1.0)


def _of_change(rule: Rule, record: Record, base: Record) -> Verdict:
    """A drop or rise against the baseline, paired."""
    level = rule.level or 0.95
    names = [rule.statistic]
    (found,) = paired_statistics(base, record, names, level=level)
    sign = -1 if rule.change == "drop" else 1
    change, why, needed = sign * found.difference, "", None
    shown = f"{points(found.difference)} pt"
    if found.interval is not None:
        shown += f" [{points(found.interval.low)}, {points(found.interval.high)}]"
    if rule.level is None:
        outcome: Judgement = _within(rule, change, change)
    elif found.interval is None:
        raise UserError(
            f"rule {rule.text!r}: no interval of {record.model.id} against {base.model.id}: "
            f"{found.why}; leave out 'at'"
        )
    else:
        ends = sorted((sign * found.interval.low, sign * found.interval.high))
        outcome = _within(rule, ends[0], ends[1])
        if outcome == "undecided":
            needed = units_to_decide(found, abs(change - rule.bound), rule.level)
            why = f"{TOO_FEW}{_would_do(found, needed)}"
    if not found.resolvable:
        outcome, why, needed = "undecided", _too_fine(rule.statistic), None
    return Verdict(
        rule, record.model.id, outcome, shown, why, record.data.notice, units_needed=needed
    )


def _would_do(found: Paired, needed: int | None) -> str:
    """How many people would decide, to two places."""
    if needed is None or found.noise is None:
        return ""
    about = round(needed, 2 - len(str(needed)))
    units = "people" if found.over_subjects else "comparisons"
    return (
        f"; about {about:,} {units} would decide it, if the change is as found; there are "
        f"{found.noise.units:,}"
    )


def _too_fine(statistic: str) -> str:
    """Why a target cannot be told from zero: 1 of all non-mated comparisons is already more."""
    false_rate, _, target = statistic.partition("@")[2].partition("=")
    needed = math.ceil(1 / float(target) - 1e-9)
    return f"{false_rate} {target} needs {needed:,} non-mated comparisons, and there are fewer"


def _within(rule: Rule, low: float, high: float) -> Judgement:
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
        models = {
            (r.model.id, r.model.weights_hash, r.model.template): r for r in reversed(records)
        }
        return list(models.values())[::-1]
    own = [record for record in records if record.protocol.name == rule.protocol]
    if not own:
        has = sorted({record.protocol.name for record in records})
        raise UserError(
            f"rule {rule.text!r}: no record of {rule.protocol!r} was given"
            f"{nearest(rule.protocol, has)} (records of: {', '.join(has)})"
        )
    if rule.of_groups:
        if not any(has_groups(rule, record) for record in own):
            require_groups(rule, own[0], None)  # says what there is
        own = [record for record in own if has_groups(rule, record)]
    return own
