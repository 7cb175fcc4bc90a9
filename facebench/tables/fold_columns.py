"""Columns and caption of verification and video: accuracy over folds, AUC, EER, TAR at FAR."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.base.text import percent
from facebench.protocols.cards import SPREAD_SHORT
from facebench.records.record import Record, folds_of
from facebench.records.sections import OperatingPointSection
from facebench.tables.text import Cell, Column, estimate_cell, interval_text


def headline_column(first: Record) -> Column:
    """Accuracy ± its spread."""
    return Column(f"accuracy % ± {SPREAD_SHORT[first.statistics.spread_kind]}", _accuracy)


def other_columns(first: Record) -> list[Column]:
    """AUC, EER, and TAR at every FAR of the card."""
    columns = [
        Column("AUC %", lambda r: estimate_cell(folds_of(r).auc)),
        Column("EER %", lambda r: estimate_cell(folds_of(r).eer)),
    ]
    for index, point in enumerate(folds_of(first).tar_at_far):
        columns.append(_tar_column(index, point.target))
    return columns


def spread_line(first: Record) -> str:
    """What ± and the intervals are."""
    statistics = folds_of(first)
    accuracy, auc = statistics.accuracy.shown, statistics.auc.interval
    kinds = dict.fromkeys(found.kind for found in (accuracy, auc) if found)
    told = " and ".join(kinds) or "none"
    return (
        f"± is the {statistics.spread_kind} over the folds; [ ] are 95% intervals, one statistic "
        f"at a time: {told}"
    )


def remarks(records: Sequence[Record]) -> list[str]:
    """What the marks in the cells mean."""
    nonmated = records[0].comparisons.nonmated
    if all(point.resolvable for r in records for point in folds_of(r).tar_at_far):
        return []
    return [
        f"‡ unresolvable: {nonmated:,} non-mated comparisons cannot tell this FAR from zero; the "
        "TAR is the one without any false accept"
    ]


def _tar_column(index: int, target: float) -> Column:
    return Column(f"TAR % @ FAR {target:g}", lambda r: _tar(folds_of(r).tar_at_far[index]))


def _accuracy(record: Record) -> Cell:
    accuracy = folds_of(record).accuracy
    text = f"{percent(accuracy.value)} ± {percent(accuracy.spread)}"
    return Cell(text, interval_text(accuracy.shown))


def _tar(point: OperatingPointSection) -> Cell:
    interval = interval_text(point.interval)
    if not point.resolvable:
        return Cell(f"({percent(point.value)}) ‡", f"at FAR {point.far:.3g}")
    if f"{point.far:.3g}" != f"{point.target:.3g}":
        interval = f"{interval} at FAR {point.far:.3g}".strip()
    return Cell(percent(point.value), interval)
