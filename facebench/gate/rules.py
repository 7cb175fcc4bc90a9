"""The rules of a gate: ``lfw.accuracy drop <= 0.3pt at 95%``, ``bytes <= 0.75 of baseline``.

A rule is ``WHAT [drop|rise] <=|>= BOUND [of baseline] [at LEVEL%]``. WHAT is a statistic of a
protocol (``lfw.accuracy``, ``lfw+14px.accuracy``, ``lfw.tar@0.001``, ``lfw-open.dir@0.01``,
``lfw-closed.rank-1``) or a fact of the model (``bytes``, ``packed_bytes``, ``kept_parameters``,
``multiply_adds``). Bounds of rates are shares (``0.45``) or percent (``45%``), of a drop or rise
points of percent (``0.3pt``), of bytes also ``30MB`` (1 MB = 10⁶ bytes). A rule with a level passes
or fails only where the whole interval does, and is undecided where the interval straddles the
bound; a rule without one takes the numbers as they are. ``rfw.damage
unequal p >= 0.05`` bounds the p-value that the damage to groups is unequal (``damage@0.001`` at an
FMR); rules on groups (``rfw.worst_group_fnmr@0.001 <= 8%``) have ``by COLUMN`` where there are
several columns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from facebench.base.errors import UserError, nearest
from facebench.base.text import percent
from facebench.base.validation import read_toml, validated
from facebench.comparison.paired import SMALLER_IS_BETTER
from facebench.faces.degrade.names import split_statistic
from facebench.protocols.cards import split_name
from facebench.records.groups.named import GroupStatistic, group_statistic
from facebench.records.statistics import (
    AT_DEPLOYED,
    OF_MODELS,
    no_statistic,
    number_of,
    statistic_name,
)
from facebench.statistics.groups.summaries import SUMMARIES

Undecided = Literal["fail", "pass", "report"]
Direction = Literal["drop", "rise", "unequal"]
UNDECIDED: tuple[Undecided, ...] = ("fail", "pass", "report")
_EXAMPLE = "lfw.accuracy drop <= 0.3pt at 95%"
_RULE = re.compile(
    r"(?P<what>[^\s<>]+)(?:\s+by\s+(?P<by>[^\s<>]+))?(?:\s+(?P<change>[a-z]+))?"
    r"(?P<p>\s+p)?\s*(?P<sign><=|>=)\s*"
    r"(?P<number>[-−]?[0-9.]+(?:e[-+]?[0-9]+)?)"
    r"\s*(?P<unit>[A-Za-z%]+?)?(?P<ratio>\s+of\s+baseline)?(?:\s+at\s+(?P<level>[0-9.]+)\s*%)?",
    re.IGNORECASE,
)
DAMAGE, UNEQUAL = "damage", "unequal"
_DAMAGE_EXAMPLE = "rfw.damage unequal p >= 0.05"
_GROUP_EXAMPLE = "rfw.worst_group_fnmr@0.001 by skin <= 8%"
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


@dataclass(frozen=True)
class Rule:
    """One rule. protocol: None for a fact of the model; statistic: as records name it.

    change: of what the bound is, None: of the value itself; at_most: ``<=``; bound: a share, or a
    number of the statistic's unit, or a share of the baseline's value where ``of_baseline``; level:
    of the interval that must be within the bound, None: the number itself must; groups: the
    statistic of groups that it is; by: the column of groups, where it is said.
    """

    text: str
    protocol: str | None
    statistic: str
    change: Direction | None
    at_most: bool
    bound: float
    of_baseline: bool
    level: float | None
    groups: GroupStatistic | None = None
    by: str | None = None

    @property
    def of_groups(self) -> bool:
        """Whether it takes a record with groups."""
        return self.groups is not None or self.of_damage

    @property
    def of_damage(self) -> bool:
        """Whether it is of the damage to groups, and bounds a p-value."""
        return self.change == "unequal"

    @property
    def far(self) -> float | None:
        """Of damage: the FMR, None: the smallest that groups can tell from none."""
        at = self.statistic.partition("@")[2]
        return float(at) if self.of_damage and at else None

    @property
    def needs_baseline(self) -> bool:
        return self.of_baseline or self.change is not None

    @property
    def of_model(self) -> bool:
        return self.statistic in OF_MODELS


class _RulesFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    rules: Annotated[tuple[str, ...], Field(min_length=1)]
    undecided: Undecided = "report"


@dataclass(frozen=True)
class Rules:
    """Rules, and what becomes of a build where one is undecided."""

    rules: tuple[Rule, ...]
    undecided: Undecided = "report"


def read_rules(path: Path) -> Rules:
    """The rules of a TOML file: ``rules``, a list of texts, and ``undecided``.

    UserError in one line: the file, a field, or a rule and what is wrong in it.
    """
    card = validated(_RulesFile, read_toml(path), str(path))
    return Rules(_each_once(card.rules, str(path)), card.undecided)


def parse_rules(texts: Sequence[str], undecided: Undecided = "report") -> Rules:
    """Rules that a program gives; UserError as `parse_rule`, or for another ``undecided``."""
    if undecided not in UNDECIDED:
        raise UserError(f"undecided is {undecided!r}; choose one of {', '.join(UNDECIDED)}")
    if not texts:
        raise UserError(f"a gate needs at least one rule, e.g. {_EXAMPLE!r}")
    return Rules(_each_once(texts, "rules"), undecided)


def _each_once(texts: Sequence[str], where: str) -> tuple[Rule, ...]:
    """The rules, however one is written that stands twice."""
    rules = [parse_rule(text, where) for text in texts]
    return tuple({replace(rule, text=""): rule for rule in reversed(rules)}.values())[::-1]


def parse_rule(text: str, where: str) -> Rule:
    """One rule; UserError in one line, with the nearest name where one is misspelt."""
    said = " ".join(text.split())
    match = _RULE.fullmatch(said)
    if match is None:
        example = f"rfw.{DAMAGE} by race unequal p >= 0.05" if DAMAGE in said else _EXAMPLE
        raise UserError(f"{where}: rule {said!r} cannot be read; write e.g. {example!r}")
    try:
        rule = _rule(said, match)
        require_sensible(rule)
        return rule
    except ValueError as error:
        raise UserError(f"{where}: rule {said!r}: {error}") from None


def _rule(text: str, match: re.Match[str]) -> Rule:
    if (match["change"] or "").lower() == UNEQUAL or match["p"]:
        return _of_damage(text, match)
    protocol, statistic, groups = _what(match["what"], match["by"])
    if groups is not None:
        return _of_groups(text, match, protocol, groups)
    change, at_most = _change(match["change"], match["sign"], statistic), match["sign"] == "<="
    of_baseline = match["ratio"] is not None
    level = _level(match["level"])
    if of_baseline and (change or match["unit"]):
        raise ValueError("'of baseline' takes a share, e.g. <= 0.75 of baseline")
    if of_baseline and level is not None:
        raise ValueError("a share of the baseline has no interval; write a drop, or leave out 'at'")
    if statistic in OF_MODELS and level is not None:
        raise ValueError(f"{statistic} is no estimate and has no interval; leave out 'at'")
    number = number_of(match["number"])
    if not of_baseline:
        number *= _unit(match["unit"], statistic, change)
    return Rule(text, protocol, statistic, change, at_most, number, of_baseline, level)


def _of_damage(text: str, match: re.Match[str]) -> Rule:
    """``rfw.damage@0.001 by skin unequal p >= 0.05``."""
    protocol, name = split_statistic(match["what"])
    kind, _, at = name.partition("@")
    unequal = (match["change"] or "").lower() == UNEQUAL
    whole = unequal and match["p"] is not None and match["sign"] == ">="
    if not name or not protocol or kind.lower() != DAMAGE or not whole:
        raise ValueError(f"a p-value is of the damage to groups; write {_DAMAGE_EXAMPLE!r}")
    if match["unit"] or match["ratio"] or match["level"]:
        raise ValueError(f"a p-value is a share, without more; write {_DAMAGE_EXAMPLE!r}")
    far = number_of(at.lower().removeprefix("fmr=").removeprefix("far=")) if at else None
    if far is not None and not 0 < far <= 1:
        raise ValueError(f"the FMR of {name!r} must be above 0 and at most 1")
    bound = number_of(match["number"])
    if not 0 < bound < 1:
        raise ValueError(f"a p-value is between 0 and 1; write {_DAMAGE_EXAMPLE!r}")
    statistic = DAMAGE if far is None else f"{DAMAGE}@{far:g}"
    by = match["by"].lower() if match["by"] else None
    return Rule(text, protocol, statistic, "unequal", False, bound, False, None, None, by)


def _of_groups(
    text: str, match: re.Match[str], protocol: str | None, groups: GroupStatistic
) -> Rule:
    """A number of all groups itself: what two models differ in is told by ``damage unequal``."""
    if match["change"] or match["ratio"]:
        raise ValueError(
            f"{groups.name} is bounded itself; between two models write {_DAMAGE_EXAMPLE!r}"
        )
    unit, factor = match["unit"], 1.0
    if unit == "%" or (unit and unit.lower() in ("pt", "pts")):
        if not groups.percent:
            raise ValueError(f"{groups.name} is no rate and has no unit; leave {unit!r} out")
        factor = 0.01
    elif unit:
        raise ValueError(f"unknown unit {unit!r}{nearest(unit, ('pt', '%'))}")
    bound = number_of(match["number"]) * factor
    at_most = match["sign"] == "<="
    if bound < 0 or bound > groups.most:
        raise ValueError(f"{groups.name} is from 0 to {groups.most:g}; write a bound in between")
    if at_most == groups.larger_is_better:
        right = ">=" if groups.larger_is_better else "<="
        raise ValueError(f"{groups.name} is to be bounded from the other side: write {right}")
    level, by = _level(match["level"]), groups.column
    return Rule(text, protocol, groups.text, None, at_most, bound, False, level, groups, by)


def _what(what: str, by: str | None) -> tuple[str | None, str, GroupStatistic | None]:
    """(protocol, statistic as in records, the statistic of groups that it is)."""
    if what.lower() in OF_MODELS and by is None:
        return None, what.lower(), None
    protocol, name = split_statistic(what)
    groups = group_statistic(name if by is None else f"{name} by {by}")
    if groups is not None and name and protocol:
        return protocol, groups.text, groups
    if group_statistic(what) is not None:
        raise ValueError(f"{what!r} is of which protocol? write e.g. lfw.{what}")
    meant = nearest(name.partition("@")[0].lower(), SUMMARIES)
    if (
        meant
        and name.partition("@")[2][:1].isdigit()
        and name.partition("@")[0].lower() not in ("tar", "dir", "tpir")
    ):
        raise ValueError(f"no statistic {name!r}{meant}")
    if by is not None:
        raise ValueError(
            f"'by {by}' is of groups, and {what!r} is of none; write e.g. {_GROUP_EXAMPLE!r}"
        )
    if not name or not protocol:
        try:
            statistic_name(what)
        except ValueError:
            raise ValueError(no_statistic(what)) from None
        raise ValueError(f"{what!r} is of which protocol? write e.g. lfw.{what}")
    if name.lower() in OF_MODELS:
        raise ValueError(f"{name} is the model's on every protocol; write it without {protocol!r}")
    try:
        split_name(protocol)
    except UserError as error:
        raise ValueError(str(error)) from None
    return protocol, statistic_name(name), None


def _change(word: str | None, sign: str, statistic: str) -> Direction | None:
    if word is None:
        return None
    if word.lower() not in ("drop", "rise"):
        raise ValueError(f"{word!r} is neither drop nor rise{nearest(word, ('drop', 'rise'))}")
    if sign != "<=":
        raise ValueError("a drop or rise is bounded from above: write <=")
    if statistic in OF_MODELS:
        raise ValueError(f"write {statistic} <= 0.75 of baseline, not a {word.lower()}")
    if statistic in AT_DEPLOYED:
        raise ValueError(
            f"two models have thresholds of their own, so that a {word.lower()} of {statistic} is "
            f"not paired; bound it itself: {statistic} <= 0.2% at 95%"
        )
    harm: Direction = "rise" if statistic in SMALLER_IS_BETTER else "drop"
    if word.lower() != harm:
        raise ValueError(f"a {word.lower()} of {statistic} is no harm; did you mean {harm!r}?")
    return harm


def _unit(unit: str | None, statistic: str, change: Direction | None) -> float:
    """What a bound's number is multiplied with."""
    if unit is None and change is not None:
        raise ValueError(f"a {change} is in points of percent: write e.g. 0.3pt")
    if unit is None:
        return 1.0
    if statistic in OF_MODELS:
        factor = {name.lower(): value for name, value in _BYTES.items()}.get(unit.lower())
        if not statistic.endswith("bytes") or factor is None:
            raise ValueError(f"{statistic} has no unit {unit!r}; bytes have kB, MB and GB")
        return factor
    if unit.lower() in ("pt", "pts"):
        if change is None:
            raise ValueError("'pt' is of a drop or rise; write % or a share")
        return 0.01
    if unit != "%":
        raise ValueError(f"unknown unit {unit!r}{nearest(unit, ('pt', '%'))}")
    if change is not None:
        raise ValueError("% of a drop could mean points or a share; write points, e.g. 0.3pt")
    return 0.01


