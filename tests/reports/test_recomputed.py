"""Tables hold against the records: every cell again, from the scores beside the record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.reports.build import fill_card, with_rows
from facebench.reports.card import load_report, report_paths
from facebench.reports.cells import FilledCell

MakeRecord = Callable[..., Record]


def recomputed(record: Record, statistic: str) -> tuple[float, float | None] | None:
    """Value and ± of a statistic, from the scores, or the parts where those are not there; None
    where neither tells it.
    """
    table = record.table
    if table is None:
        return _from_parts(record, statistic)
    parts = [table.folds == label for label in np.unique(table.folds)]
    if record.statistics.kind == "rates":
        if statistic != record.statistics.headline.label:
            return None
        each = np.array([table.decisions[part & table.mated].mean() for part in parts])
        spread = each.std(ddof=1) if len(each) > 1 else None
        return float(each.mean()), spread
    if statistic == "accuracy":
        each = np.array([np.mean(table.decisions[part] == table.mated[part]) for part in parts])
        error = each.std(ddof=1)
        kind = record.statistics.spread_kind
        return float(each.mean()), error / np.sqrt(len(each)) if kind == "standard error" else error
    if statistic.startswith("TAR@FAR="):
        return _tar(table.scores, table.mated, float(statistic.partition("=")[2])), None
    return None


def _from_parts(record: Record, statistic: str) -> tuple[float, None] | None:
    statistics = record.statistics
    if statistics.kind == "rates":
        rate = next(rate for rate in statistics.rates if rate.label == statistic)
        return float(np.mean(rate.per_part)), None
    return (float(np.mean(statistics.accuracy.per_fold)), None) if statistic == "accuracy" else None


def _tar(scores: np.ndarray, mated: np.ndarray, target: float) -> float:
    best = 0.0
    for threshold in np.unique(scores[np.isfinite(scores)]):
        accepted = scores >= threshold
        if accepted[~mated].mean() <= target:
            best = max(best, float(accepted[mated].mean()))
    return best


def holds(cell: FilledCell) -> bool:
    """Whether a cell could be recomputed; AssertionError where it does not hold."""
    assert cell.record is not None and cell.measured is not None
    again = recomputed(cell.record, cell.column.statistic)
    if again is None:
        return False
    value, spread = again
    assert cell.value == pytest.approx(value, abs=1e-12)
    if spread is not None and cell.measured.spread is not None:
        assert cell.measured.spread == pytest.approx(spread, abs=1e-12)
    return True


def test_recomputing_is_right(make_record: MakeRecord, tmp_path: Path) -> None:
    save_record(make_record("baseline", per_kind=60, failures=3), tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    for name, cells in (("table3", 1), ("compare", 2)):
        (table,) = fill_card(with_rows(load_report(name), finder, ()), finder)
        measured = [c for row in table.rows for c in row.cells if c.measured is not None]
        assert sum(holds(cell) for cell in measured) == cells


@pytest.mark.shipped_results
@pytest.mark.parametrize("name", sorted(report_paths()))
def test_every_committed_cell_holds(name: str) -> None:
    finder = Finder.of(cache=False)
    tables = fill_card(with_rows(load_report(name), finder, ()), finder)
    measured = [c for t in tables for row in t.rows for c in row.cells if c.measured is not None]
    if not measured:
        pytest.skip("no committed record answers a cell of this card yet")
    assert sum(holds(cell) for cell in measured) > 0
