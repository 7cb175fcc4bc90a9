"""Which bounds of a gate's rules make sense: some model meets them, and some model does not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from facebench.errors import UserError
from facebench.reporting.cells import percent
from facebench.reporting.paired_statistics import SMALLER_IS_BETTER

if TYPE_CHECKING:
    from facebench.reporting.gate_rules import Rule

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
    """Kept parameters over those of the dense network, above 0 and at most 1."""
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