def _level(text: str | None) -> float | None:
    if text is None:
        return None
    level = number_of(text)
    if not 50 <= level < 100:
        raise ValueError(f"a level of {text}% cannot be; write 50% to below 100%, e.g. 95%")
    return level / 100


_MOST_TIMES = 10  # more of a baseline was meant as percent
_RATIO = "compression_ratio"
_CHANCE = ("accuracy", "auc")


def require_sensible(rule: Rule) -> None:
    """ValueError where nothing could meet a rule, or everything would: what to write instead."""
    if not math.isfinite(rule.bound):
        raise ValueError("the bound is too large to be a number")
    if rule.bound < 0:
        gain = "; to ask for a gain write e.g. >= 1.01 of baseline" if rule.change else ""
        raise ValueError(f"a bound is 0 or more{gain}")
    if rule.of_groups:
        return  # what there cannot be is refused where it is read
    if rule.of_baseline:
        _of_baseline(rule)
    elif rule.change is not None:
        _of_change(rule)
    elif rule.statistic == _RATIO:
        _of_ratio(rule)
    elif rule.of_model:
        _of_size(rule)
    else:
        _of_rate(rule)


def require_reachable(rule: Rule, of_base: float, model: str) -> None:
    """UserError where a rate of the baseline leaves no room for the share that a rule asks for."""
    if not rule.at_most and rule.bound * of_base > 1 + 1e-9:
        most = math.floor(1000 / of_base) / 1000
        raise UserError(
            f"rule {rule.text!r}: {rule.bound:g} of the {percent(of_base)} % of {model} is more "
            f"than 100 %, which no model reaches; write at most {most:g} of baseline"
        )


