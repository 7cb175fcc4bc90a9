"""The cost record: what a model takes, and what was measured of it, on which machine.

One JSON file per model, ``costs/<model>.json`` beside the records of a workspace.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from facebench.base.errors import UserError
from facebench.base.opening import read_json
from facebench.base.storage import (
    cache_folder,
    kept,
    result_folders,
    working_folder,
    write_atomically,
)
from facebench.base.validation import Strict, validated
from facebench.models.embedders.base import UNPINNED
from facebench.records.record import SEAL, require_seal, seal_of
from facebench.records.scores import file_name
from facebench.records.sections import Count

COSTS = "costs"
SCHEMA_VERSION = 1
Runtime = Literal["eager", "compile", "onnxruntime", "openvino"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Spread(Strict):
    """A quantity over the rounds: median, lowest and highest; rounds: one value each, in order."""

    median: Positive
    low: Positive
    high: Positive
    rounds: Annotated[tuple[Positive, ...], Field(min_length=1)]


class MachineFacts(Strict):
    """What it was measured on. cores: those that the process may use; load: running processes of
    the machine over the minute before, where the system tells.
    """

    cpu: str
    instructions: str = ""
    cores: Annotated[int, Field(ge=1)]
    system: str
    python: str
    torch: str
    load: Annotated[float, Field(ge=0)] | None = None


class Ratios(Strict):
    """A run over the baseline's, round by round: below 1 is less time, or fewer faces a second."""

    baseline: str
    runtime: Runtime
    latency: Spread
    throughput: Spread


class CostRun(Strict):
    """One model in one runtime, measured in a process of its own.

    native: how facebench itself runs the model; execution: how its sparse layers run, if they do;
    latency: seconds of one pass of one face; throughput: faces per second at ``batch``;
    peak_memory: most resident bytes of the process, in loading and passes; idle_memory: before the
    model was loaded; ratios: to the baseline, measured in the same rounds.
    """

    runtime: Runtime
    version: str
    native: bool
    execution: str = ""
    precision: str
    threads: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)]
    latency: Spread
    throughput: Spread
    peak_memory: Count | None
    idle_memory: Count | None
    ratios: Ratios
    measured: str
    machine: MachineFacts

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        """Runs with the same key replace each other."""
        return self.runtime, self.precision, self.threads, self.batch, self.machine.cpu


class CostRecord(Strict):
    """``costs/<model>.json``. What the model takes is counted as in its records (`ModelSection`);
    passes: of the network for one embedding, by its flip rule; None: not known. runs: the latest
    first. Its file ends with a seal.
    """

    schema_version: Literal[1] = 1
    facebench: str
    model: str
    weights_hash: str
    parameters: Count | None
    kept_parameters: Count | None
    bytes: Count | None
    packed_bytes: Count | None = None
    packed_int8_bytes: Count | None = None
    multiply_adds: Count | None
    kept_multiply_adds: Count | None
    input: tuple[int, int]
    passes: Annotated[int, Field(ge=1)]
    runs: Annotated[tuple[CostRun, ...], Field(min_length=1)]

    def run_of(self, runtime: str | None = None) -> CostRun | None:
        """The latest run in a runtime, or, without a name, in the model's native one; None: none.

        Without a native run the latest of all.
        """
        if runtime is not None:
            return next((run for run in self.runs if run.runtime == runtime), None)
        return next((run for run in self.runs if run.native), self.runs[0])


def default_costs_folder() -> Path:
    """Where new costs go: ``reports/results/costs`` of the working directory if it has ``reports``,
    else the cache.
    """
    reports = working_folder() / "reports"
    return reports / "results" / COSTS if reports.is_dir() else cache_folder() / COSTS


def costs_path(model: str) -> str:
    """Where the costs of a model are looked for first, as shown to users."""
    return f"reports/results/{COSTS}/{file_name(model)}.json"


