"""Models over degradations, as a table and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterator

from facebench.base.text import json_text, percent
from facebench.comparison.degradation import DegradationSweep, DegradedColumn, shown_interval
from facebench.comparison.verdict.single import warning_of
from facebench.records.statistics import statistic_text, statistics_in
from facebench.tables.csv import to_csv
from facebench.tables.records import data_line, versus_line
from facebench.tables.table import DASH, Cell, Table, columns_of, rows_of
from facebench.tables.text import interval_text, labelled, versus_cell


def degradation_table(found: DegradationSweep) -> Table:
    """A row for every model, a column for every degradation, and then each against the first."""
    first = found.records[0]
    title = (
        f"{statistic_text(statistics_in(first)[0])}, % · {found.protocol} v{first.protocol.version}"
        f"{first.protocol.edition} on degraded faces · {first.data.name}"
    )
    models = range(len(found.models))
    values = [tuple(_value(column, number) for column in found.columns) for number in models]
    against = [tuple(_against(column, number) for column in found.columns) for number in models[1:]]
    named = [(Cell(name), *row) for name, row in zip(found.models, values, strict=True)]
    others = [
        (Cell(f"{name} − {found.models[0]}"), *row)
        for name, row in zip(found.models[1:], against, strict=True)
    ]
    return Table(
        title=labelled(title, first.data.kind),
        columns=columns_of("model", *(column.name for column in found.columns)),
        rows=rows_of(*named, *others),
        notes=tuple(_notes(found)),
        notice=warning_of(first),
        signatures=tuple(record.signature for record in found.records),
    )


def degradation_json(found: DegradationSweep) -> str:
    """Everything, as a JSON list; shares in full precision."""
    return json_text(found.rows())


def degradation_csv(found: DegradationSweep) -> str:
    """One line for every model and degradation; shares in full precision."""
    return to_csv(found.rows())


def _value(column: DegradedColumn, number: int) -> Cell:
    record = column.records[number]
    if record is None:
        return Cell(DASH, "no record")
    headline = record.statistics.headline
    interval = interval_text(shown_interval(headline))
    return Cell(percent(headline.value), interval, value=headline.value)


def _against(column: DegradedColumn, number: int) -> Cell:
    paired = column.paired[number]
    return Cell(DASH) if paired is None else versus_cell(paired)


def _notes(found: DegradationSweep) -> Iterator[str]:
    first = found.records[0]
    yield data_line(first)
    told = [column.degradation for column in found.columns if column.degradation is not None]
    yield "; ".join(f"{one}: {one.words}" for one in told)
    yield (
        "done to the aligned crop at the model's size, the face having been found in the image as "
        "it is; rows: down by area, up again by cubics"
    )
    yield f"alignment: {first.alignment}; similarity: {first.similarity}; [ ]: 95% intervals"
    if len(found.models) > 1:
        yield versus_line(first, "− the first")
