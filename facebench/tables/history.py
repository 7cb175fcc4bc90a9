"""A history of runs as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facebench.base.text import percent
from facebench.comparison.history import History
from facebench.records.comparability import told_apart
from facebench.records.record import similarity_kind, template_kind
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Table, columns_of, rows_of
from facebench.tables.text import (
    difference_cell,
    interval_text,
    labelled,
    p_text,
    protocol_text,
    size_cells,
    size_headings,
    sizes_text,
)


def history_table(history: History) -> Table:
    """A history as a table."""
    first = history.first
    title = f"history of {history.statistic} · {protocol_text(first)} · {first.data.name}"
    return Table(
        title=labelled(title, first.data.kind),
        columns=columns_of(
            "run",
            "created",
            f"{history.statistic} %",
            f"vs {history.versus}",
            "p",
            *size_headings(history.models),
            "",
        ),
        rows=rows_of(*(_row(history, number) for number in range(len(history.runs)))),
        notes=tuple(_notes(history)),
        notice=first.data.notice,
    )


def _row(history: History, number: int) -> tuple[Cell, ...]:
    run = history.runs[number]
    record = run.record
    against = run.against
    fall = "▼ first significant fall" if number == history.first_fall else ""
    sizes = size_cells(record.model)
    adjusted = f"Holm {p_text(against.adjusted)}" if against and against.tested else ""
    return (
        Cell(record.model.id, told_apart([one.record for one in history.runs])[number]),
        Cell(record.run.created[:16].replace("T", " ")),
        Cell(percent(run.value), interval_text(run.interval)),
        Cell("reference") if against is None else difference_cell(against),
        Cell("" if against is None else p_text(against.p_value), adjusted),
        *(sizes[heading] for heading in size_headings(history.models)),
        Cell(fall or ("▼ fell" if run.fell else "")),
    )


def _notes(history: History) -> Iterator[str]:
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
            "the same, two-sided; Holm: corrected for the number of runs tested; fell: worse, and "
            "that p below 5%"
        )
    untested = [
        f"not tested: {name}, {run.against.why}"
        for name, run in zip(history.names, history.runs, strict=True)
        if run.against and not run.against.tested
    ]
    yield from untested
    number = history.first_fall
    if number is None:
        none = "no run" if not untested else "none of the runs tested" if tested else ""
        yield f"{none} fell significantly" if none else "no run could be tested for a fall"
    else:
        yield f"first significant fall: run {number + 1}, {history.names[number]}"


def histories_csv(found: Sequence[History]) -> str:
    """One line per run; shares in full precision."""
    return to_csv([row for history in found for row in history.rows()])
