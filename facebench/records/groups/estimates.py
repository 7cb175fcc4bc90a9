"""The numbers of a record's groups one by one, as frames and exports have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facebench.records.groups.sections import GroupPointSection, GroupRateSection, GroupsSection
from facebench.records.sections import IntervalSection
from facebench.statistics.groups.summaries import LARGER_IS_BETTER, RATIOS

FMR, FNMR = "group_fmr", "group_fnmr"


@dataclass(frozen=True)
class GroupEstimate:
    """A rate of one group (``group_fmr``, ``group_fnmr``), of two labels' people (``red × blue``),
    or one number of all groups, whose group is none.

    target: the FMR; far: what was reached; errors, number: of a rate; expected, p_value: of a
    number of all groups, what no difference gives and how often that is as much.
    """

    metric: str
    target: float
    column: str
    group: str | None
    value: float
    interval: IntervalSection | None
    far: float
    resolvable: bool = True
    errors: int | None = None
    number: int | None = None
    expected: float | None = None
    p_value: float | None = None

    @property
    def name(self) -> str:
        """As rules name it: ``worst_group_fnmr@0.001 by skin``."""
        return f"{self.metric}@{self.target:g} by {self.column}"

    @property
    def label(self) -> str:
        """The name, and whose it is."""
        return f"{self.name}: {self.group}" if self.group else self.name

    @property
    def larger_is_better(self) -> bool:
        return self.metric in LARGER_IS_BETTER

    @property
    def is_ratio(self) -> bool:
        """Whether it may be above 1."""
        return self.metric in RATIOS


def group_estimates(
    sections: Sequence[GroupsSection], *, usual: bool = False
) -> Iterator[GroupEstimate]:
    """All that have a value: at each FMR the numbers of all groups, then every group's own, then
    those of two labels. usual: at one FMR of each column, without those of two labels.
    """
    for section in sections:
        for point in section.points:
            if not usual or point.target == section.usual:
                yield from _of_all(section, point)
                for metric, rates in ((FMR, point.fmr_of), (FNMR, point.fnmr_of)):
                    for name, rate in zip(section.names, rates, strict=True):
                        yield from _rate(section, point, metric, name, rate)
                if not usual:
                    yield from _of_two(section, point)


def _of_all(section: GroupsSection, point: GroupPointSection) -> Iterator[GroupEstimate]:
    for one in point.summaries:
        yield GroupEstimate(
            one.name,
            point.target,
            section.column,
            None,
            one.value,
            one.interval,
            point.far,
            expected=one.expected,
            p_value=one.p_value,
        )


def _rate(
    section: GroupsSection,
    point: GroupPointSection,
    metric: str,
    group: str,
    rate: GroupRateSection,
) -> Iterator[GroupEstimate]:
    if rate.value is not None:
        yield GroupEstimate(
            metric,
            point.target,
            section.column,
            group,
            rate.value,
            rate.interval,
            point.far,
            rate.resolvable,
            rate.errors,
            rate.number,
        )


def _of_two(section: GroupsSection, point: GroupPointSection) -> Iterator[GroupEstimate]:
    """Above the diagonal, on which the groups' own stand; the matrix is the same below it."""
    for row, name in enumerate(section.names):
        for column in range(row + 1, len(point.matrix)):
            pair = f"{name} × {section.names[column]}"
            yield from _rate(section, point, FMR, pair, point.matrix[row][column])
