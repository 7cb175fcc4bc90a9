"""The section of groups as it is computed, and the labels as a record keeps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.protocols.groups.named import GroupOutcome
from facebench.records.groups.sections import (
    GroupPointSection,
    GroupRateSection,
    GroupsSection,
    GroupSummarySection,
)
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.sections import IntervalSection
from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.points import GroupPoint, Summary
from facebench.statistics.groups.rates import GroupRate
from facebench.statistics.intervals.bootstrap import Units


def groups_section(outcome: GroupOutcome) -> GroupsSection:
    """The section of a column."""
    found, labelled = outcome.statistics, outcome.labels.labelled
    return GroupsSection(
        column=outcome.labels.column,
        of=labelled.of,
        labels=outcome.labels.fingerprint,
        values=labelled.values,
        names=labelled.names,
        units=labelled.units,
        unlabelled=labelled.unlabelled,
        across=labelled.across,
        shuffled=found.shuffled,
        draws=found.draws,
        points=tuple(map(_point, found.points)),
    )


def _point(point: GroupPoint) -> GroupPointSection:
    rates = point.rates
    assert rates.accepts.target is not None  # a protocol's threshold is set for a FAR
    return GroupPointSection(
        target=rates.accepts.target,
        threshold=rates.accepts.threshold,
        far=rates.accepts.far,
        fnmr=rates.fnmr,
        fmr_of=tuple(map(_rate, rates.fmr_of)),
        fnmr_of=tuple(map(_rate, rates.fnmr_of)),
        matrix=tuple(tuple(map(_rate, row)) for row in rates.matrix),
        summaries=tuple(map(_summary, point.summaries)),
    )


def _rate(rate: GroupRate) -> GroupRateSection:
    return GroupRateSection(
        errors=rate.errors,
        number=rate.number,
        value=rate.value,
        interval=IntervalSection.of_any(rate.interval),
        resolvable=rate.resolvable,
    )


def _summary(one: Summary) -> GroupSummarySection:
    return GroupSummarySection(
        name=one.name,
        value=one.value,
        interval=IntervalSection.of_any(one.interval),
        expected=one.expected,
        p_value=one.p_value,
    )


def require_column(record: Record, column: str | None) -> GroupsSection:
    """A record's groups of a column, None: of its only one. UserError: there is none, in one line,
    or several to choose from.
    """
    there = [one.column for one in record.groups]
    if not there:
        named = column or "COLUMN"
        raise UserError(
            f"the record of {record.model.id} on {record.protocol.name} has no groups; make it "
            f"again with `facebench eval --groups {named}`"
        )
    if column is None and len(there) > 1:
        raise UserError(
            f"the record of {record.model.id} has groups by {', '.join(there)}; name one with --by"
        )
    wanted = there[0] if column is None else column.lower()
    found = next((one for one in record.groups if one.column == wanted), None)
    if found is None:
        hint = nearest(wanted, there)
        again = "" if hint else f"; make it again with `facebench eval --groups {wanted}`"
        raise UserError(
            f"the record of {record.model.id} on {record.protocol.name} has no groups by "
            f"{wanted!r}{hint} (it has {', '.join(there)}){again}"
        )
    return found


def labelled_in(section: GroupsSection, table: ScoreTable) -> GroupLabels | None:
    """The labels beside a record's scores; None: they are not there."""
    sides = [table.labels.get(f"label_{side}:{section.column}") for side in "ab"]
    if sides[0] is None or sides[1] is None:
        return None
    left, right = (_positions(side) for side in sides if side is not None)
    first = second = None
    if section.of == "people" and table.left_subjects is not None:
        first, second = table.left_subjects, table.right_subjects
    elif section.of == "images":
        images = [table.labels.get(f"image_{side}:{section.column}") for side in "ab"]
        if images[0] is None or images[1] is None:
            return None
        first, second = (one.astype(np.int64) for one in images if one is not None)
    return GroupLabels.make(section.of, section.values, left, right, first, second)


def _positions(side: NDArray[np.uint32]) -> NDArray[np.int64]:
    return side.astype(np.int64) - 1


def units_in(table: ScoreTable) -> Units:
    """The people of a record's comparisons."""
    return Units.of(table.mated, table.left_subjects, table.right_subjects, "groups")
