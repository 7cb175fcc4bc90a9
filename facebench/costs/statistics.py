"""The costs that a report's column may name: ``cost:latency``, ``cost:latency@onnxruntime``, …"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from facebench.costs.record import RUNTIMES, CostRecord

COST = "cost:"
CostUnit = Literal["count", "bytes", "ratio", "plain"]
# Latency is in milliseconds, throughput in faces per second.
OF_MODELS: MappingProxyType[str, CostUnit] = MappingProxyType(
    {
        "parameters": "count",
        "kept_parameters": "count",
        "bytes": "bytes",
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
