"""A filled report card as a table: its cells as text, and what the signs in them mean."""

from __future__ import annotations

from collections.abc import Iterator

from facebench.base.text import count_text, percent, points, ratio_text, size_text
from facebench.records.record import Record
from facebench.records.statistics import Unit
from facebench.reports.card import ReportCard, ReportColumn
from facebench.reports.cells import FilledCard, FilledCell, FilledRow
from facebench.reports.facts import Fact
from facebench.tables.table import DASH, Cell, Column, Table, TableRow
from facebench.tables.text import interval_text, points_text, protocol_text, versus_text

MISSING = "missing"
_FEW = 3  # references that are worth naming


def report_table(filled: FilledCard) -> Table:
    """The table, with the records behind its rows and each row's tests as its notes."""
    return Table(
        title=filled.title,
        columns=report_columns(filled),
        rows=tuple(_row(filled.card, row) for row in filled.rows),
        notes=(*_notes(filled), *filled.remarks),
        notice=filled.notice,
        footnotes=filled.footnotes,
        details="small",
    )


def report_columns(filled: FilledCard) -> tuple[Column, ...]:
    """The card's columns, behind that of the rows' labels."""
    return (Column("", left=True), *(Column(heading_text(column)) for column in filled.columns))


def heading_text(column: ReportColumn) -> str:
    """The column's heading, with ``%`` where its values are percent."""
    text = column.heading
    return f"{text} %" if column.unit == "percent" and "%" not in text else text


def shown(cell: FilledCell) -> Cell:
    """A cell as text."""
    versus = against_text(cell) if cell.mark else ""
    return Cell(
        text=value_text(cell),
        detail=interval_text(cell.measured.interval) if cell.measured else "",
        value=cell.value,
        mark=cell.mark,
        letters=cell.letters,
        paper=_paper_text(cell),
        difference=_difference_text(cell),
        told=cell.missing if cell.value is None else versus,
    )


def value_text(cell: FilledCell) -> str:
    """What was measured, with its ±; ``missing`` where it should be there and is not."""
    if cell.value is None:
        return MISSING if cell.missing else DASH
    text = _number_text(cell.value, cell.column.unit)
    if cell.measured is None:
        return f"{text} *" if cell.remark else text
    if cell.measured.spread is not None:
        text = f"{text} ± {percent(cell.measured.spread)}"
    return text if cell.measured.resolvable else f"({text}) ‡"


def against_text(cell: FilledCell) -> str:
    """Against the reference row: difference, mark, p-value and interval, or nothing."""
    if cell.reference:
        return "reference"
    if cell.paired is None:
        return ""
    return f"{versus_text(cell.paired)} {points_text(cell.paired.interval)}".rstrip()


def _row(card: ReportCard, filled: FilledRow) -> TableRow:
    label, reference = filled.row.label, card.reference_of(filled.row)
    tests = ((cell.column, against_text(cell)) for cell in filled.cells)
    return TableRow(
        (Cell(label, value=label, letters=filled.letters), *map(shown, filled.cells)),
        filled.records,
        tuple(f"{heading_text(c)}, against {reference}: {test}" for c, test in tests if test),
    )


def _paper_text(cell: FilledCell) -> str:
    """What the paper says, or nothing."""
    if cell.paper is None:
        return ""
    text = _number_text(cell.paper.value, cell.column.unit)
    if cell.paper.spread is None:
        return text
    return f"{text} ± {_number_text(cell.paper.spread, cell.column.unit)}"


def _difference_text(cell: FilledCell) -> str:
    """Against the paper: points of percent, share of a count, ``same`` for words, or empty."""
    if cell.paper is None or cell.value is None:
        return ""
    if isinstance(cell.value, str) or isinstance(cell.paper.value, str):
        return "same" if str(cell.value) == str(cell.paper.value) else "differs"
    difference = cell.difference
    assert difference is not None
    if cell.column.unit == "percent":
        return points(difference)
    if cell.column.unit in ("count", "bytes"):
        share = difference / cell.paper.value if cell.paper.value else 0.0
        return f"{100 * share + 0.0:+.1f} %".replace("-", "−")
    return f"{round(difference, 3) + 0.0:+.3f}".replace("-", "−")


