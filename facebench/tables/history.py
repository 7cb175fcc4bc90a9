"""A history of runs as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facebench.base.text import percent
from facebench.comparison.history import History
from facebench.comparison.verdict.runs import runs_verdict
from facebench.comparison.verdict.single import warning_of
from facebench.records.comparability import told_apart
from facebench.records.record import similarity_kind, template_kind
from facebench.records.statistics import statistic_text
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Column, Table, rows_of
from facebench.tables.text import (
    DOCS,
    PRODUCTS,
    interval_text,
    labelled,
    marks_text,
    p_text,
    protocol_text,
    size_cells,
    size_columns,
    sizes_text,
    statistic_heading,
    versus_cell,
)


def history_table(history: History) -> Table:
    """A history as a table."""
    first = history.first
    what = statistic_text(history.statistic)
    shown = _columns(history)
    title = f"history of {what} · {protocol_text(first)} · {first.data.name}"
    return Table(
        title=labelled(title, first.data.kind),
        columns=tuple(shown),
        rows=rows_of(*(tuple(row[column.heading] for column in shown) for row in _rows(history))),
        notes=tuple(_notes(history)),
        notice=warning_of(first),
        verdict=runs_verdict(history),
        reading=tuple(_reading(history)),
    )


_NUMBER, _CREATED, _P = "number", "created", "p"
_HEADINGS = {
    "kept": "kept", "bytes": "size", "multiply-adds": PRODUCTS, "date": _CREATED, "run": _NUMBER,
}  # fmt: skip


def _columns(history: History) -> list[Column]:
    """What runs are drawn along comes first where it was asked for."""
    size, kept, *others = size_columns(history.models)
    columns = [
        size,
        kept,
        Column(statistic_heading(history.statistic)),
        Column(f"vs {history.versus}"),
        Column(_CREATED, aside=True),
        Column(_P, aside=True),
        *others,
    ]
    if history.x is not None:
        first = _HEADINGS[history.x]
        columns = [Column(first), *(column for column in columns if column.heading != first)]
    return [Column("run", left=True), *columns]


def _rows(history: History) -> Iterator[dict[str, Cell]]:
    """The cells of every run by the headings of all columns that there may be."""
    details = told_apart([run.record for run in history.runs])
    reference = history.runs[history.reference].record.model
    for number, (run, detail) in enumerate(zip(history.runs, details, strict=True), 1):
        record, against = run.record, run.against
        yield {
            "run": Cell(record.model.id, detail),
            **size_cells(record.model, reference),
            statistic_heading(history.statistic): Cell(
                percent(run.value), interval_text(run.interval), value=run.value
            ),
            f"vs {history.versus}": Cell("reference") if against is None else versus_cell(against),
            _CREATED: Cell(record.run.created[:16].replace("T", " ")),
            _P: Cell("" if against is None else p_text(against.deciding_p)),
            _NUMBER: Cell(f"{number}", value=number),
        }


def _notes(history: History) -> Iterator[str]:
    tested = [run.against for run in history.runs if run.against and run.against.tested]
    if tested:
        yield marks_text(tested, history.names[history.reference])
    yield from (
        f"not tested: {name}, {run.against.why}"
        for name, run in zip(history.names, history.runs, strict=True)
        if run.against and not run.against.tested
    )


def _reading(history: History) -> Iterator[str]:
    first = history.first
    yield f"data: {first.data.fingerprint} ({first.data.kind}); alignment: {first.alignment}"
    kept = f"; template: {template_kind(first.model)}" if first.model.template else ""
    yield f"similarity: {similarity_kind(first.similarity)}; pooling: {first.pooling}{kept}"
    yield sizes_text(history.models)
    tested = [run.against for run in history.runs if run.against and run.against.interval]
    if tested:
        over = "people" if any(one.over_subjects for one in tested) else "comparisons"
        yield (
            f"vs {history.versus}: difference in points, [95% interval over {over}], paired; p: of "
            "the same, two-sided; corrected for the number of runs tested (Holm); fell: worse, and "
            "that p below 5%"
        )
    number = history.first_fall
    if number is not None:
        yield f"first significant fall: run {number + 1}, {history.names[number]}"
    yield DOCS


def histories_csv(found: Sequence[History]) -> str:
    """One line per run; shares in full precision."""
    return to_csv([row for history in found for row in history.rows()])
