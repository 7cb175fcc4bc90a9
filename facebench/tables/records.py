"""Records as tables: one per protocol and data set, a row per model, the first the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from facebench.comparison.paired import corrected, paired_with_first
from facebench.records.comparability import group_records, names_of, require_comparable, told_apart
from facebench.records.record import Record
from facebench.tables.columns import RecordColumn, StatisticColumns, statistic_columns
from facebench.tables.groups.rates import group_tables
from facebench.tables.table import Cell, Table, TableRow, columns_of
from facebench.tables.text import (
    SEARCHES,
    failures_cell,
    labelled,
    protocol_text,
    size_cells,
    size_headings,
    sizes_text,
    versus_cell,
)


def record_tables(records: Sequence[Record]) -> list[Table]:
    """One table per protocol and data set, in the records' order, and after it those of groups."""
    return [
        table
        for alike in group_records(records)
        for table in (record_table(alike), *group_tables(alike))
    ]


def record_table(records: Sequence[Record]) -> Table:
    """The table of records of the same data; UserError where they are not."""
    for record in records[1:]:
        require_comparable(records[0], record)
    of_kind = statistic_columns(records)
    columns = _columns(records, of_kind)
    rows = [
        TableRow(tuple(column.cell(record) for column in columns), (record,)) for record in records
    ]
    first = records[0]
    title = f"{protocol_text(first)} · {first.protocol.title} · {first.data.name}"
    return Table(
        title=labelled(title, first.data.kind),
        columns=columns_of(*(column.heading for column in columns)),
        rows=tuple(rows),
        notes=tuple(_notes(records, of_kind)),
        notice=first.data.notice,
        signatures=tuple(record.signature for record in records),
    )


def _columns(records: Sequence[Record], of_kind: StatisticColumns) -> list[RecordColumn]:
    named = {r.digest(): own for r, own in zip(records, told_apart(records), strict=True)}
    headline, *others = of_kind.columns
    return [
        RecordColumn("model", lambda r: Cell(r.model.id, named[r.digest()])),
        headline,
        *_versus_column(records),
        *others,
        RecordColumn("FTA %", failures_cell),
        *(_size_column(heading) for heading in size_headings([r.model for r in records])),
    ]


def _size_column(heading: str) -> RecordColumn:
    return RecordColumn(heading, lambda r: size_cells(r.model)[heading])


def _versus_column(records: Sequence[Record]) -> Iterator[RecordColumn]:
    """Each against the first, where any can be tested."""
    first, *others = records
    found = corrected(paired_with_first(first, others))
    paired = {r.digest(): one for r, one in zip(others, found, strict=True)}
    if any(one.tested for one in found):
        yield RecordColumn(
            "vs first",
            lambda r: Cell("reference") if r is first else versus_cell(paired[r.digest()]),
        )


def _notes(records: Sequence[Record], of_kind: StatisticColumns) -> list[str]:
    first = records[0]
    return [
        data_line(first),
        *not_published(first),
        f"alignment: {_values(records, lambda r: r.alignment)}",
        f"similarity: {_values(records, lambda r: r.similarity)}; pooling: "
        f"{_values(records, lambda r: r.pooling)}; threshold rule: "
        f"{_values(records, lambda r: r.rule)}",
        *_searched_by(records),
        of_kind.spread,
        f"FTA: share of {_unit(first)} with a face that was not acquired; they stay in every "
        "number.",
        sizes_text([r.model for r in records]),
        *of_kind.remarks,
        *_noted(records),
        *([versus_line(first)] if len(records) > 1 else []),
    ]


def _searched_by(records: Sequence[Record]) -> list[str]:
    """What made the candidates of searches, on which no number depends."""
    if not any(record.run.searched_by for record in records):
        return []
    return [f"searched by: {_values(records, lambda r: r.run.searched_by)}, decided exactly"]


def data_line(first: Record) -> str:
    """What a table is of: the data, the comparisons, and their people."""
    comparisons = first.comparisons
    subjects = "unknown" if comparisons.subjects is None else f"{comparisons.subjects:,}"
    parts = "folds" if first.statistics.kind == "verification" else first.statistics.parts
    number = f"{comparisons.folds} {parts}" if comparisons.folds != 1 else f"1 {parts[:-1]}"
    return (
        f"data: {first.data.fingerprint} ({first.data.kind}), {first.data.faces:,} faces; "
        f"{comparisons.total:,} {_unit(first)} ({comparisons.mated:,} mated) in {number}, "
        f"subjects: {subjects}"
    )


def _unit(record: Record) -> str:
    return "searches" if record.protocol.kind in SEARCHES else "comparisons"


def versus_line(first: Record, column: str = "vs first") -> str:
    """What stands where models are held against the first."""
    known = first.comparisons.subjects is not None
    over = "people" if known else "comparisons, taken for independent"
    what = "accuracy" if first.statistics.kind == "verification" else "the first rate"
    return (
        f"{column}: difference in points of {what} [95% interval over {over}, pointwise]; p: of "
        "the same, two-sided, corrected for the number of models (Holm); ▲ ▼: below 5%, ≈: not"
    )


def not_published(record: Record) -> list[str]:
    """The line for comparisons that are not the protocol's; the notice of synthetic faces says it
    already for a twin's.
    """
    protocol, total = record.protocol, record.comparisons.total
    if record.data.kind == "synthetic":
        return []
    if protocol.published_comparisons not in (0, total):
        what = f"{total:,} {_unit(record)}, the protocol has {protocol.published_comparisons:,}"
    elif protocol.published_list is False:
        parts = "folds" if record.statistics.kind == "verification" else record.statistics.parts
        what = f"other {total:,} {_unit(record)} or {parts} than the protocol's"
    else:
        return []
    return [f"NOT THE PUBLISHED LIST: {what}; not comparable with published numbers"]


def _noted(records: Sequence[Record]) -> list[str]:
    """What the records note, each line once, and of whom where it is not of all."""
    by_note: dict[str, list[str]] = {}
    for name, record in zip(names_of(records), records, strict=True):
        for note in record.notes:
            by_note.setdefault(note, []).append(name)
    return [
        f"note: {note}" if len(models) == len(records) else f"note ({', '.join(models)}): {note}"
        for note, models in by_note.items()
    ]


def _values(records: Sequence[Record], what: Callable[[Record], str]) -> str:
    """The value that all records share, or all values."""
    found = list(dict.fromkeys(what(record) for record in records))
    return found[0] if len(found) == 1 else f"{'; '.join(found)} (which: see the signatures)"
