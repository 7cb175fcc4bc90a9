"""Cost records and small models to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from facebench.costs.measure import describe_machine, spread_of
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard
from facebench.models.cards.publish import publish_weights, write_card
from facebench.records.costs import CostRecord, CostRun, Ratios

SIZE = (80, 80)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working directory with models/: ``dense``, ``sparse`` (1/4 of f kept), ``bare``."""
    torch.manual_seed(0)
    net = ConvNet(0.125, SIZE).eval()
    for parameter in net.parameters():  # ONNX files store equal ones, such as zeros, once
        if parameter.ndim < 3:
            torch.nn.init.normal_(parameter, std=0.1)
    mask = torch.zeros_like(net.f.weight, dtype=torch.bool)
    mask.view(-1)[::4] = True
    for name, masks in (("dense", {}), ("sparse", {"f": mask}), ("bare", None)):
        card = ModelCard.model_validate(
            {
                "name": name,
                "title": name,
                "architecture": "convnet",
                "width": 0.125,
                "sparsity": {"f": "1/4"} if masks else {},
                "preprocessing": {"size": SIZE, "flip": "add" if name == "sparse" else "none"},
            }
        )
        write_card(card, tmp_path / "models" / f"{name}.toml")
        if masks is not None:
            publish_weights(name, net.state_dict(), masks, {}, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cost_run(**fields: Any) -> CostRun:
    """An eager run of two rounds that took as long as its baseline, unless said otherwise."""
    one = spread_of([1.0, 1.0])
    values: dict[str, Any] = {
        "runtime": "eager",
        "version": "torch 2",
        "native": True,
        "precision": "float32",
        "threads": 2,
        "batch": 32,
        "latency": spread_of([0.010, 0.012]),
        "throughput": spread_of([100.0, 110.0]),
        "peak_memory": 300_000_000,
        "idle_memory": 200_000_000,
        "ratios": Ratios(baseline="dense", runtime="eager", latency=one, throughput=one),
        "measured": "2026-01-02T03:04:05+00:00",
        "machine": describe_machine(),
    }
    return CostRun(**(values | fields))


def cost_record(*runs: CostRun, **fields: Any) -> CostRecord:
    """A record of ``dense``."""
    values: dict[str, Any] = {
        "facebench": "0",
        "model": "dense",
        "weights_hash": "ab" * 32,
        "parameters": 1000,
        "kept_parameters": 500,
        "bytes": 2000,
        "multiply_adds": 3_000_000,
        "kept_multiply_adds": 2_000_000,
        "input": SIZE,
        "passes": 1,
        "runs": runs or (cost_run(),),
    }
    return CostRecord(**(values | fields))


@pytest.fixture
def make_run() -> Callable[..., CostRun]:
    return cost_run


@pytest.fixture
def make_costs() -> Callable[..., CostRecord]:
    return cost_record
