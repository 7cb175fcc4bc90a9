"""A filled report card as a table: its cells as text, and what the signs in them mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from facebench.base.text import alike, percent, points
from facebench.comparison.verdict.single import warning_of
from facebench.records.record import Record
from facebench.reports.card import ReportCard, ReportColumn
from facebench.reports.cells import FilledCard, FilledCell, FilledRow
from facebench.reports.facts import find_model
from facebench.reports.verdict.card import card_verdict, names_of_rows
from facebench.tables.table import DASH, Cell, Column, Table, TableRow
from facebench.tables.text import (
    DOCS,
    interval_text,
    marks_text,
    points_text,
    protocol_text,
    versus_cell,
    versus_text,
)

MISSING = "missing"
_FEW = 3  # references that are worth naming


def report_table(filled: FilledCard) -> Table:
    """The table, with the records behind its rows and each row's tests as its notes."""
    names, writers = names_of_rows(filled), writers_of(filled)
    first = next(iter(filled.records), None)
    whole = Table(
        title=filled.title,
        columns=tuple(_columns(filled, names)),
        rows=tuple(_row(filled, row, names, writers) for row in _in_order(filled)),
        notes=tuple(_notes(filled, names)),
        notice=filled.notice or (warning_of(first) if first else None),
        verdict=card_verdict(filled).sentences,
        reading=(*_reading(filled), *filled.remarks),
        footnotes=tuple(_footnotes(filled)),
        details="small",
    )
    return filled.choice.of(whole)


def report_columns(filled: FilledCard) -> tuple[Column, ...]:
    """The card's columns, behind that of the rows' labels."""
    return (Column("", left=True), *(Column(heading_text(column)) for column in filled.columns))


def heading_text(column: ReportColumn) -> str:
    """The column's heading, with ``%`` where its values are percent."""
    text = column.heading
    return f"{text} %" if column.unit == "percent" and "%" not in text else text


def _columns(filled: FilledCard, names: Mapping[str, str]) -> Iterator[Column]:
    """The card's columns; behind each that is tested what the rows are held against."""
    yield Column("model" if any(row.row.model for row in filled.rows) else "", left=True)
    for column, tested in zip(filled.columns, _tested(filled), strict=True):
        yield Column(heading_text(column), aside=column.aside)
        if tested:
            versus = _reference_names(filled, names)
            heading = f"vs {versus[0]}" if len(versus) == 1 else "difference"
            yield Column(heading, aside=column.aside, beside=True)


def _tested(filled: FilledCard) -> list[bool]:
    """Whether any cell of a column is tested."""
    of_columns = zip(*(row.cells for row in filled.rows), strict=True)
    return [any(cell.paired for cell in cells) for cells in of_columns]


def _reference_names(filled: FilledCard, names: Mapping[str, str]) -> list[str]:
    """The rows that others are tested against."""
    tested = [row.row for row in filled.rows if any(cell.paired for cell in row.cells)]
    said = dict.fromkeys(filled.card.reference_of(row) for row in tested)
    return [names[label] for label in said if label is not None]


def _in_order(filled: FilledCard) -> Iterator[FilledRow]:
    """The rows, each behind the one that it is tested against."""
    by_label = {row.row.label: row for row in filled.rows}
    seen: set[str] = set()
    for row in filled.rows:
        tested = any(cell.paired for cell in row.cells)
        base = by_label.get(filled.card.reference_of(row.row) or "") if tested else None
        for one in (base, row):
            if one is not None and one.row.label not in seen:
                seen.add(one.row.label)
                yield one


def writers_of(filled: FilledCard) -> list[Callable[[float], str]]:
    """How the numbers of each column are written, the paper's among them."""
    writers = []
    for cells, column in zip(
        zip(*(row.cells for row in filled.rows), strict=True), filled.columns, strict=True
    ):
        papers = [cell.paper.number for cell in cells if cell.paper]
        numbers = [*(cell.number for cell in cells), *papers]
        writers.append(alike([one for one in numbers if one is not None], column.unit))
    return writers


def shown(cell: FilledCell, write: Callable[[float], str] | None = None) -> Cell:
    """A cell as text. write: how the numbers of its column are written."""
    write = write or alike([n for n in (cell.number,) if n is not None], cell.column.unit)
    versus = against_text(cell) if cell.mark else ""
    return Cell(
        text=value_text(cell, write),
        detail=interval_text(cell.measured.interval) if cell.measured else "",
        value=cell.value,
        mark=cell.mark,
        letters=cell.letters,
        paper=_paper_text(cell, write),
        difference=_difference_text(cell),
        told=cell.missing if cell.value is None else versus,
    )


