"""Comparisons of methods as tables, and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facebench.base.text import json_text, percent, points
from facebench.comparison.methods import MethodComparison, MethodStatistic
from facebench.tables.csv import to_csv
from facebench.tables.table import DASH, Cell, Table, columns_of, rows_of
from facebench.tables.text import labelled, p_text, points_text, protocol_text, statistic_heading

MARKS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "no difference shown": "≈ not told apart",
    "undecided": "? undecided",
}


def method_table(comparison: MethodComparison) -> Table:
    """The table of one method against the base's."""
    one, other = comparison.base, comparison.candidate
    record = comparison.base_records[0]
    seeds = [len(comparison.base_records), len(comparison.candidate_records)]
    title = (
        f"method {other} ({_seeds(seeds[1])}) against {one} ({_seeds(seeds[0])}) · "
        f"{protocol_text(record)} · {record.data.name}"
    )
    return Table(
        title=labelled(title, record.data.kind),
        columns=columns_of(
            "statistic", one, other, "difference", "p", "people, seeds, both", "seeds", "verdict"
        ),
        rows=rows_of(*map(_method_cells, comparison.statistics)),
        notes=tuple(_method_notes(comparison)),
        notice=record.data.notice,
    )


def methods_json(compared: Sequence[MethodComparison]) -> str:
    """Everything, as a JSON list; shares in full precision."""
    return json_text([row for one in compared for row in one.rows()])


def methods_csv(compared: Sequence[MethodComparison]) -> str:
    """One line per method and statistic; shares in full precision."""
    return to_csv([row for one in compared for row in one.rows()])


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number > 1)}"


def _method_cells(one: MethodStatistic) -> tuple[Cell, ...]:
    found = one.found
    needed = found.seeds_for()
    p = one.deciding_p if one.deciding_p is not None else found.p_value
    return (
        Cell(statistic_heading(one.statistic)),
        Cell(percent(one.base)),
        Cell(percent(one.candidate)),
        Cell(points(found.estimate), points_text(found.interval)),
        Cell(p_text(p)),
        Cell(", ".join(f"{100 * s:.0f}%" for s in found.shares) if found.shares else DASH),
        Cell((f"{needed:,}" if needed else "none") if found.both_known else DASH),
        Cell(MARKS.get(one.verdict, "")),
    )


def _method_notes(comparison: MethodComparison) -> Iterator[str]:
    record = comparison.base_records[0]
    yield f"data: {record.data.fingerprint} ({record.data.kind}); alignment: {record.alignment}"
    alone = comparison.of_one_seed
    if alone:
        yield (
            f"one seed only of {' and '.join(alone)}: the interval is over people, of these "
            "networks; it says nothing of what another training would change, so there is no "
            "verdict on methods: train two seeds or more of each"
        )
        return
    yield (
        f"difference of the means over seeds, in points [{100 * _level(comparison):g}% interval "
        "over people and seeds]; verdict at 5%, on the first statistic alone, its p corrected for "
        "the number of methods (Holm)"
    )
    yield (
        "people, seeds, both: shares of the variance that other people, other seeds, and what "
        "people and seeds do together bring"
    )
    yield (
        "seeds: of each method, with which a true difference as large as this is told apart in 80 "
        "of 100 repetitions; none: no number would do on so few people (`facebench power`)"
    )


def _level(comparison: MethodComparison) -> float:
    return comparison.statistics[0].found.interval.level
