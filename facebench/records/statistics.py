"""The statistics that a report's column may name, and their value in a record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from facebench.base.errors import UserError, nearest
from facebench.base.text import rate_text
from facebench.records.costs import COST_STATISTICS, cost_unit
from facebench.records.groups.named import GroupStatistic, group_statistic, require_point
from facebench.records.record import Record
from facebench.records.sections import (
    COUNTED_LATER,
    AccuracySection,
    Estimate,
    IntervalSection,
    OperatingPointSection,
    RateSection,
    RatesSection,
    VerificationSection,
)

Family = Literal["protocol", "members", "model", "layer", "card", "diagnostic", "cost", "groups"]
Unit = Literal["percent", "ratio", "count", "bytes", "plain"]

OVER_FOLDS = ("accuracy", "auc", "eer")
AT_DEPLOYED = ("accuracy@deployed", "fmr@deployed", "fnmr@deployed")
OF_MODELS = (
    "parameters",
    "kept_parameters",
    "compression_ratio",
    "bytes",
    *COUNTED_LATER,
    "bytes_per_face",
)
OF_LAYERS = ("layer:output", "layer:parameters")
OF_CARDS = ("card:sparsified", "card:parent", "card:structure", "card:width", "card:images")
DIAGNOSTIC = "diagnostic:"
MEMBERS = "members:"  # the mean over an ensemble's members
_OPERATING = re.compile(
    r"(?P<name>TAR|DIR)@FAR=(?P<far>[0-9.eE+-]+)|TPIR@FPIR=(?P<fpir>[0-9.eE+-]+)"
)
_RANK = re.compile(r"rank-[1-9][0-9]*")
_EXAMPLES = ("TAR@FAR=0.001", "DIR@FAR=0.01", "TPIR@FPIR=0.01", "rank-1", "rank-5")
KNOWN = (
    *OVER_FOLDS,
    *AT_DEPLOYED,
    *_EXAMPLES,
    *OF_MODELS,
    *OF_LAYERS,
    *OF_CARDS,
    "members:accuracy",
    f"{DIAGNOSTIC}<name>",
    *COST_STATISTICS,
)
_UNITS: dict[str, Unit] = {
    "parameters": "count",
    "kept_parameters": "count",
    "layer:parameters": "count",
    "card:images": "count",
    "compression_ratio": "ratio",
    "bytes": "bytes",
    "packed_bytes": "bytes",
    "packed_int8_bytes": "bytes",
    "multiply_adds": "count",
    "kept_multiply_adds": "count",
    "bytes_per_face": "count",
}
OF_PROTOCOLS = (*OVER_FOLDS, *AT_DEPLOYED, "tar@0.001", "dir@0.01", "tpir@0.01", "rank-1")
NAMED = (*OF_PROTOCOLS, *OF_MODELS)  # as people write them in rules and on the command line
_AT = re.compile(
    r"(?P<name>tar|dir|tpir)@(?:(?P<kind>far|fpir)=)?(?P<target>[0-9.]+(?:e-?[0-9]+)?)"
)


@dataclass(frozen=True)
class Measured:
    """One statistic of one record: shares, with the interval that tables and gates show.

    headline: whether it is the number that paired tests are of; parts: of every fold, draw, split.
    """

    value: float
    spread: float | None
    spread_kind: str | None
    interval: IntervalSection | None
    resolvable: bool
    reached: float | None
    headline: bool


def family(statistic: str) -> Family:
    """Where a statistic's value comes from; ValueError with the nearest name where it is none."""
    named = (*OVER_FOLDS, *AT_DEPLOYED)
    if statistic in named or _RANK.fullmatch(statistic) or _share(statistic):
        return "protocol"
    name = statistic.removeprefix(MEMBERS)
    if name != statistic and (name in OVER_FOLDS or _RANK.fullmatch(name) or _share(name)):
        return "members"
    if statistic in OF_MODELS:
        return "model"
    if statistic in OF_LAYERS:
        return "layer"
    if statistic in OF_CARDS:
        return "card"
    if re.fullmatch(rf"{DIAGNOSTIC}[a-z0-9_]+", statistic):
        return "diagnostic"
    if cost_unit(statistic):
        return "cost"
    if group_statistic(statistic):
        return "groups"
    hint = nearest(statistic, KNOWN)
    raise ValueError(f"no statistic {statistic!r}{hint} ({', '.join(KNOWN)})")


def unit_of(statistic: str) -> Unit:
    """What a statistic's values are measured in."""
    of_groups = group_statistic(statistic)
    if of_groups is not None:
        return "percent" if of_groups.percent else "plain"
    if family(statistic) in ("protocol", "members"):
        return "percent"
    return cost_unit(statistic) or _UNITS.get(statistic, "plain")


def find_statistic(record: Record, statistic: str) -> Measured | None:
    """A statistic's value in a record, or None: records of this protocol do not have it."""
    of_groups = group_statistic(statistic)
    if of_groups is not None:
        return _of_groups(record, of_groups)
    found = estimate_of(record, statistic)
    if found is None:
        return None
    interval = found.shown if isinstance(found, AccuracySection) else found.interval
    spread, reached, resolvable = None, None, True
    if isinstance(found, AccuracySection):
        spread = found.spread
    if isinstance(found, RateSection):
        spread, resolvable = found.spread, found.resolvable
        reached = sum(found.reached) / len(found.reached) if found.reached else None
    if isinstance(found, OperatingPointSection):
        reached, resolvable = found.far, found.resolvable
    return Measured(
        value=found.value,
        spread=spread,
        spread_kind=record.statistics.spread_kind if spread is not None else None,
        interval=interval,
        resolvable=resolvable,
        reached=reached,
        headline=found is record.statistics.headline,
    )


