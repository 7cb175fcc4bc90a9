"""Results in a notebook: the tables that the commands show, as a part of its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from facebench.base.text import percent
from facebench.comparison.calibration.threshold import Threshold
from facebench.comparison.compare import Comparison
from facebench.comparison.degradation import DegradationSweep
from facebench.comparison.groups.damage import GroupDamage
from facebench.comparison.history import History
from facebench.comparison.methods import MethodComparison
from facebench.comparison.power import Power
from facebench.comparison.scores import ScoreComparison
from facebench.comparison.worst import MostHit, WorstErrors
from facebench.costs.bench import Bench
from facebench.costs.table import bench_table
from facebench.evaluation.scores import ScoreStatistics
from facebench.gate.formats import verdict_table
from facebench.gate.judge import GateResult
from facebench.records.frames import Results, Scalar, estimate_row
from facebench.records.record import Record
from facebench.reports.build import FilledReport
from facebench.reports.table import report_table
from facebench.tables.groups.damage import damage_table
from facebench.tables.history import history_table
from facebench.tables.html import to_fragment
from facebench.tables.paired.comparison import (
    changed_text,
    comparison_table,
    paired_cells,
    paired_headings,
)
from facebench.tables.paired.degradation import degradation_table
from facebench.tables.paired.methods import method_table
from facebench.tables.paired.power import power_table
from facebench.tables.paired.threshold import threshold_table
from facebench.tables.paired.worst import worst_table
from facebench.tables.records import record_tables
from facebench.tables.table import Cell, Table, columns_of, rows_of
from facebench.tables.text import estimate_cell


def html_of(shown: Any) -> str:
    """A result as HTML."""
    return to_fragment(_tables(shown))


def _tables(shown: Any) -> Sequence[Table]:
    if isinstance(shown, Results):
        return _of_several(shown)
    return _BUILDERS[type(shown)](shown)


def _of_several(results: Sequence[Any]) -> Sequence[Table]:
    """Records of one protocol and data stand in one table, and so do pairs of `power`."""
    if results and all(isinstance(one, Record) for one in results):
        return record_tables(results)
    if results and all(isinstance(one, Power) for one in results):
        return [power_table(results)]
    return [table for one in results for table in _tables(one)]


def _of_scores(found: ScoreStatistics) -> Table:
    rows = [
        (
            Cell(f"{name} %"),
            estimate_cell(estimate),
            Cell(_percent(row["spread"]), str(row["spread_kind"] or "")),
            Cell(_percent(row["reached"])),
        )
        for name, estimate in found.statistics.items()
        for row in [estimate_row(name, estimate)]
    ]
    kinds = dict.fromkeys(
        one.interval.kind for one in found.statistics.values() if one.interval is not None
    )
    unresolved = [
        name for name, one in found.statistics.items() if not getattr(one, "resolvable", True)
    ]
    few = f"too few non-mated comparisons for {', '.join(unresolved)}"
    return Table(
        title=f"{found.total:,} scores, {found.mated:,} of them mated",
        columns=columns_of("statistic", "value [interval]", "±", "FAR reached %"),
        rows=rows_of(*rows),
        notes=(
            f"intervals: {'; '.join(kinds)}",
            f"subjects: {'unknown' if found.subjects is None else f'{found.subjects:,}'}; "
            f"failures to acquire: {found.failures:,}",
            *([few] if unresolved else []),
        ),
    )


def _percent(share: Scalar) -> str:
    return percent(share) if isinstance(share, float) else ""


def _of_score_comparison(found: ScoreComparison) -> Table:
    notes: tuple[str, ...] = ()
    if found.changed is not None:
        notes = (changed_text(found.changed, found.total, "the base", found.name),)
    return Table(
        title=f"{found.name} against the base · {found.total:,} comparisons",
        columns=columns_of(*paired_headings("base", found.name)),
        rows=rows_of(*map(paired_cells, found.statistics)),
        notes=notes,
    )


_BUILDERS: dict[type, Callable[[Any], Sequence[Table]]] = {
    Record: lambda record: record_tables([record]),
    Comparison: lambda found: [comparison_table(found)],
    ScoreComparison: lambda found: [_of_score_comparison(found)],
    ScoreStatistics: lambda found: [_of_scores(found)],
    GroupDamage: lambda found: [damage_table(found)],
    History: lambda found: [history_table(found)],
    MethodComparison: lambda found: [method_table(found)],
    Power: lambda found: [power_table([found])],
    Threshold: lambda found: [threshold_table(found)],
    WorstErrors: lambda found: [worst_table(found)],
    MostHit: lambda found: [worst_table(found)],
    GateResult: lambda found: [verdict_table(found)],
    Bench: lambda found: [bench_table(found)],
    DegradationSweep: lambda found: [degradation_table(found)],
    FilledReport: lambda found: list(map(report_table, found.filled)),
}
