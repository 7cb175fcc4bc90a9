"""Which records may stand in one table, and how a model compares with the table's first one."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.reporting.comparability import measure_of, require_comparable
from facebench.reporting.paired_statistics import PairedStatistic, paired_with_first
from facebench.reporting.record import Record
from facebench.reporting.report_statistics import statistics_in


def require_same_data(records: Sequence[Record]) -> None:
    """UserError unless all records may be compared with the first; see `require_comparable`."""
    for record in records[1:]:
        require_comparable(records[0], record)


def group_records(records: Sequence[Record]) -> list[list[Record]]:
    """Records by what they measure, one group per table, in order of appearance."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(measure_of(record), []).append(record)
    return list(groups.values())


def compare_paired(reference: Record, record: Record) -> PairedStatistic | None:
    """The first statistic of a record's protocol against another record's; None where a record came
    without its scores.

    UserError where the two are not of the same data.
    """
    (found,) = compare_each(reference, [record])
    return found


def compare_each(reference: Record, records: Sequence[Record]) -> list[PairedStatistic | None]:
    """`compare_paired` with each record."""
    require_same_data([reference, *records])
    found = paired_with_first(reference, records, statistics_in(reference)[0])
    return [
        one if one.p_value is not None or _has_scores(reference, record) else None
        for one, record in zip(found, records, strict=True)
    ]


def _has_scores(*records: Record) -> bool:
    return all(record.table is not None for record in records)


def data_of(record: Record) -> tuple[str, str, str]:
    """The protocol, faces and comparisons of a record."""
    protocol = record.protocol
    name = f"{protocol.name} v{protocol.version}{protocol.edition}"
    return name, record.data.fingerprint, record.comparisons.fingerprint
