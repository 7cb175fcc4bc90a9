"""Models on a protocol as it is and on degraded faces: what each loses, and how they compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.comparison.paired import Paired, corrected, paired_with_first
from facebench.faces.degrade.names import Degradation
from facebench.protocols.cards import split_name
from facebench.records.comparability import measured_otherwise, method_of, names_of
from facebench.records.frames import Scalar, Shown, frame_of
from facebench.records.record import Record
from facebench.records.sections import AccuracySection, Estimate, IntervalSection
from facebench.records.statistics import statistics_in

if TYPE_CHECKING:
    from pandas import DataFrame

UNDEGRADED = "as it is"


@dataclass(frozen=True)
class DegradedColumn:
    """One degradation, None: the faces as they are. records: of every model, None: there is none;
    paired: of every model against the first, corrected among them, None: nothing to test.
    """

    degradation: Degradation | None
    records: tuple[Record | None, ...]
    paired: tuple[Paired | None, ...]

    @property
    def name(self) -> str:
        """``14px``, or ``as it is``."""
        return UNDEGRADED if self.degradation is None else str(self.degradation)


@dataclass(frozen=True)
class DegradationSweep(Shown):
    """Models in the order in which they came, the first of which is the reference, on one protocol
    under several degradations, the faces as they are first.
    """

    protocol: str
    models: tuple[str, ...]
    columns: tuple[DegradedColumn, ...]

    @cached_property
    def records(self) -> list[Record]:
        """All that there are."""
        return [one for column in self.columns for one in column.records if one is not None]

    def to_frame(self) -> DataFrame:
        """One row for every model under every degradation: its headline statistic and interval, and
        the difference from the first model.
        """
        return frame_of(self.rows())

    def rows(self) -> list[dict[str, Scalar]]:
        """The same as plain rows; shares in full precision."""
        return [
            _row(self, number, column)
            for number in range(len(self.models))
            for column in self.columns
            if column.records[number] is not None
        ]


def shown_interval(headline: Estimate) -> IntervalSection | None:
    """The interval of a headline that tables show: over people wherever they are known."""
    return headline.shown if isinstance(headline, AccuracySection) else headline.interval


def sweep_of(records: Sequence[Record]) -> DegradationSweep:
    """Records of one protocol, degraded and not, by model and degradation.

    UserError: none, records of several protocols or data, or two of one cell.
    """
    if not records:
        raise UserError("a sweep over degradations needs at least one record")
    bases = {split_name(record.protocol.name)[0] for record in records}
    if len(bases) > 1:
        raise UserError(
            f"records are of several protocols ({', '.join(sorted(bases))}); give those of one, "
            "degraded or not"
        )
    degradations = _in_order(split_name(record.protocol.name)[1] for record in records)
    rows = list(dict.fromkeys(map(_model_of, records)))
    cells: dict[tuple[object, Degradation | None], Record] = {}
    for record in records:
        _require_alike(records[0], record)
        place = _model_of(record), split_name(record.protocol.name)[1]
        if place in cells and cells[place].digest() != record.digest():
            raise UserError(
                f"{record.model.id} has two records on {record.protocol.name}; give one of each"
            )
        cells[place] = record
    firsts = [next(r for r in records if _model_of(r) == row) for row in rows]
    columns = [
        _column(degradation, [cells.get((row, degradation)) for row in rows])
        for degradation in degradations
    ]
    return DegradationSweep(bases.pop(), tuple(names_of(firsts)), tuple(columns))


def _in_order(found: Iterable[Degradation | None]) -> list[Degradation | None]:
    """Each once, the faces as they are first."""
    return sorted(dict.fromkeys(found), key=lambda one: one is not None)


def _model_of(record: Record) -> tuple[object, ...]:
    model = record.model
    return model.id, model.weights_hash, model.variant, model.preprocessing, method_of(record)


def _require_alike(first: Record, record: Record) -> None:
    """UserError where records differ in more of their measure than the degradation."""
    own, others = (f"|protocol:{one.protocol.name}." for one in (first, record))
    plain = record.model_copy(update={"signature": record.signature.replace(others, own)})
    if wrong := measured_otherwise(first, plain):
        raise UserError(
            f"{first.model.id} on {first.protocol.name} and {record.model.id} on "
            f"{record.protocol.name} differ in {'; '.join(wrong)}: evaluate both alike"
        )


def _column(degradation: Degradation | None, records: Sequence[Record | None]) -> DegradedColumn:
    first, *others = records
    paired: list[Paired | None] = [None] * len(records)
    if first is not None:
        there = [number for number, one in enumerate(others, 1) if one is not None]
        found = paired_with_first(first, [one for one in others if one is not None])
        for number, one in zip(there, corrected(found), strict=True):
            paired[number] = one
    return DegradedColumn(degradation, tuple(records), tuple(paired))


def _row(sweep: DegradationSweep, number: int, column: DegradedColumn) -> dict[str, Scalar]:
    record, paired = column.records[number], column.paired[number]
    assert record is not None
    headline = record.statistics.headline
    interval = shown_interval(headline)
    versus = paired.interval if paired else None
    return {
        "model": sweep.models[number],
        "protocol": record.protocol.name,
        "degradation": str(column.degradation or ""),
        "data": record.data.fingerprint,
        "data_kind": record.data.kind,
        "statistic": statistics_in(record)[0],
        "value": headline.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "difference": paired.difference if paired else None,
        "difference_low": versus.low if versus else None,
        "difference_high": versus.high if versus else None,
        "p_value": paired.p_value if paired else None,
        "p_holm": paired.adjusted if paired else None,
        "verdict": paired.verdict if paired else None,
        "signature": record.signature,
    }
