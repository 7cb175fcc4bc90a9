"""A history of runs as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from facebench.base.text import percent
from facebench.comparison.history import History, HistoryRun
from facebench.comparison.verdict.runs import runs_verdict
from facebench.comparison.verdict.single import warning_of
from facebench.records.comparability import told_apart
from facebench.records.record import similarity_kind, template_kind
from facebench.records.statistics import statistic_text
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Column, Table, rows_of
from facebench.tables.text import (
    DOCS,
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
    title = f"history of {what} · {protocol_text(first)} · {first.data.name}"
    return Table(
        title=labelled(title, first.data.kind),
        columns=(
            Column("run", left=True),
            *size_columns(history.models)[:2],
            Column(statistic_heading(history.statistic)),
            Column(f"vs {history.versus}"),
            Column("created", aside=True),
            Column("p", aside=True),
            *size_columns(history.models)[2:],
        ),
        rows=rows_of(*_rows(history)),
        notes=tuple(_notes(history)),
        notice=warning_of(first),
        verdict=runs_verdict(history),
        reading=tuple(_reading(history)),
    )


def _rows(history: History) -> Iterator[tuple[Cell, ...]]:
    details = told_apart([run.record for run in history.runs])
    headings = [column.heading for column in size_columns(history.models)]
    reference = history.runs[history.reference].record.model
    for run, detail in zip(history.runs, details, strict=True):
        yield _row(run, detail, size_cells(run.record.model, reference), headings)


def _row(
    run: HistoryRun, detail: str, sizes: Mapping[str, Cell], headings: Sequence[str]
) -> tuple[Cell, ...]:
    record, against = run.record, run.against
    return (
        Cell(record.model.id, detail),
        *(sizes[heading] for heading in headings[:2]),
        Cell(percent(run.value), interval_text(run.interval), value=run.value),
        Cell("reference") if against is None else versus_cell(against),
        Cell(record.run.created[:16].replace("T", " ")),
        Cell("" if against is None else p_text(against.deciding_p)),
        *(sizes[heading] for heading in headings[2:]),
    )


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