def _of_baseline(rule: Rule) -> None:
    if rule.bound == 0:
        raise ValueError(
            "0 of baseline is 0, whatever the baseline is; write a share above 0, e.g. 0.75"
        )
    if rule.bound > _MOST_TIMES:
        raise ValueError(
            f"{rule.bound:g} of baseline is {rule.bound:g} times as much; write a share, e.g. "
            "0.75 for three quarters"
        )


def _of_change(rule: Rule) -> None:
    if rule.bound >= 1:
        raise ValueError(f"no {rule.change} is larger than 100pt; write fewer points, e.g. 0.3pt")


def _of_size(rule: Rule) -> None:
    """Bytes and numbers of parameters, of which every model has at least one."""
    if rule.bound >= 1:
        return
    name = rule.statistic
    if rule.bound > 0:
        sign = "<=" if rule.at_most else ">="
        raise ValueError(
            f"a bound of {name} is at least 1; did you mean '{name} {sign} {rule.bound:g} of "
            "baseline'?"
        )
    told = "no model meets this" if rule.at_most else "every model meets this"
    raise ValueError(f"{told}; write a number above 0, or e.g. 0.75 of baseline")


def _of_ratio(rule: Rule) -> None:
    """Kept parameters over those of the network it was made of, above 0 and at most 1."""
    if rule.bound > 1:
        raise ValueError(f"{_RATIO} is kept over all parameters, at most 1; write e.g. 0.75")
    if rule.bound == (1 if rule.at_most else 0):
        raise ValueError("every model meets this; write a ratio between 0 and 1")
    if rule.bound == 0:
        raise ValueError("no model meets this; write a ratio above 0")


def _of_rate(rule: Rule) -> None:
    """Statistics of protocols, from 0 to 1."""
    if rule.bound > 1:
        raise ValueError(f"a bound of {rule.bound:g} is more than all; write 0.3pt, 45% or 0.45")
    if rule.bound == (1 if rule.at_most else 0):
        raise ValueError("every model meets this; write a share between 0 and 1")
    if rule.statistic in _CHANCE and not rule.at_most and rule.bound < 0.5:
        raise ValueError(
            f"{rule.bound:.3g} is below the 0.5 that chance gives; write percent as 95%, or a "
            "share as 0.95"
        )
    best = 0 if rule.at_most else 1
    if rule.bound == best and rule.level is not None:
        raise ValueError(
            f"an interval never ends at {best:.0%}, so that this cannot pass; write a bound that "
            "leaves room, or leave out 'at'"
        )
    if rule.bound == 0 and rule.statistic not in SMALLER_IS_BETTER:
        raise ValueError("only a model that is never right meets this; did you mean >=?")
