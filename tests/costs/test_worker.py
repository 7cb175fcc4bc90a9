"""The worker's answers, in this process and in one of its own."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from facebench.base.errors import UserError
from facebench.costs.measure import busy, describe_machine, peak_memory, resident_memory
from facebench.costs.runtimes import Job
from facebench.costs.worker import WARM_UP, WorkerProcess, serve


def answers(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What a worker says to requests, one after the other."""
    out = io.StringIO()
    serve(io.StringIO("".join(json.dumps(r) + "\n" for r in requests)), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_loading_measuring_and_memory(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facebench.models.embedders.torch import TorchEmbedder

    seen: list[int] = []
    forward = TorchEmbedder.forward
    monkeypatch.setattr(
        TorchEmbedder, "forward", lambda self, f: (seen.append(len(f)), forward(self, f))[1]
    )
    loaded, one, many = answers(
        {"do": "load", "job": asdict(Job("sparse", "eager", 1)), "batch": 4},
        {"do": "measure", "batch": 1, "passes": 5},
        {"do": "measure", "batch": 4, "passes": 2},
    )
    assert seen == [4] * 2 + [1] * WARM_UP + [1] * 5 + [4] * 2  # one pass each, whatever the flip
    assert [batch for batch, _ in loaded["estimates"]] == [4, 1]
    assert loaded["version"].startswith("torch ") and len(one["seconds"]) == 5
    assert min(one["seconds"] + many["seconds"]) > 0
    assert loaded["peak"] is None or loaded["peak"] >= loaded["idle"]


def test_sparse_layers_are_loaded_for_the_passes_that_are_timed(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facebench.costs import runtimes

    asked: list[int] = []
    load = runtimes.load_model
    monkeypatch.setattr(
        runtimes,
        "load_model",
        lambda spec, options: (asked.append(options.batch), load(spec, options))[1],
    )
    for batch in (4, 1):
        answers({"do": "load", "job": asdict(Job("sparse", "eager", 1)), "batch": batch})
    assert asked == [4, 1, 1]


def test_mistakes_are_one_line(zoo: Path) -> None:
    bare, none, unloaded = answers(
        {"do": "load", "job": asdict(Job("bare", "eager", 1)), "batch": 2},
        {"do": "load", "job": asdict(Job("denze", "eager", 1)), "batch": 2},
        {"do": "measure", "batch": 1, "passes": 1},
    )
    assert "'bare' has no trained weights yet" in bare["error"]
    assert "did you mean 'dense'" in none["error"]
    assert unloaded["error"] == "KeyError: 1"


def test_a_process_of_its_own(zoo: Path) -> None:
    with WorkerProcess(Job("dense", "eager", 1)) as process:
        loaded = process.load(2)
        assert set(loaded.estimates) == {1, 2}
        assert len(process.seconds(2, 3)) == 3
        if loaded.peak is not None:  # its own, not what this process holds
            assert loaded.idle is not None and loaded.idle < loaded.peak < 2 << 30
        process._process.kill()
        with pytest.raises(UserError, match=r"dense in eager: its process ended with signal 9"):
            process.seconds(1, 1)
    assert process._process.poll() is not None


def test_the_machine_is_described() -> None:
    machine = describe_machine()
    assert machine.cpu and machine.cores >= 1 and machine.torch.split(".")[0].isdigit()
    assert not busy(machine.model_copy(update={"load": None}))
    assert not busy(machine.model_copy(update={"load": 0.2, "cores": 2}))
    assert busy(machine.model_copy(update={"load": 1.1, "cores": 2}))
    resident, peak = resident_memory(), peak_memory()
    if resident is not None and peak is not None:
        assert 10 << 20 < resident <= peak
