"""What a kind of statistics puts into a table of records: its columns and what is said of them.

Over folds (verification, video): accuracy, AUC, EER, TAR at FAR. Rates (searches, templates): means
over draws or splits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facebench.base.text import percent, rate_text
from facebench.protocols.cards import SPREAD_SHORT
from facebench.records.record import Record, folds_of
from facebench.records.sections import OperatingPointSection, RateSection, RatesSection
from facebench.tables.table import DASH, Cell
from facebench.tables.text import estimate_cell, interval_text

LOW_IS_GOOD = "(low is good)"


@dataclass(frozen=True)
class RecordColumn:
    """A heading, and the cell of each record of the table. aside: as of `Column`."""

    heading: str
    cell: Callable[[Record], Cell]
    aside: bool = False


@dataclass(frozen=True)
class StatisticColumns:
    """The columns of one kind, the headline's first. spread: what ± and the intervals are; remarks:
    what was compared; signs: what marks in the cells mean.
    """

    columns: tuple[RecordColumn, ...]
    spread: str
    remarks: tuple[str, ...]
    signs: tuple[str, ...]


def statistic_columns(records: Sequence[Record]) -> StatisticColumns:
    """Of records of the same data, by the first one's kind."""
    over_folds = records[0].statistics.kind == "verification"
    return fold_columns(records) if over_folds else rate_columns(records)


def fold_columns(records: Sequence[Record]) -> StatisticColumns:
    """Accuracy ± its spread, AUC, EER, and TAR at every FAR of the card."""
    statistics = folds_of(records[0])
    columns = [
        RecordColumn(f"accuracy % ± {SPREAD_SHORT[statistics.spread_kind]}", _accuracy),
        RecordColumn("AUC %", lambda r: estimate_cell(folds_of(r).auc), aside=True),
        RecordColumn(f"EER % {LOW_IS_GOOD}", lambda r: estimate_cell(folds_of(r).eer), aside=True),
    ]
    columns += [_tar_column(*at) for at in enumerate(statistics.tar_at_far)]
    remarks: list[str] = []
    if any(folds_of(record).deployed is not None for record in records):
        columns += [_deployed_column(*one) for one in _DEPLOYED]
        remarks += _deployed_remarks(records)
    signs = tuple(_far_signs(records))
    return StatisticColumns(tuple(columns), _over_folds(records[0]), tuple(remarks), signs)


def rate_columns(records: Sequence[Record]) -> StatisticColumns:
    """The first rate ± its spread, then the others."""
    first, *others = enumerate(rates_of(records[0]).rates)
    # Rates from the loosest to the strictest, then ranks from the first on.
    others.sort(key=lambda at: (at[1].name == "rank", at[1].target * (-1, 1)[at[1].name == "rank"]))
    columns = [_rate_column(*at) for at in (first, *others)]
    depths = [found.depth for r in records if (found := rates_of(r).recall) is not None]
    if depths:
        columns.insert(1, RecordColumn(f"recall@{depths[0]} %", _recall))
    told = (tuple(_rate_remarks(records)), tuple(_rate_signs(records)))
    return StatisticColumns(tuple(columns), _over_parts(records[0]), *told)


def rates_of(record: Record) -> RatesSection:
    """The rates; TypeError where the record's kind has none."""
    if not isinstance(record.statistics, RatesSection):
        raise TypeError(f"{record.protocol.kind} has no rates")
    return record.statistics


def _over_folds(first: Record) -> str:
    statistics = folds_of(first)
    accuracy, auc = statistics.accuracy.shown, statistics.auc.interval
    kinds = dict.fromkeys(found.kind for found in (accuracy, auc) if found)
    told = " and ".join(kinds) or "none"
    return (
        f"± is the {statistics.spread_kind} over the folds; [ ] are 95% intervals, one statistic "
        f"at a time: {told}"
    )


def _far_signs(records: Sequence[Record]) -> list[str]:
    nonmated = records[0].comparisons.nonmated
    if all(point.resolvable for r in records for point in folds_of(r).tar_at_far):
        return []
    return [
        f"‡ {nonmated:,} non-mated comparisons cannot tell this FAR from zero: the TAR without any "
        "false accept"
    ]


def _tar_column(index: int, point: OperatingPointSection) -> RecordColumn:
    heading = f"TAR % at FAR {rate_text(point.target)}"
    return RecordColumn(heading, lambda r: _tar(folds_of(r).tar_at_far[index]), aside=True)


_DEPLOYED = (("FMR", "fmr"), ("FNMR", "fnmr"), ("accuracy", "accuracy"))


