"""Numbers of records as the text of table cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facebench.base.text import percent, points
from facebench.comparison.paired import Paired
from facebench.records.record import Record
from facebench.records.sections import Estimate, IntervalSection


@dataclass(frozen=True)
class Cell:
    """A value and, beside or below it, its interval or remark."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class Column:
    """A heading, and the cell of each record of the table."""

    heading: str
    cell: Callable[[Record], Cell]


def versus_cell(paired: Paired) -> Cell:
    """Against the reference: difference, mark and p-value, and the interval; or why not."""
    if not paired.tested:
        return Cell("–", paired.why)
    text = f"{points(paired.difference)} {paired.mark}".rstrip()
    if paired.deciding_p is not None:
        p = "p < 0.001" if paired.deciding_p < 0.001 else f"p = {paired.deciding_p:.3f}"
        text = f"{text} {p}"
    if paired.interval is None:
        return Cell(text)
    low, high = points(paired.interval.low), points(paired.interval.high)
    return Cell(text, f"[{low}, {high}]")


def estimate_cell(estimate: Estimate) -> Cell:
    """A value in percent, and its interval."""
    return Cell(percent(estimate.value), interval_text(estimate.interval))


def failures_cell(record: Record) -> Cell:
    """The share of comparisons with a failure to acquire."""
    failures = record.failures_to_acquire
    detail = f"{failures.faces:,} faces" if failures.faces else ""
    return Cell(percent(failures.share), detail)


def interval_text(interval: IntervalSection | None) -> str:
    """``[low, high]`` in percent, or nothing."""
    return f"[{percent(interval.low)}, {percent(interval.high)}]" if interval else ""
