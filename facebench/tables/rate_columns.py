"""Columns and caption of the kinds whose rates are means over draws or splits."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.base.text import percent
from facebench.protocols.cards import SPREAD_SHORT
from facebench.records.record import Record
from facebench.records.sections import RateSection, RatesSection
from facebench.tables.text import Cell, Column, interval_text


def rates_of(record: Record) -> RatesSection:
    """The rates; TypeError where the record's kind has none."""
    if not isinstance(record.statistics, RatesSection):
        raise TypeError(f"{record.protocol.kind} has no rates")
    return record.statistics


def headline_column(first: Record) -> Column:
    """The first rate ± its spread."""
    return _column(rates_of(first).rates[0], 0)


def other_columns(first: Record) -> list[Column]:
    """All rates but the first."""
    others = list(enumerate(rates_of(first).rates))[1:]
    # Rates from the loosest to the strictest, then ranks from the first on.
    others.sort(key=lambda at: (at[1].name == "rank", at[1].target * (-1, 1)[at[1].name == "rank"]))
    return [_column(rate, index) for index, rate in others]


def spread_line(first: Record) -> str:
    """What ± and the intervals are."""
    statistics = rates_of(first)
    parts = f"{statistics.number_of_parts} {statistics.parts}"
    interval = statistics.headline.interval
    if statistics.headline.spread is None:
        over = f"one {statistics.parts[:-1]}, so there is no ±"
    else:
        over = f"rates are means over {parts}, ± is the {statistics.spread_kind} over them"
    kind = f"; [ ] are 95% intervals: {interval.kind}" if interval else ""
    return over + kind


def remarks(records: Sequence[Record]) -> list[str]:
    """What was searched or compared, and what the marks in the cells mean."""
    first = records[0]
    counts = rates_of(first).counts
    lines = []
    if counts:
        lines.append(", ".join(f"{number:,} {what}" for what, number in counts.items()))
    if any(rate.over_people is not None for rate in rates_of(first).rates):
        lines.append(
            "over people: every person counts once, however many of the probes or mated pairs"
        )
    if any(not rate.resolvable for r in records for rate in rates_of(r).rates):
        lines.append(
            "‡ unresolvable: the non-mated comparisons of a part are too few to tell this rate "
            "from zero; the value is the one without any false accept"
        )
    return lines


def _column(rate: RateSection, index: int) -> Column:
    mark = f" ± {SPREAD_SHORT[rate.spread_kind]}" if rate.spread is not None else ""
    if rate.name == "rank":
        heading = f"rank-{rate.target:g} %{mark}"
    else:
        heading = f"{rate.name} % @ {rate.false_rate} {rate.target:g}{mark}"
    return Column(heading, lambda r: _cell(rates_of(r).rates[index]))


def _cell(rate: RateSection) -> Cell:
    text = percent(rate.value)
    if rate.spread is not None:
        text = f"{text} ± {percent(rate.spread)}"
    detail = interval_text(rate.interval)
    if rate.over_people is not None:
        detail = f"{detail} over people {percent(rate.over_people)}".strip()
    reached = sum(rate.reached) / len(rate.reached) if rate.reached else rate.target
    if not rate.resolvable:
        return Cell(f"({text}) ‡", f"{detail} at {rate.false_rate} {reached:.2g}".strip())
    if f"{reached:.2g}" != f"{rate.target:.2g}":
        detail = f"{detail} at {rate.false_rate} {reached:.2g}".strip()
    return Cell(text, detail)