def value_text(cell: FilledCell, write: Callable[[float], str]) -> str:
    """What was measured, with its ±; ``missing`` where it should be there and is not."""
    if cell.value is None:
        return MISSING if cell.missing else DASH
    text = cell.value if isinstance(cell.value, str) else write(cell.value)
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


def _row(
    filled: FilledCard,
    row: FilledRow,
    names: Mapping[str, str],
    writers: Sequence[Callable[[float], str]],
) -> TableRow:
    label, reference = row.row.label, filled.card.reference_of(row.row)
    several = len(_reference_names(filled, names)) > 1
    tests = ((cell, against_text(cell)) for cell in row.cells)
    cells: list[Cell] = []
    for cell, tested, write in zip(row.cells, _tested(filled), writers, strict=True):
        value = shown(cell, write)
        if not tested:
            cells.append(value)
            continue
        cells.append(replace(value, mark="", detail="", told=cell.missing))
        against = _versus(cell)
        aside = f"{against.detail} vs {names[reference or label]}"
        cells.append(replace(against, detail=aside) if several and cell.paired else against)
    name = names[label]
    letters = "" if _all_alike(filled) else row.letters
    intervals = (
        f"{heading_text(cell.column)}: {percent(cell.measured.value)} "
        f"{interval_text(cell.measured.interval)}"
        for cell in row.cells
        if cell.measured and cell.measured.interval
    )
    return TableRow(
        (
            Cell(name, label if label != name else "", value=name, letters=letters),
            *cells,
        ),
        row.records,
        (
            *intervals,
            *(
                f"{heading_text(cell.column)}, against {names.get(reference or '')}: {test}"
                for cell, test in tests
                if test
            ),
        ),
    )


def _all_alike(filled: FilledCard) -> bool:
    """Whether the same footnotes are of all measured rows: then no row needs their letters."""
    return len({row.letters for row in filled.rows if row.letters}) == 1


def _versus(cell: FilledCell) -> Cell:
    """What stands beside a tested column's value."""
    if cell.reference:
        return Cell("reference")
    return Cell("") if cell.paired is None else versus_cell(cell.paired)


def _paper_text(cell: FilledCell, write: Callable[[float], str]) -> str:
    """What the paper says, or nothing."""
    if cell.paper is None:
        return ""
    value = cell.paper.value
    text = value if isinstance(value, str) else write(value)
    return text if cell.paper.spread is None else f"{text} ± {write(cell.paper.spread)}"


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


def _notes(filled: FilledCard, names: Mapping[str, str]) -> Iterator[str]:
    """The few lines below the table: its marks, its data, its widths."""
    cells = [cell for row in filled.rows for cell in row.cells]
    tested = [cell.paired for cell in cells if cell.paired]
    if tested:
        references = _reference_names(filled, names)
        most = max(sum(bool(row.cells[n].paired) for row in filled.rows)
                   for n in range(len(filled.columns)))  # fmt: skip
        against = references[0] if len(references) == 1 else "the row named"
        yield marks_text(tested, against, most)
    widths = {card.width for row in filled.rows if (card := find_model(row.row.model or ""))}
    paper = filled.card.setting.width
    if len(widths) == 1 and (width := widths.pop()) and paper and width != paper:
        yield f"networks of {width / paper:g} of the paper's width: compare within this page only"
    yield from _signs(filled)


def _footnotes(filled: FilledCard) -> Iterator[tuple[str, str]]:
    """Those that differ from row to row have letters, others are of all rows."""
    common = {letter for row in filled.rows for letter in row.letters.split(",")}
    for letter, text in filled.footnotes:
        yield (letter, f"all rows: {text}" if _all_alike(filled) and letter in common else text)


def _signs(filled: FilledCard) -> Iterator[str]:
    """What signs in the cells mean."""
    cells = [cell for row in filled.rows for cell in row.cells]
    if any(cell.measured and not cell.measured.resolvable for cell in cells):
        yield "‡: too few non-mated comparisons to tell this rate from zero"
    if any(cell.value is not None and cell.remark for cell in cells):
        yield "*: counted from the model card, the model has no weights yet"


def _reading(filled: FilledCard) -> list[str]:
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
    return [*lines, *card.notes, DOCS]


def meaning_of(filled: FilledCard) -> Iterator[str]:
    """What the signs in a table mean, a line each."""
    cells = [cell for row in filled.rows for cell in row.cells]
    records = {record.protocol.name: record for record in filled.records}.values()
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
