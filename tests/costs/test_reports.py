"""Costs as columns of a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.costs.measure import spread_of
from facebench.records.costs import CostRecord, CostRun, default_costs_folder, save_costs
from facebench.records.find import Finder
from facebench.records.statistics import family, unit_of
from facebench.reports.card import read_report
from facebench.reports.cells import FilledCell
from facebench.reports.fill import filled_cell
from facebench.reports.table import shown

CARD = """
name = "costs"
title = "t"
[[columns]]
key = "ms"
heading = "ms"
statistic = "cost:latency"
[[columns]]
key = "macs"
heading = "multiply-adds"
statistic = "cost:multiply_adds"
[[columns]]
key = "ort"
heading = "ONNX Runtime"
statistic = "cost:latency_ratio@onnxruntime"
[[rows]]
label = "dense"
model = "dense"
[[rows]]
label = "bare"
model = "bare"
"""


@pytest.mark.parametrize(
    ("statistic", "unit"),
    [("cost:latency", "plain"), ("cost:multiply_adds", "count"), ("cost:peak_memory", "bytes")],
)
def test_a_family_of_their_own(statistic: str, unit: str) -> None:
    assert (family(statistic), unit_of(statistic)) == ("cost", unit)


def test_a_misspelt_cost_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'cost:latency'"):
        family("cost:latancy")


def test_cells_say_what_is_measured_and_what_is_missing(
    zoo: Path, make_run: Callable[..., CostRun], make_costs: Callable[..., CostRecord]
) -> None:
    (zoo / "costs.toml").write_text(CARD)
    card = read_report(zoo / "costs.toml")

    def cells(row: int) -> list[FilledCell]:
        return [filled_cell(FilledCell(c), card.rows[row], {}, None) for c in card.columns]

    assert [cell.missing for cell in cells(0)] == [
        "no reports/results/costs/dense.json: facebench bench dense"
    ] * 3
    assert cells(1)[0].missing == "bare has no trained weights yet"
    (zoo / "reports").mkdir()
    save_costs(make_costs(make_run(latency=spread_of([0.0123]))), default_costs_folder())
    ms, macs, other = cells(0)
    assert (shown(ms).text, shown(macs).text) == ("12.3", "3.00 M")
    assert other.missing == "cost:latency_ratio@onnxruntime is not known of dense"
    beside = CARD.replace("cost:latency_ratio@onnxruntime", "cost:throughput_ratio")
    (zoo / "beside.toml").write_text(beside.replace('"costs"', '"beside"'))
    card = read_report(zoo / "beside.toml")
    cell = filled_cell(FilledCell(card.columns[2]), card.rows[0], {}, None, "bare")
    assert cell.value is None and cell.missing is not None
    assert cell.missing.endswith("was measured beside dense: facebench bench bare dense")
    cell = filled_cell(FilledCell(card.columns[2]), card.rows[0], {}, None, "dense")
    assert cell.value is not None
    Finder.of()  # would refuse a file below results that is no record
