"""The lines below a report's table: its data, what its marks mean, and the card's notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from facebench.reporting.record import Record
from facebench.reporting.report_card import ReportCard

if TYPE_CHECKING:
    from facebench.reporting.report_table import ReportTableRow

_FEW = 3  # references that are worth naming


def caption_of(card: ReportCard, rows: Sequence[ReportTableRow], *, synthetic: bool) -> list[str]:
    """The lines of a table's caption. synthetic: the table is of rendered faces."""
    records = {r.protocol.name: r for row in rows for r in row.records}
    lines = [_data_line(record) for record in records.values()]
    lines += meaning_of(card, rows)
    noted = dict.fromkeys(
        f"note ({record.model.id}, {record.protocol.name}): {note}"
        for row in rows
        for record in row.records
        for note in record.notes
    )
    lines += noted
    if synthetic and card.source:
        lines.append("the paper's rates are of photographs; they stand in the table of those only")
    if card.source:
        lines.append(f"the paper: {card.source.text}")
    others = dict.fromkeys(
        f"{cell.paper.source} ({row.row.label}, {cell.column.heading})"
        for row in rows
        for cell in row.cells
        if cell.paper and cell.paper.source
    )
    lines += [f"other source: {text}" for text in others]
    return [*lines, *card.notes]


def meaning_of(
    card: ReportCard, rows: Sequence[ReportTableRow], *, paper: bool = True
) -> Iterator[str]:
    """What the signs in a table mean, a line each. paper: also of differences from its values."""
    cells = [cell for row in rows for cell in row.cells]
    records = {r.protocol.name: r for row in rows for r in row.records}.values()
    if paper and any(cell.difference_text for cell in cells):
        yield (
            "difference: measured here minus the paper's value, in points of percent for rates, in "
            "percent of the paper's for counts"
        )
    spread = {c.column.protocol for c in cells if c.measured and c.measured.spread is not None}
    if spread:
        kinds = {r.protocol.name: r.statistics.spread_kind for r in records}
        yield "±: " + "; ".join(f"{kind} ({p})" for p, kind in kinds.items() if p in spread)
    if any(cell.measured and cell.measured.interval for cell in cells):
        intervals = dict.fromkeys(
            cell.measured.interval_kind or ""
            for cell in cells
            if cell.measured and cell.measured.interval
        )
        yield f"[ ]: 95% intervals ({', '.join(intervals)})"
    if any(cell.mark for cell in cells):
        yield (
            f"▲ ▼: significantly better or worse than {_references(card)} at 5%, ≈: not; paired, "
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
    comparisons, protocol = record.comparisons, record.protocol
    line = (
        f"{protocol.name} v{protocol.version}{protocol.edition}: {record.data.fingerprint} "
        f"({record.data.kind} faces), {record.data.faces:,} faces, {comparisons.total:,} "
        "comparisons"
    )
    published = protocol.published_comparisons
    if published and comparisons.total != published:
        line += f" of the {published:,} published: not comparable with published numbers"
    return line