def _deployed_column(heading: str, name: str) -> RecordColumn:
    def cell(record: Record) -> Cell:
        deployed = folds_of(record).deployed
        return Cell(DASH) if deployed is None else estimate_cell(getattr(deployed, name))

    return RecordColumn(f"{heading} % at the deployed threshold", cell, aside=True)


def _deployed_remarks(records: Sequence[Record]) -> list[str]:
    told: dict[str, None] = {}
    for record in records:
        if (deployed := folds_of(record).deployed) is not None:
            half = f", of the other half of the {deployed.half}" if deployed.half else ""
            told[
                f"the deployed threshold of {record.model.id}: {deployed.threshold:.4f}, set on "
                f"{deployed.protocol} for FMR {rate_text(deployed.far)} and held fixed{half}"
            ] = None
    return list(told)


def _accuracy(record: Record) -> Cell:
    accuracy = folds_of(record).accuracy
    text = f"{percent(accuracy.value)} ± {percent(accuracy.spread)}"
    return Cell(text, interval_text(accuracy.shown))


def _tar(point: OperatingPointSection) -> Cell:
    interval = interval_text(point.interval)
    if not point.resolvable:
        return Cell(f"({percent(point.value)}) ‡", f"at FAR {reached_text(point.far)}")
    if f"{point.far:.3g}" != f"{point.target:.3g}":
        interval = f"{interval} at FAR {reached_text(point.far)}".strip()
    return Cell(percent(point.value), interval)


def reached_text(share: float) -> str:
    """A false rate that was reached, in percent: ``0.0667%``."""
    return rate_text(float(f"{share:.3g}"))


def _over_parts(first: Record) -> str:
    statistics = rates_of(first)
    parts = f"{statistics.number_of_parts} {statistics.parts}"
    interval = statistics.headline.interval
    if statistics.headline.spread is None:
        over = f"one {statistics.parts[:-1]}, so there is no ±"
    else:
        over = f"rates are means over {parts}, ± is the {statistics.spread_kind} over them"
    kind = f"; [ ] are 95% intervals: {interval.kind}" if interval else ""
    return over + kind


def _recall(record: Record) -> Cell:
    found = rates_of(record).recall
    return Cell(DASH) if found is None else Cell(percent(found.all), f"@1 {percent(found.first)}")


def _rate_remarks(records: Sequence[Record]) -> list[str]:
    first = records[0]
    counts = rates_of(first).counts
    lines = []
    if counts:
        lines.append(", ".join(f"{number:,} {what}" for what, number in counts.items()))
    if any(rate.over_people is not None for rate in rates_of(first).rates):
        lines.append(
            "over people: every person counts once, however many of the probes or mated pairs"
        )
    return lines


def _rate_signs(records: Sequence[Record]) -> list[str]:
    lines = []
    if (recall := rates_of(records[0]).recall) is not None:
        lines.append(
            f"APPROXIMATE SEARCH by {recall.index}: recall is what it returned of the "
            f"{recall.depth} nearest faces, @1 of the nearest, of {recall.probes:,} probes; rates "
            "are not comparable with exact searches"
        )
    if all(rate.resolvable for r in records for rate in rates_of(r).rates):
        return lines
    return [
        *lines,
        "‡ the non-mated comparisons of a part cannot tell this rate from zero: the value without "
        "any false accept",
    ]


def _rate_column(index: int, rate: RateSection) -> RecordColumn:
    mark = f" ± {SPREAD_SHORT[rate.spread_kind]}" if rate.spread is not None else ""
    if rate.name == "rank":
        heading = f"rank-{rate.target:g} %{mark}"
    else:
        heading = f"{rate.name} % at {rate.false_rate} {rate_text(rate.target)}{mark}"
    return RecordColumn(heading, lambda r: _rate(rates_of(r).rates[index]), aside=index > 0)


def _rate(rate: RateSection) -> Cell:
    text = percent(rate.value)
    if rate.spread is not None:
        text = f"{text} ± {percent(rate.spread)}"
    detail = interval_text(rate.interval)
    if rate.over_people is not None:
        detail = f"{detail} over people {percent(rate.over_people)}".strip()
    reached = sum(rate.reached) / len(rate.reached) if rate.reached else rate.target
    if not rate.resolvable:
        return Cell(f"({text}) ‡", f"{detail} at {rate.false_rate} {reached_text(reached)}".strip())
    if f"{reached:.2g}" != f"{rate.target:.2g}":
        detail = f"{detail} at {rate.false_rate} {reached_text(reached)}".strip()
    return Cell(text, detail)