def _of_groups(record: Record, statistic: GroupStatistic) -> Measured | None:
    """A number of all groups; None: the record has no such groups, or too few comparisons."""
    try:
        point = require_point(record, statistic.target, statistic.column)
    except UserError:
        return None
    found = point.summary(statistic.name)
    if found is None:
        return None
    return Measured(found.value, None, None, found.interval, True, point.far, False)


def require_statistic(record: Record, statistic: str) -> Measured:
    """As `find_statistic`; UserError names what the record has where the statistic is not in it."""
    found = find_statistic(record, statistic)
    if found is None and (of_groups := group_statistic(statistic)):
        require_point(record, of_groups.target, of_groups.column)  # says what there is
        raise UserError(
            f"the record of {record.model.id} on {record.protocol.name} has no {statistic}: fewer "
            "than two groups have enough comparisons for it"
        )
    if found is None:
        has = [*statistics_in(record), *_deployed_in(record)]
        if statistic in AT_DEPLOYED:
            raise UserError(
                f"the record of {record.model.id} on {record.protocol.name} has no rates at a "
                "deployed threshold; evaluate it with --threshold FILE, as `facebench threshold` "
                "writes it"
            )
        raise UserError(
            f"records of {record.protocol.name} have no {statistic!r}{nearest(statistic, has)} "
            f"({', '.join(has)})"
        )
    return found


def statistics_in(record: Record) -> list[str]:
    """The names of all statistics that a record has, the headline first."""
    statistics = record.statistics
    if isinstance(statistics, RatesSection):
        return [rate.label for rate in statistics.rates]
    return [*OVER_FOLDS, *(f"TAR@FAR={point.target:g}" for point in statistics.tar_at_far)]


def _deployed_in(record: Record) -> tuple[str, ...]:
    found = getattr(record.statistics, "deployed", None)
    return () if found is None else AT_DEPLOYED


def estimate_of(record: Record, statistic: str) -> Estimate | None:
    """The part of a record that holds a statistic, or None."""
    statistics = record.statistics
    wanted = _normal(statistic)
    if isinstance(statistics, RatesSection):
        return next((rate for rate in statistics.rates if _normal(rate.label) == wanted), None)
    assert isinstance(statistics, VerificationSection)
    if statistic in OVER_FOLDS:
        found: Estimate = getattr(statistics, statistic)
        return found
    if statistic in AT_DEPLOYED:
        deployed = statistics.deployed
        rate: Estimate | None = getattr(deployed, statistic.partition("@")[0], None)
        return rate
    points = statistics.tar_at_far
    return next((p for p in points if _normal(f"TAR@FAR={p.target!r}") == wanted), None)


def _normal(statistic: str) -> tuple[str, float]:
    """``TAR@FAR=1e-3`` and ``TAR@FAR=0.001`` are the same."""
    name, _, target = statistic.partition("=")
    return name, float(target) if target else 0.0


def _share(statistic: str) -> bool:
    match = _OPERATING.fullmatch(statistic)
    if match is None:
        return False
    try:
        return 0 < float(match["far"] or match["fpir"]) <= 1
    except ValueError:
        return False


def statistic_name(name: str, known: Sequence[str] = NAMED) -> str:
    """``tar@0.001`` as records name it, ``TAR@FAR=0.001``; ValueError with the nearest of the known
    names.
    """
    low = name.lower()
    if low in OVER_FOLDS or low in AT_DEPLOYED or re.fullmatch(r"rank-[1-9][0-9]*", low):
        return low
    match = _AT.fullmatch(low)
    if match is None:
        raise ValueError(no_statistic(name, known))
    of = "FPIR" if match["name"] == "tpir" else "FAR"
    if match["kind"] and match["kind"].upper() != of:
        raise ValueError(f"{match['name'].upper()} is at a {of}, not a {match['kind'].upper()}")
    target = number_of(match["target"])
    if not 0 < target <= 1:
        raise ValueError(f"the {of} of {name!r} must be above 0 and at most 1")
    return f"{match['name'].upper()}@{of}={target:g}"


def statistic_text(name: str) -> str:
    """A statistic as people read it, its false rate in percent: ``TAR at FAR 0.1%``, ``EER``."""
    match = _OPERATING.fullmatch(name)
    if match is not None:
        false_rate = "FPIR" if match["fpir"] else "FAR"
        target = rate_text(float(match["far"] or match["fpir"]))
        return f"{match['name'] or 'TPIR'} at {false_rate} {target}"
    what, at, where = name.partition("@")
    if what in ("auc", "eer", "fmr", "fnmr"):
        what = what.upper()
    return f"{what} at {where}" if at else what


def no_statistic(name: str, known: Sequence[str] = NAMED) -> str:
    """That there is no such statistic, and the nearest."""
    hint = nearest(name.lower(), known)
    return f"no statistic {name!r}{hint} ({', '.join(known)})"


def number_of(text: str) -> float:
    """A number as people write it; ValueError: it is none."""
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
