"""Values for a report's cells: from records, models and their cards, layers, diagnostics, costs.

A cell that could have a value and has none says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from facebench.records.agreement import require_recounted
from facebench.records.costs import cost_value, costs_path, find_costs, is_ratio, ratio_baseline
from facebench.records.record import Record
from facebench.records.statistics import find_statistic, statistics_in
from facebench.reports.card import NamedSource, ReportColumn, ReportRow
from facebench.reports.cells import FilledCell
from facebench.reports.facts import (
    card_fact,
    diagnostic_path,
    diagnostics_of,
    find_model,
    has_weights,
    layer_facts,
    model_id,
    size_of,
)
from facebench.similarity.templates import template_of

_PAPER_SIZE = (112, 96)


def filled_cell(
    cell: FilledCell,
    row: ReportRow,
    records: Mapping[NamedSource, Record],
    paper_width: float | None,
    baseline: str | None = None,
) -> FilledCell:
    """The cell with its value, or with what is missing; as it was where the row has no model.

    records: those chosen for the row, by the columns' sources; paper_width: of the paper's network;
    baseline: the model of the table's reference, which ratios of costs must be to (None: any).
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
    if column.family in ("protocol", "groups"):
        record = records.get(column.source) if column.source else None
        return _of_protocol(cell, row, record)
    if column.family == "model":
        return _of_model(cell, row, records, paper_width)
    if column.family == "diagnostic":
        return _of_diagnostic(cell, row)
    if column.family == "cost":
        return _of_cost(cell, row, baseline)
    model = find_model(row.model)
    if model is None:
        return replace(cell, missing=_not_in_zoo(row))
    return replace(cell, value=card_fact(model, column.statistic))


def can_evaluate(row: ReportRow, column: ReportColumn) -> bool:
    """Whether `facebench eval` can fill the cell now."""
    card = find_model(row.model or "")
    ready = card is not None and has_weights(card) and _lacking_metric(row, column) is None
    return ready and template_of(row.template).axes is None


def _of_protocol(cell: FilledCell, row: ReportRow, record: Record | None) -> FilledCell:
    if record is None:
        return replace(cell, missing=_lacking_metric(row, cell.column) or why_no_record(row))
    found = find_statistic(record, cell.column.statistic)
    if found is None:
        has = ", ".join(statistics_in(record))
        return replace(
            cell, missing=f"its record has no {cell.column.statistic} ({has})", record=record
        )
    return replace(cell, value=found.value, measured=found, record=record)


def _of_model(
    cell: FilledCell,
    row: ReportRow,
    records: Mapping[NamedSource, Record],
    paper_width: float | None,
) -> FilledCell:
    """From a record, else from the weights, else planned from the card.

    UserError: `require_recounted`.
    """
    statistic = cell.column.statistic
    for record in records.values():
        require_recounted(record)
        value = getattr(record.model, statistic)
        if value is not None:
            return replace(cell, value=float(value))
    size = size_of(row.model or "", paper_width)
    value = getattr(size, statistic, None)  # what only an evaluation counts is in records alone
    if size is None or value is None:
        return replace(cell, missing=why_no_record(row))
    remark = "counted from the model card: it has no weights yet" if size.planned else ""
    return replace(cell, value=float(value), remark=remark)


def _of_diagnostic(cell: FilledCell, row: ReportRow) -> FilledCell:
    name = cell.column.statistic.partition(":")[2]
    model = model_id(row.model or "")
    found = diagnostics_of(model)
    value = found.values.get(name) if found else None
    if value is None:
        return replace(cell, missing=f"no {name!r} in {diagnostic_path(model)}")
    if isinstance(value, tuple):
        return replace(cell, value=f"{len(value)} bars", bars=value)
    return replace(cell, value=value)


def _of_cost(cell: FilledCell, row: ReportRow, baseline: str | None) -> FilledCell:
    model, statistic = model_id(row.model or ""), cell.column.statistic
    beside = baseline if is_ratio(statistic) and baseline != row.model else None
    found = find_costs(model)
    if found is None:
        card = find_model(row.model or "")
        ready = card is not None and has_weights(card)
        how = f"no {costs_path(model)}: {_bench(row, beside)}"
        return replace(cell, missing=how if ready else why_no_record(row))
    value = cost_value(found, statistic)
    if value is None:
        return replace(cell, missing=f"{statistic} is not known of {model}")
    to = ratio_baseline(found, statistic)
    if baseline is not None and to is not None and to != model_id(baseline):
        how = _bench(row, beside)
        return replace(cell, missing=f"{statistic} of {model} was measured beside {to}: {how}")
    return replace(cell, value=value)


def _bench(row: ReportRow, beside: str | None) -> str:
    """The command that measures a row's model, beside the one that its ratios are to."""
    return f"facebench bench {f'{beside} ' if beside else ''}{row.model}"


def why_no_record(row: ReportRow) -> str:
    """Why a row has no record: no such model, no weights, or nobody has made it."""
    card = find_model(row.model or "")
    if card is None:
        return _not_in_zoo(row)
    if not has_weights(card):
        return f"{card.name} has no trained weights yet"
    if template_of(row.template).axes is not None:
        return f"no record: `facebench eval --template {row.template} --template-fit FACES`"
    return "no record"


def _lacking_metric(row: ReportRow, column: ReportColumn) -> str | None:
    """What to do where the model's card has no metric of the similarity; None: it has, or needs
    none.
    """
    similarity = column.similarity or row.similarity
    card = find_model(row.model or "")
    if card is None or not has_weights(card):
        return None
    if similarity == "cosine" or card.metric_fields(similarity) is not None:
        return None
    command = "fit" if similarity == "joint-bayesian" else similarity
    return f"no {similarity} in its card yet: see `facebench metric {command} --help`"


def _not_in_zoo(row: ReportRow) -> str:
    return f"there is no model {row.model!r} yet" + (f": {row.how}" if row.how else "")
