"""Rules on groups: a number of all groups, and whether a smaller model's damage is unequal."""

from __future__ import annotations

from dataclasses import dataclass

from facebench.base.errors import UserError
from facebench.base.text import percent, points
from facebench.comparison.groups.damage import GroupDamage, group_damage
from facebench.gate.rules import Rule
from facebench.records.groups.made import require_column
from facebench.records.groups.named import GroupStatistic, require_point
from facebench.records.record import Record
from facebench.statistics.intervals.exact import exact_binomial

TOO_FEW_GROUPS = "fewer than two groups have enough comparisons"
_SURE = 0.999  # that more draws would not turn a verdict


def has_groups(rule: Rule, record: Record) -> bool:
    """Whether a record has the groups that a rule is of."""
    columns = [one.column for one in record.groups]
    return bool(columns) if rule.by is None else rule.by in columns


def require_groups(rule: Rule, record: Record, base: Record | None) -> None:
    """UserError where a record has no such groups, or two are labelled otherwise."""
    try:
        for one in (record, base):
            if one is None:
                continue
            require_column(one, rule.by)
            target = rule.groups.target if rule.groups is not None else rule.far
            if target is not None:
                require_point(one, target, rule.by)
        if base is not None and rule.of_damage:
            section, other = require_column(record, rule.by), require_column(base, rule.by)
            if other.word != section.word:
                raise UserError(
                    f"{base.model.id} and {record.model.id} are labelled otherwise by "
                    f"{section.column}; evaluate both with the same --groups"
                )
    except UserError as error:
        text = error.args[0].replace("name one with --by", "say which in the rule: by COLUMN")
        raise UserError(f"rule {rule.text!r}: {text}") from None


@dataclass(frozen=True)
class ToldNumber:
    """A number of all groups; low, high: its interval's ends, the number where it has none; shown,
    ends: as text; why: what is left out.
    """

    value: float
    low: float
    high: float
    shown: str
    ends: str
    why: str


def number_of_groups(rule: Rule, statistic: GroupStatistic, record: Record) -> ToldNumber | None:
    """A rule's number; None: fewer than two groups have enough comparisons."""
    section = require_column(record, rule.by)
    point = require_point(record, statistic.target, rule.by)
    found = point.summary(statistic.name)
    if found is None:
        return None
    rates = point.fnmr_of if "fnmr" in statistic.name else point.fmr_of
    shown = _text(statistic, found.value) + " %" * statistic.percent
    if statistic.name.startswith("worst_group"):
        at = next(
            n for n, rate in enumerate(rates) if rate.resolvable and rate.value == found.value
        )
        shown += f" ({section.names[at]})"
    low = high = found.value
    if found.interval is not None:
        low, high = found.interval.low, found.interval.high
    few = [n for n, rate in zip(section.names, rates, strict=True) if not rate.resolvable]
    why = f"without {', '.join(few)}, of too few pairs" if few else ""
    ends = f" [{_text(statistic, low)}, {_text(statistic, high)}]"
    return ToldNumber(found.value, low, high, shown, ends, why)


def _text(statistic: GroupStatistic, value: float) -> str:
    return percent(value) if statistic.percent else f"{value:.3f}"


def damage_of(rule: Rule, record: Record, base: Record) -> tuple[bool | None, str, str]:
    """Whether the p-value of unequal damage is at least the bound, what it is, and why not: None:
    undecided, since further draws could turn it, or nothing could be tested.
    """
    try:
        found = group_damage(base, record, rule.by, far=rule.far)
    except UserError as error:
        raise UserError(f"rule {rule.text!r}: {error}") from None
    unequal = found.found.unequal
    if unequal.p_value is None:
        return None, "no p", TOO_FEW_GROUPS
    shown = f"p = {unequal.p_value:.3f} at FMR {100 * found.target:g}%{_who(found)}"
    beyond = max(0.0, (unequal.p_value * (unequal.draws + 1) - 1) / unequal.draws)
    low, high = exact_binomial(beyond, unequal.draws, _SURE)
    if low < rule.bound <= high:
        return None, shown, f"{unequal.draws:,} draws cannot tell it from {rule.bound:g}"
    return unequal.p_value >= rule.bound, shown, ""


def _who(found: GroupDamage) -> str:
    """The groups whose FNMR rose most and least."""
    told = [
        (change.found.estimate, name)
        for name, change in zip(found.groups.names, found.found.fnmr, strict=True)
        if change.found is not None and change.resolvable
    ]
    if len(told) < 2:
        return ""
    (least, best), (most, worst) = min(told), max(told)
    return f" (FNMR {points(most)} pt {worst}, {points(least)} pt {best})"
