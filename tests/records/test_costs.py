"""Cost records on disk, and the statistics that reports take from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.storage import cache_folder
from facebench.costs.measure import spread_of
from facebench.records.costs import (
    COST_STATISTICS,
    CostRecord,
    CostRun,
    cost_unit,
    cost_value,
    default_costs_folder,
    find_costs,
    read_costs,
    save_costs,
)

MakeRun = Callable[..., CostRun]
MakeCosts = Callable[..., CostRecord]


def test_reading_gives_what_was_written(make_costs: MakeCosts, tmp_path: Path) -> None:
    record = make_costs()
    path = save_costs(record, tmp_path / "new" / "costs")
    assert path.name == "dense.json"
    assert read_costs(path) == record
    assert [p.name for p in path.parent.iterdir()] == ["dense.json"]


def test_new_runs_go_first_and_replace_their_like(
    make_run: MakeRun, make_costs: MakeCosts, tmp_path: Path
) -> None:
    old = make_run(latency=spread_of([9.0])), make_run(runtime="onnxruntime", native=False)
    save_costs(make_costs(*old), tmp_path)
    new = make_run(latency=spread_of([1.0])), make_run(threads=1)
    kept = read_costs(save_costs(make_costs(*new), tmp_path)).runs
    assert kept == (*new, old[1])


@pytest.mark.parametrize("weights", ["cd" * 32, "unpinned"])
def test_runs_of_other_weights_are_dropped(
    make_run: MakeRun, make_costs: MakeCosts, tmp_path: Path, weights: str
) -> None:
    before = "ab" * 32 if weights != "unpinned" else weights
    save_costs(make_costs(make_run(threads=1), weights_hash=before), tmp_path)
    path = save_costs(make_costs(make_run(threads=2), weights_hash=weights), tmp_path)
    assert [run.threads for run in read_costs(path).runs] == [2]


def test_the_working_directory_comes_before_the_cache(
    make_costs: MakeCosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_costs("dense") is None
    assert default_costs_folder() == cache_folder() / "costs"
    save_costs(make_costs(bytes=1), default_costs_folder())
    found = find_costs("dense")
    assert found is not None and found.bytes == 1
    (tmp_path / "reports").mkdir()
    assert default_costs_folder() == tmp_path / "reports" / "results" / "costs"
    save_costs(make_costs(bytes=2), default_costs_folder())
    found = find_costs("dense")
    assert found is not None and found.bytes == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version 2, and this facebench reads 1"),
        ({"byts": 1}, "unknown field 'byts'; did you mean 'bytes'"),
        ({"passes": 0}, "field 'passes'"),
        ({"bytes": 100}, "its seal is not that of its contents"),
        (None, "not JSON"),
    ],
)
def test_wrong_files_are_one_line(
    make_costs: MakeCosts, tmp_path: Path, change: dict[str, int] | None, message: str
) -> None:
    path = save_costs(make_costs(), tmp_path)
    text = path.read_text()
    path.write_text(text[:-9] if change is None else json.dumps(json.loads(text) | change))
    with pytest.raises(UserError, match=message) as caught:
        read_costs(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match=message):  # and is not written over
        save_costs(make_costs(), tmp_path)


def test_a_spread_is_finite_and_positive() -> None:
    spread = spread_of([3.0, 1.0, 2.0])
    assert (spread.median, spread.low, spread.high) == (2.0, 1.0, 3.0)
    for wrong in ([0.0], [float("nan")], [float("inf")]):
        with pytest.raises(ValueError):
            spread_of(wrong)


def test_values_of_statistics(make_run: MakeRun, make_costs: MakeCosts) -> None:
    slow = make_run(runtime="onnxruntime", native=False, latency=spread_of([0.5]))
    record = make_costs(slow, make_run(), parameters=None)
    values = {name: cost_value(record, name) for name in COST_STATISTICS}
    assert values == {
        "cost:parameters": None,
        "cost:kept_parameters": 500,
        "cost:bytes": 2000,
        "cost:packed_bytes": None,
        "cost:packed_int8_bytes": None,
        "cost:multiply_adds": 3e6,
        "cost:kept_multiply_adds": 2e6,
        "cost:latency": pytest.approx(11.0),  # milliseconds, of the native runtime
        "cost:latency_ratio": 1.0,
        "cost:throughput": 105.0,
        "cost:throughput_ratio": 1.0,
        "cost:peak_memory": 3e8,
    }
    assert cost_value(record, "cost:latency@onnxruntime") == 500.0
    assert cost_value(record, "cost:latency@openvino") is None
    assert cost_value(make_costs(slow), "cost:latency") == 500.0  # no native run


@pytest.mark.parametrize(
    ("statistic", "unit"),
    [
        ("cost:latency", "plain"),
        ("cost:latency_ratio@compile", "ratio"),
        ("cost:multiply_adds", "count"),
        ("cost:peak_memory@eager", "bytes"),
        ("cost:multiply_adds@eager", None),
        ("cost:latency@tensorrt", None),
        ("cost:latency@", None),
        ("cost:speed", None),
        ("latency", None),
    ],
)
def test_units_and_names(statistic: str, unit: str | None) -> None:
    assert cost_unit(statistic) == unit
