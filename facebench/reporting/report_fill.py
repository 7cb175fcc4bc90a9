"""Values for a report's cells: from records, models and their cards, layers and diagnostics.

A cell that could have a value and has none says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from facebench.reporting.record import Record
from facebench.reporting.report_card import ReportRow
from facebench.reporting.report_cell import ReportCell
from facebench.reporting.report_facts import (
    card_fact,
    diagnostic_path,
    diagnostics_of,
    find_model,
    has_weights,
    layer_facts,
    model_id,
    size_of,
)
from facebench.reporting.report_statistics import find_statistic, statistics_in

_PAPER_SIZE = (112, 96)


def filled_cell(
    cell: ReportCell, row: ReportRow, records: Mapping[str, Record], paper_width: float | None
) -> ReportCell:
    """The cell with its value, or with what is missing; as it was where the row has no model.

    records: those chosen for the row, by protocol; paper_width: of the paper's network.
    """
    column = cell.column
    if column.family == "layer":
        if row.layer is None:
            return cell
        return replace(
            cell, value=layer_facts(paper_width or 1.0, _PAPER_SIZE)[row.layer][column.statistic]
        )
    if row.model is None:
        return cell
    if column.family == "protocol":
        return _of_protocol(cell, row, records.get(column.protocol or ""))
    if column.family == "model":
        return _of_model(cell, row, records, paper_width)
    if column.family == "diagnostic":
        return _of_diagnostic(cell, row)
    model = find_model(row.model)
    if model is None:
        return replace(cell, missing=_not_in_zoo(row))
    return replace(cell, value=card_fact(model, column.statistic))


def can_evaluate(row: ReportRow) -> bool:
    """Whether `facebench eval` can run the row's model now."""
    card = find_model(row.model or "")
    return card is not None and has_weights(card)


def _of_protocol(cell: ReportCell, row: ReportRow, record: Record | None) -> ReportCell:
    if record is None:
        return replace(cell, missing=why_no_record(row))
    found = find_statistic(record, cell.column.statistic)
    if found is None:
        has = ", ".join(statistics_in(record))
        return replace(
            cell, missing=f"its record has no {cell.column.statistic} ({has})", record=record
        )
    return replace(cell, value=found.value, measured=found, record=record)


def _of_model(
    cell: ReportCell, row: ReportRow, records: Mapping[str, Record], paper_width: float | None
) -> ReportCell:
    """From a record, else from the weights, else planned from the card."""
    statistic = cell.column.statistic
    for record in records.values():
        value = getattr(record.model, statistic)
        if value is not None:
            return replace(cell, value=float(value))
    size = size_of(row.model or "", paper_width)
    if size is None or getattr(size, statistic) is None:
        return replace(cell, missing=why_no_record(row))
    remark = "counted from the model card: it has no weights yet" if size.planned else ""
    return replace(cell, value=float(getattr(size, statistic)), remark=remark)


def _of_diagnostic(cell: ReportCell, row: ReportRow) -> ReportCell:
    name = cell.column.statistic.partition(":")[2]
    model = model_id(row.model or "")
    found = diagnostics_of(model)
    value = found.values.get(name) if found else None
    if value is None:
        return replace(cell, missing=f"no {name!r} in {diagnostic_path(model)}")
    if isinstance(value, tuple):
        return replace(cell, value=f"{len(value)} bars", bars=value)
    return replace(cell, value=value)


def why_no_record(row: ReportRow) -> str:
    """Why a row has no record: no such model, no weights, or nobody has made it."""
    card = find_model(row.model or "")
    if card is None:
        return _not_in_zoo(row)
    if not has_weights(card):
        return f"{card.name} has no trained weights yet"
    return "no record"


def _not_in_zoo(row: ReportRow) -> str:
    return f"there is no model {row.model!r} yet" + (f": {row.how}" if row.how else "")