def _number_text(value: Fact, unit: Unit) -> str:
    """A value in its unit: percent with two places, millions of weights, MB."""
    if isinstance(value, str):
        return value
    if unit == "percent":
        return percent(value)
    if unit == "count":
        return count_text(round(value))
    if unit == "bytes":
        return size_text(round(value))
    return ratio_text(value) if unit == "ratio" else f"{value:.4g}"


def _notes(filled: FilledCard) -> list[str]:
    card = filled.card
    records = {record.protocol.name: record for record in filled.records}
    lines = [_data_line(record) for record in records.values()]
    lines += meaning_of(filled)
    noted = dict.fromkeys(
        f"note ({record.model.id}, {record.protocol.name}): {note}"
        for record in filled.records
        for note in record.notes
    )
    lines += noted
    if filled.kind == "synthetic" and card.source:
        lines.append("the paper's rates are of photographs; they stand in the table of those only")
    if card.source:
        lines.append(f"the paper: {card.source.text}")
    others = dict.fromkeys(
        f"{cell.paper.source} ({row.row.label}, {cell.column.heading})"
        for row in filled.rows
        for cell in row.cells
        if cell.paper and cell.paper.source
    )
    lines += [f"other source: {text}" for text in others]
    return [*lines, *card.notes]


def meaning_of(filled: FilledCard, *, paper: bool = True) -> Iterator[str]:
    """What the signs in a table mean, a line each. paper: also of differences from its values."""
    cells = [cell for row in filled.rows for cell in row.cells]
    records = {record.protocol.name: record for record in filled.records}.values()
    if paper and any(map(_difference_text, cells)):
        yield (
            "difference: measured here minus the paper's value, in points of percent for rates, in "
            "percent of the paper's for counts"
        )
    spread = {c.column.protocol for c in cells if c.measured and c.measured.spread is not None}
    if spread:
        kinds = {r.protocol.name: r.statistics.spread_kind for r in records}
        yield "±: " + "; ".join(f"{kind} ({p})" for p, kind in kinds.items() if p in spread)
    intervals = [cell.measured.interval for cell in cells if cell.measured]
    if kinds_of := dict.fromkeys(interval.kind for interval in intervals if interval):
        yield f"[ ]: 95% intervals ({', '.join(kinds_of)})"
    if any(cell.mark for cell in cells):
        reference = _references(filled.card)
        yield (
            f"▲ ▼: significantly better or worse than {reference} at 5%, ≈: not; paired, "
            "over people where they are known, of the protocol's first statistic only, and "
            "corrected for the number of rows tested in the column (Holm); intervals are pointwise"
        )
        yield (
            "a row is one network, trained once: marks and intervals cover the choice of people, "
            "not that of another training"
        )
    if any(cell.measured and not cell.measured.resolvable for cell in cells):
        yield "‡: too few non-mated comparisons to tell this rate from zero"
    if any(cell.value is not None and cell.remark for cell in cells):
        yield "*: counted from the model card, the model has no weights yet"


def _references(card: ReportCard) -> str:
    """The row that the others are tested against, or the rows."""
    said = dict.fromkeys(card.reference_of(row) for row in card.rows)
    named = [f"“{label}”" for label in said if label is not None]
    if len(named) > _FEW:
        return "its own reference"
    return named[0] if len(named) == 1 else f"its own reference, one of {', '.join(named)},"


def _data_line(record: Record) -> str:
    comparisons = record.comparisons
    line = (
        f"{protocol_text(record)}: {record.data.fingerprint} ({record.data.kind} faces), "
        f"{record.data.faces:,} faces, {comparisons.total:,} comparisons"
    )
    published = record.protocol.published_comparisons
    if published and comparisons.total != published:
        line += f" of the {published:,} published: not comparable with published numbers"
    return line