@kept
def find_costs(model: str) -> CostRecord | None:
    """The costs of a model: the working directory's, this machine's (cache), the shipped ones.

    None: it was not measured. UserError in one line: not JSON, another version, a wrong field,
    a change by hand.
    """
    folders = [folder / COSTS for folder in result_folders()]
    here = [folder for folder in folders if folder.is_relative_to(working_folder())]
    for folder in [*here, cache_folder() / COSTS, *folders]:
        path = folder / f"{file_name(model)}.json"
        if path.is_file():
            return read_costs(path)
    return None


def read_costs(path: Path) -> CostRecord:
    """The cost record in a file; UserError in one line names the file and what is wrong."""
    to_do = "measure the model again with `facebench bench`"
    values: Any = read_json(path, "the record of costs", to_do=to_do)
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path}: schema version {version!r}, and this facebench reads {SCHEMA_VERSION}; "
            f"{to_do}"
        )
    content = {name: value for name, value in values.items() if name != SEAL}
    record = validated(CostRecord, content, str(path))
    require_seal(values, str(path), "facebench bench")
    return record


def save_costs(record: CostRecord, folder: Path) -> Path:
    """Write ``folder/<model>.json``, complete or not at all; returns its path.

    Runs that are there already stay, after the new ones, unless a new one replaces them or the
    weights are others. UserError where the file that is there cannot be read.
    """
    path = folder / f"{file_name(record.model)}.json"
    before = read_costs(path) if path.is_file() else None
    if before and record.weights_hash == before.weights_hash != UNPINNED:
        new = {run.key for run in record.runs}
        old = tuple(run for run in before.runs if run.key not in new)
        record = record.model_copy(update={"runs": (*record.runs, *old)})
    values = record.model_dump(mode="json")
    values[SEAL] = seal_of(values)
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


COST = "cost:"
CostUnit = Literal["count", "bytes", "ratio", "plain"]
# Latency is in milliseconds, throughput in faces per second.
OF_MODELS: MappingProxyType[str, CostUnit] = MappingProxyType(
    {
        "parameters": "count",
        "kept_parameters": "count",
        "bytes": "bytes",
        "packed_bytes": "bytes",
        "packed_int8_bytes": "bytes",
        "multiply_adds": "count",
        "kept_multiply_adds": "count",
    }
)
OF_RUNS: MappingProxyType[str, CostUnit] = MappingProxyType(
    {
        "latency": "plain",
        "latency_ratio": "ratio",
        "throughput": "plain",
        "throughput_ratio": "ratio",
        "peak_memory": "bytes",
    }
)
COST_STATISTICS = tuple(f"{COST}{name}" for name in (*OF_MODELS, *OF_RUNS))


def cost_unit(statistic: str) -> CostUnit | None:
    """The unit of a ``cost:`` statistic, or None: there is none of that name."""
    if not statistic.startswith(COST):
        return None
    name, at, runtime = statistic.removeprefix(COST).partition("@")
    if at and (name not in OF_RUNS or runtime not in RUNTIMES):
        return None
    return OF_MODELS.get(name) or OF_RUNS.get(name)


def cost_value(record: CostRecord, statistic: str) -> float | None:
    """The value of a ``cost:`` statistic in a record, or None: not known, or not measured."""
    name, _, runtime = statistic.removeprefix(COST).partition("@")
    if name in OF_MODELS:
        value = getattr(record, name)
        return None if value is None else float(value)
    run = record.run_of(runtime or None)
    if run is None:
        return None
    if name == "latency":
        return 1000 * run.latency.median
    if name == "throughput":
        return run.throughput.median
    if name == "peak_memory":
        return None if run.peak_memory is None else float(run.peak_memory)
    return run.ratios.latency.median if name == "latency_ratio" else run.ratios.throughput.median


def is_ratio(statistic: str) -> bool:
    """Whether a ``cost:`` statistic is a ratio to the model it was measured beside."""
    return statistic.removeprefix(COST).partition("@")[0] in ("latency_ratio", "throughput_ratio")


def ratio_baseline(record: CostRecord, statistic: str) -> str | None:
    """The model that a ratio of a record is to; None: the statistic is none, or not measured."""
    run = record.run_of(statistic.partition("@")[2] or None)
    return run.ratios.baseline if run is not None and is_ratio(statistic) else None
