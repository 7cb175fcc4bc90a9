"""Statistics of groups by the names of rules and reports: ``worst_group_fnmr@0.001 by skin``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from facebench.base.errors import UserError
from facebench.records.groups.made import require_column
from facebench.records.groups.sections import GroupPointSection, GroupSummarySection
from facebench.records.record import Record
from facebench.statistics.groups.summaries import LARGER_IS_BETTER, RATIOS, SUMMARIES

_NAMED = re.compile(
    r"(?P<name>[a-z_]+)@(?:fmr=|far=)?(?P<target>[0-9.]+(?:e-?[0-9]+)?)(?:\s+by\s+(?P<by>\S+))?",
    re.IGNORECASE,
)
PERCENT = tuple(name for name in SUMMARIES if name not in (*LARGER_IS_BETTER, "garbe", *RATIOS))


@dataclass(frozen=True)
class GroupStatistic:
    """name: of `facebench.statistics.groups.summaries.SUMMARIES`; target: the FMR; column: of the
    groups, None: the record's only one.
    """

    name: str
    target: float
    column: str | None

    @property
    def text(self) -> str:
        """As records, rules and reports name it."""
        by = f" by {self.column}" if self.column else ""
        return f"{self.name}@{self.target:g}{by}"

    @property
    def larger_is_better(self) -> bool:
        return self.name in LARGER_IS_BETTER

    @property
    def percent(self) -> bool:
        """Whether it is a rate, or a difference of rates, shown in percent."""
        return self.name in PERCENT

    @property
    def most(self) -> float:
        """The most that it can be; a ratio has no bound."""
        return float("inf") if self.name in RATIOS else 1.0


def group_statistic(text: str) -> GroupStatistic | None:
    """What a text names; None: no statistic of groups. ValueError: one without its FMR, or at one
    that there cannot be.
    """
    match = _NAMED.fullmatch(text.strip())
    name = (match["name"] if match else text.partition("@")[0]).lower()
    if name not in SUMMARIES:
        return None
    if match is None:
        raise ValueError(f"{name} is at an FMR; write e.g. {name}@0.001")
    try:
        target = float(match["target"])
    except ValueError:
        raise ValueError(f"{match['target']!r} is no number") from None
    if not 0 < target <= 1:
        raise ValueError(f"the FMR of {text!r} must be above 0 and at most 1")
    return GroupStatistic(name, target, match["by"].lower() if match["by"] else None)


def require_point(record: Record, target: float, column: str | None) -> GroupPointSection:
    """The groups of a column at an FMR; UserError names what the record has."""
    section = require_column(record, column)
    point = section.point(target)
    if point is None:
        known = [f"{one.target:g}" for one in section.points]
        raise UserError(
            f"the record of {record.model.id} on {record.protocol.name} has no groups at FMR "
            f"{target:g} (it has {', '.join(known)})"
        )
    return point


def find_summary(record: Record, statistic: GroupStatistic) -> GroupSummarySection | None:
    """A number of all groups; None: fewer than two have enough comparisons. UserError: as
    `require_point`.
    """
    return require_point(record, statistic.target, statistic.column).summary(statistic.name)
