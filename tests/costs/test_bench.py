"""The job with processes that only pretend, and the tables of what it finds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from facebench.base.errors import UserError
from facebench.costs import bench as job
from facebench.costs.bench import Bench, bench
from facebench.costs.runtimes import Job
from facebench.costs.table import bench_csv, bench_json, bench_table
from facebench.costs.worker import Loaded
from facebench.models.export import plain_network, program_bytes
from facebench.reports.notebook import html_of

started: list[tuple[str, str]] = []


class Pretended:
    """Takes 2 ms for one face of ``dense`` and 1 ms of others, ten times that for a batch."""

    def __init__(self, given: Job) -> None:
        self.job = given
        self.each = 0.002 if given.spec == "dense" else 0.001
        if given.program is not None:
            assert Path(given.program).is_file()
            assert Path(given.program).with_suffix(".toml").is_file()
            self.each /= 2
        started.append((given.spec, given.runtime))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def load(self, batch: int) -> Loaded:
        if self.job.runtime == "compile":
            raise UserError("no luck")
        peak = 150_000_000 if self.job.spec == "dense" else 300_000_000
        estimates = {1: self.each, batch: 10 * self.each}
        execution = "sparse csr:f" if self.job.spec == "sparse" else ""
        return Loaded(f"{self.job.runtime} 1", execution, 100_000_000, peak, estimates)

    def seconds(self, batch: int, passes: int) -> list[float]:
        return [self.each if batch == 1 else 10 * self.each] * passes


@pytest.fixture
def pretended(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    started.clear()
    monkeypatch.setattr(job, "WorkerProcess", Pretended)
    return zoo


def quick(**fields: Any) -> dict[str, Any]:
    return {"rounds": 2, "seconds": 0.0, "batch": 8} | fields


def test_ratios_are_to_the_first_model(pretended: Path) -> None:
    steps: list[str] = []

    def stage(name: str, total: int) -> Callable[[], None]:
        steps.append(f"{name} {total}")
        return lambda: None

    result = bench(["dense", "sparse"], **quick(), stage=stage)
    assert started == [("dense", "eager"), ("sparse", "eager")]
    assert steps == ["counting 2", "loading 2", "measuring 4"]
    dense, sparse = result.records
    assert dense.runs[0].ratios.latency.rounds == (1.0, 1.0)
    run = sparse.runs[0]
    assert run.native and run.ratios.baseline == "dense"
    assert run.latency.median == 0.001 and run.throughput.median == pytest.approx(800)
    assert run.ratios.latency.median == 0.5 and run.ratios.throughput.median == pytest.approx(2)
    assert (sparse.passes, dense.passes) == (2, 1)
    frame = result.to_frame()
    assert list(frame["model"]) == ["dense", "sparse"] and frame["latency_ratio"][0] == 1
    assert "What the models cost to run" in html_of(result)


def test_a_baseline_that_is_not_named_is_measured_first(pretended: Path) -> None:
    result = bench(["sparse"], "dense", **quick())
    assert [record.model for record in result.records] == ["dense", "sparse"]
    again = bench(["dense", "sparse"], "sparse", **quick())
    assert again.baseline == "sparse" and again.records[0].runs[0].ratios.latency.median == 2


def test_runtimes_that_cannot_be_are_one_line_each(
    pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    absent = {"openvino": "not installed (pip install openvino)"}
    monkeypatch.setattr(job, "why_unavailable", absent.get)
    runtimes = ("eager", "compile", "onnxruntime", "openvino")
    result = bench(["dense", "sparse"], **quick(runtimes=runtimes))
    assert result.skipped == (
        "openvino: not installed (pip install openvino)",
        "dense in compile: no luck",
        "sparse in compile: no luck",
    )
    assert [run.runtime for run in result.records[1].runs] == ["eager", "onnxruntime"]
    # All against the baseline in its first runtime.
    assert result.records[0].runs[1].ratios.latency.median == 0.5
    assert result.records[1].runs[1].ratios.latency.median == 0.25
    sheet = bench_table(result)
    assert sheet.headings[1] == "runtime" and len(sheet.rows) == 4
    assert f"left out: {result.skipped[1]}" in sheet.notes


def test_an_onnx_file_beside_networks(pretended: Path) -> None:
    pytest.importorskip("onnx")
    path = pretended / "other.onnx"
    path.write_bytes(program_bytes(plain_network("dense"), "onnx"))
    result = bench(["dense", str(path)], **quick(size=(80, 80)))
    assert started == [("dense", "eager"), (str(path), "onnxruntime")]
    other = result.records[1]
    assert other.model == "other" and other.runs[0].native
    assert other.parameters == result.records[0].parameters
    result = bench(["dense", str(path)], **quick(runtimes=("eager",)))
    assert result.skipped == ("other in eager: is an ONNX file, which torch does not run",)
    assert len(result.records) == 1


def test_files_of_one_name_are_told_apart(pretended: Path) -> None:
    pytest.importorskip("onnx")
    paths = [pretended / run / "model.onnx" for run in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(program_bytes(plain_network("dense"), "onnx"))
    result = bench([*map(str, paths)], **quick(size=(80, 80)))
    assert [record.model for record in result.records] == ["one/model", "two/model"]


@pytest.mark.parametrize(
    ("models", "baseline", "settings", "message"),
    [
        (["dense", "bare"], None, {}, "'bare' has no trained weights yet"),
        (["dense"], "denze", {}, "did you mean 'dense'"),
        (["dense", "models/dense.toml"], None, {}, "two models are called 'dense'"),
        ([], None, {}, "nothing to measure"),
        (["dense"], None, {"runtimes": ("compile",)}, "baseline cannot be measured: .*no luck"),
        (["dense"], None, {"runtimes": ("onxruntime",)}, "did you mean 'onnxruntime'"),
        (["dense"], None, {"rounds": 0}, "rounds=0: must be from 1 to 1,000,000"),
    ],
)
def test_mistakes_are_told_in_one_line(
    pretended: Path, models: list[str], baseline: str | None, settings: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        bench(models, baseline, **quick(**settings))
    assert "\n" not in str(caught.value)
    assert not started or "compile" in str(settings)  # before any process is started


@pytest.fixture
def measured(pretended: Path) -> Bench:
    result = bench(["dense", "sparse"], **quick())
    return replace(result, machine=result.machine.model_copy(update={"load": 0.0}))


def test_the_table(measured: Bench) -> None:
    sheet = bench_table(measured)
    assert sheet.headings == (
        "model", "parameters", "kept", "on disk", "packed", "multiply-adds", "of kept weights",
        "peak memory", "ms, 1 face", "faces/s, 8 at once",
    )  # fmt: skip
    dense, sparse = (row.cells for row in sheet.rows)
    assert (dense[0].text, dense[0].detail, sparse[0].detail) == ("dense", "baseline", "")
    assert dense[1].text == f"{measured.records[0].parameters:,}"
    assert sparse[1].detail == "1.000×"
    kept = measured.records[1].kept_parameters / measured.records[0].parameters
    assert sparse[2].detail == f"{kept:.3f}×"
    assert (sparse[7].text, sparse[7].detail) == ("300.0 MB", "2.000×")
    assert sparse[8].text == "1.000 [1.000, 1.000]" and sparse[8].detail.startswith("0.500× [")
    assert sparse[9].text == "800.0 [800.0, 800.0]" and sparse[9].detail.startswith("2.000× [")
    caption = "\n".join(sheet.notes)
    assert "sparse in eager runs sparse csr:f" in caption
    assert "float32, 1 thread, eager (eager 1)" in caption
    assert "medians of 2 rounds [lowest, highest]" in caption
    assert "two passes per embedding, by their flip rule: sparse" in caption
    assert "100.0 MB of it before a model is loaded" in caption
    assert sheet.notice is None


def test_a_busy_machine_is_said(measured: Bench) -> None:
    machine = measured.machine.model_copy(update={"load": 3.0, "cores": 2})
    notice = bench_table(replace(measured, machine=machine)).notice
    assert notice is not None and "busy" in notice and "3.0 running processes" in notice


def test_what_is_not_known_is_said(measured: Bench) -> None:
    unknown = {"parameters": None, "multiply_adds": None, "bytes": None}
    first, second = measured.records
    sheet = bench_table(replace(measured, records=(first, second.model_copy(update=unknown))))
    assert [sheet.rows[1].cells[n].text for n in (1, 3, 5)] == ["not known"] * 3
    assert sheet.rows[1].cells[1].detail == ""


def test_json_and_csv_hold_the_numbers(measured: Bench) -> None:
    told = json.loads(bench_json(measured))
    assert told["baseline"] == "dense" and told["skipped"] == []
    assert [r["model"] for r in told["records"]] == ["dense", "sparse"]
    assert told["records"][1]["runs"][0]["latency"]["rounds"] == [0.001, 0.001]
    lines = list(csv.DictReader(io.StringIO(bench_csv(measured))))
    assert [line["model"] for line in lines] == ["dense", "sparse"]
    assert float(lines[1]["latency_seconds"]) == 0.001
    assert float(lines[1]["throughput_ratio"]) == pytest.approx(2)
    assert lines[1]["baseline"] == "dense" and lines[1]["kept_parameters"] != ""
