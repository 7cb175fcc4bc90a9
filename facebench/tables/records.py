"""Records as tables: one per protocol and data set, a row per model, the first the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from facebench.base.text import plural
from facebench.comparison.paired import Paired, corrected, paired_with_first
from facebench.comparison.verdict.contest import Contest
from facebench.comparison.verdict.several import several_verdict
from facebench.comparison.verdict.single import single_verdict, warning_of
from facebench.comparison.verdict.words import comparisons_text, unit_of
from facebench.figures.pages.drawings import Contrast
from facebench.records.comparability import group_records, names_of, require_comparable, told_apart
from facebench.records.record import Record
from facebench.tables.columns import RecordColumn, StatisticColumns, statistic_columns
from facebench.tables.groups.rates import group_tables
from facebench.tables.table import Cell, Column, Table, TableRow
from facebench.tables.text import (
    DOCS,
    failures_cell,
    labelled,
    marks_text,
    p_text,
    protocol_text,
    size_cells,
    size_columns,
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
    first, *others = records
    found = corrected(paired_with_first(first, others))
    columns = _columns(records, of_kind, found)
    rows = [
        TableRow(tuple(column.cell(record) for column in columns), (record,)) for record in records
    ]
    title = f"{protocol_text(first)} · {first.protocol.title} · {first.data.name}"
    return Table(
        title=labelled(title, first.data.kind),
        columns=tuple(
            Column(column.heading, left=not at, aside=column.aside)
            for at, column in enumerate(columns)
        ),
        rows=tuple(rows),
        notes=(*_notes(records, found), *of_kind.signs),
        notice=warning_of(first),
        verdict=several_verdict(Contest.of(records, found)) if others else single_verdict(first),
        reading=tuple(_reading(records, of_kind)),
        signatures=tuple(record.signature for record in records),
        contrasts=tuple(
            Contrast(name, one, record, first)
            for name, one, record in zip(names_of(records)[1:], found, others, strict=True)
            if one.tested
        ),
    )


def _columns(
    records: Sequence[Record], of_kind: StatisticColumns, found: Sequence[Paired]
) -> list[RecordColumn]:
    named = {r.digest(): own for r, own in zip(records, told_apart(records), strict=True)}
    headline, *others = of_kind.columns
    sizes = size_columns([record.model for record in records])
    first = [_size_column(one, records[0]) for one in sizes if not one.aside]
    aside = [_size_column(one, records[0]) for one in sizes if one.aside]
    return [
        RecordColumn("model", lambda r: Cell(r.model.id, named[r.digest()])),
        *first,
        headline,
        *_versus_column(records, found),
        *others,
        RecordColumn("FTA %", failures_cell, aside=True),
        *aside,
    ]


def _size_column(column: Column, first: Record) -> RecordColumn:
    def cell(record: Record) -> Cell:
        return size_cells(record.model, first.model)[column.heading]

    return RecordColumn(column.heading, cell, column.aside)


def _versus_column(records: Sequence[Record], found: Sequence[Paired]) -> Iterator[RecordColumn]:
    """Each against the first, which the heading names, where any can be tested."""
    first, *others = records
    paired = {r.digest(): one for r, one in zip(others, found, strict=True)}
    if any(one.tested for one in found):
        yield RecordColumn(
            f"vs {names_of(records)[0]}",
            lambda r: Cell("reference") if r is first else versus_cell(paired[r.digest()]),
        )
        yield RecordColumn(
            "p",
            lambda r: Cell("" if r is first else p_text(paired[r.digest()].deciding_p)),
            aside=True,
        )


def _notes(records: Sequence[Record], found: Sequence[Paired]) -> list[str]:
    tested = [one for one in found if one.tested]
    marks = [marks_text(tested, names_of(records)[0])] if tested else []
    return [*marks, *_searched_by(records), *_noted(records)]


def _reading(records: Sequence[Record], of_kind: StatisticColumns) -> list[str]:
    first = records[0]
    return [
        data_line(first),
        f"alignment: {_values(records, lambda r: r.alignment)}",
        f"similarity: {_values(records, lambda r: r.similarity)}; pooling: "
        f"{_values(records, lambda r: r.pooling)}; threshold rule: "
        f"{_values(records, lambda r: r.rule)}",
        of_kind.spread,
        f"FTA: share of {plural(unit_of(first))} with a face that was not acquired; they "
        "stay in every number.",
        sizes_text([r.model for r in records]),
        *of_kind.remarks,
        *([versus_line(first, f"vs {names_of(records)[0]}")] if len(records) > 1 else []),
        DOCS,
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
        f"{comparisons_text(first)} ({comparisons.mated:,} mated) in {number}, "
        f"subjects: {subjects}"
    )


def versus_line(first: Record, column: str = "vs first") -> str:
    """What stands where models are held against the first."""
    known = first.comparisons.subjects is not None
    over = "people" if known else "comparisons, taken for independent"
    what = "accuracy" if first.statistics.kind == "verification" else "the first rate"
    return (
        f"{column}: difference in points of {what} [95% interval over {over}, pointwise]; p: of "
        "the same, two-sided, corrected for the number of models (Holm); ▲ ▼: below 5%, ≈: not"
    )


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
