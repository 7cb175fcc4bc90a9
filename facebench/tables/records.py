"""What a table shows, as text and before any format: title, columns, cells, caption, notice.

Every format renders the same `TableView`, so none can forget the label of synthetic faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from facebench.base.text import count_text, ratio_text, size_text
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.paired import corrected, paired_with_first
from facebench.records.comparability import group_records, require_comparable, told_apart
from facebench.records.record import Record
from facebench.tables import fold_columns, rate_columns
from facebench.tables.text import Cell, Column, failures_cell, versus_cell

_SEARCHES = ("identification", "template-search")
_KINDS: dict[str, ModuleType] = {"verification": fold_columns, "rates": rate_columns}


@dataclass(frozen=True)
class Row:
    """One model: a cell per column, and the record behind them."""

    cells: tuple[Cell, ...]
    record: Record


@dataclass(frozen=True)
class TableView:
    """One table of one protocol on one data set; notice: what must not be overlooked, or None."""

    title: str
    notice: str | None
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: tuple[str, ...]

    @property
    def records(self) -> list[Record]:
        """The records behind the rows."""
        return [row.record for row in self.rows]


def views_of(records: Sequence[Record]) -> list[TableView]:
    """One table per protocol and data set, in the records' order."""
    return [view_of(group) for group in group_records(records)]


def view_of(records: Sequence[Record]) -> TableView:
    """The table of records of the same data; UserError where they are not."""
    for record in records[1:]:
        require_comparable(records[0], record)
    columns = _columns(records)
    rows = tuple(
        Row(tuple(column.cell(record) for column in columns), record) for record in records
    )
    first = records[0]
    return TableView(
        title=_title(first),
        notice=first.data.notice,
        headings=tuple(column.heading for column in columns),
        rows=rows,
        caption=tuple(_caption(records)),
    )


def _title(record: Record) -> str:
    label = f"{SYNTHETIC_LABEL} · " if record.data.kind == "synthetic" else ""
    protocol = record.protocol
    name = f"{protocol.name} v{protocol.version}{protocol.edition}"
    return f"{label}{name} · {protocol.title} · {record.data.name}"


def _columns(records: Sequence[Record]) -> list[Column]:
    first = records[0]
    kind = _KINDS[first.statistics.kind]
    named = {r.digest(): own for r, own in zip(records, told_apart(records), strict=True)}
    columns = [
        Column("model", lambda r: Cell(r.model.id, named[r.digest()])),
        kind.headline_column(first),
    ]
    others = records[1:]
    found = corrected(paired_with_first(first, others))
    paired = {r.digest(): one for r, one in zip(others, found, strict=True)}
    if any(one.tested for one in found):
        columns.append(
            Column(
                "vs first",
                lambda r: Cell("reference") if r is first else versus_cell(paired[r.digest()]),
            )
        )
    columns += [
        *kind.other_columns(first),
        Column("FTA %", failures_cell),
        Column("kept", lambda r: Cell(count_text(r.model.kept_parameters))),
        Column("ratio", lambda r: Cell(ratio_text(r.model.compression_ratio))),
        Column("size", lambda r: Cell(size_text(r.model.bytes))),
    ]
    return columns


def _caption(records: Sequence[Record]) -> list[str]:
    first = records[0]
    kind = _KINDS[first.statistics.kind]
    return [
        _data_line(first),
        *_not_published(first),
        f"alignment: {_values(records, lambda r: r.alignment)}",
        f"similarity: {_values(records, lambda r: r.similarity)}; pooling: "
        f"{_values(records, lambda r: r.pooling)}; threshold rule: "
        f"{_values(records, lambda r: r.rule)}",
        kind.spread_line(first),
        f"FTA: share of {_unit(first)} with a face that was not acquired; they stay in every "
        "number. kept, ratio: weights kept, and their share of the baseline's",
        *kind.remarks(records),
        *_notes(records),
        *([_versus_line(first)] if len(records) > 1 else []),
    ]


def _data_line(first: Record) -> str:
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
    return "searches" if record.protocol.kind in _SEARCHES else "comparisons"


def _versus_line(first: Record) -> str:
    known = first.comparisons.subjects is not None
    over = "people" if known else "comparisons, taken for independent"
    what = "accuracy" if first.statistics.kind == "verification" else "the first rate"
    return (
        f"vs first: difference in points of {what} [95% interval over {over}, pointwise]; p: of "
        "the same, two-sided, corrected for the number of models (Holm); ▲ ▼: below 5%, ≈: not"
    )


def _not_published(record: Record) -> list[str]:
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


def _notes(records: Sequence[Record]) -> list[str]:
    """What the records note, each line once, and of whom where it is not of all."""
    by_note: dict[str, list[str]] = {}
    for record in records:
        for note in record.notes:
            by_note.setdefault(note, []).append(record.model.id)
    return [
        f"note: {note}" if len(models) == len(records) else f"note ({', '.join(models)}): {note}"
        for note, models in by_note.items()
    ]


def _values(records: Sequence[Record], what: Callable[[Record], str]) -> str:
    """The value that all records share, or all values."""
    found = list(dict.fromkeys(what(record) for record in records))
    return found[0] if len(found) == 1 else f"{'; '.join(found)} (which: see the signatures)"
