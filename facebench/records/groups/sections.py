"""The section of a record on groups: every column's rates, and how far apart they are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from facebench.base.validation import Share
from facebench.records.sections import Count, IntervalSection, Section


class GroupRateSection(Section):
    """Errors of a group's comparisons of one kind; value, interval: null where it has none.

    resolvable: false where they are too few for the rate: below one over the FMR, or ten mated.
    """

    errors: Count
    number: Count
    value: Share | None
    interval: IntervalSection | None
    resolvable: bool

    @model_validator(mode="after")
    def _follows(self) -> Self:
        told = self.value is not None
        if self.errors > self.number or told != bool(self.number):
            raise ValueError("errors, number and value must be of the same comparisons")
        if self.value is not None and abs(self.value * self.number - self.errors) > 1e-6:
            raise ValueError("value must be errors over number")
        return self


class GroupSummarySection(Section):
    """One number of all groups; expected: the mean of what no difference gives; p_value: how often
    that is as much; both null without draws.
    """

    name: str
    value: float
    interval: IntervalSection | None
    expected: float | None
    p_value: Share | None


class GroupPointSection(Section):
    """Groups at the threshold for an FMR on everybody's non-mated comparisons.

    target: that FMR; far: what the threshold reached; fnmr: everybody's there; fmr_of, fnmr_of: of
    every group; matrix: FMR of people of two labels, empty where labels are not of people.
    """

    target: Share
    threshold: float
    far: Share
    fnmr: Share
    fmr_of: tuple[GroupRateSection, ...]
    fnmr_of: tuple[GroupRateSection, ...]
    matrix: tuple[tuple[GroupRateSection, ...], ...] = ()
    summaries: tuple[GroupSummarySection, ...]

    @property
    def tells(self) -> bool:
        """Whether two groups at least have enough comparisons for this FMR."""
        return sum(rate.resolvable for rate in self.fmr_of) > 1

    def summary(self, name: str) -> GroupSummarySection | None:
        """One by its name; None: too few groups have enough comparisons for it."""
        return next((one for one in self.summaries if one.name == name), None)


class GroupsSection(Section):
    """The groups of a column.

    of: what has labels; labels: their fingerprint, in the signature, too; values: the labels there
    are; names: of the groups; units: how many people, images or pairs have each label; unlabelled:
    comparisons with a side without one; across: those of two labels that are in no group together;
    shuffled: what changes its group where no difference is drawn, empty without draws; draws.
    """

    column: str
    of: Literal["people", "images", "pairs"]
    labels: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    values: Annotated[tuple[str, ...], Field(min_length=1)]
    names: Annotated[tuple[str, ...], Field(min_length=2)]
    units: tuple[Count, ...]
    unlabelled: Count
    across: Count
    shuffled: str
    draws: Count
    points: tuple[GroupPointSection, ...]

    @model_validator(mode="after")
    def _of_every_group(self) -> Self:
        number = len(self.names)
        sizes = [len(x) for point in self.points for x in (point.fmr_of, point.fnmr_of)]
        if any(size != number for size in sizes) or len(self.units) != len(self.values):
            raise ValueError("every group must have its rates, and every label its number")
        return self

    @property
    def word(self) -> str:
        """What stands in the signature."""
        return f"{self.column}={self.labels}"

    @property
    def usual(self) -> float:
        """The smallest FMR that two groups can tell from none; else the largest."""
        told = [point.target for point in self.points if point.tells]
        return min(told) if told else max(point.target for point in self.points)

    def point(self, target: float) -> GroupPointSection | None:
        """The groups at an FMR; None: it is none of the record's."""
        return next((one for one in self.points if one.target == target), None)
