"""The main job on real photographs: ../shared/data/lfw-mini."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facebench.tables.markdown import plain

ROOT = Path(__file__).parents[2]
TINY = '''
"""Slow enough to be killed in the middle, and always the same."""
import time
import numpy as np
from facebench.models.embedders.base import Embedder, Preprocessing

class Tiny(Embedder):
    id, weights_hash, preprocessing = "tiny", "ab" * 32, Preprocessing((112, 96))

    def forward(self, faces):
        time.sleep(PAUSE)
        n = len(faces)
        blocks = faces.reshape(n, 14, 8, 12, 8, 3).mean(axis=(2, 4, 5), dtype=np.float32)
        flat = blocks.reshape(n, -1)
        return flat - flat.mean(axis=1, keepdims=True)

def make():
    return Tiny()
'''


class Machine:
    """A folder with a model in it and a cache of its own."""

    def __init__(self, folder: Path, data: Path, pause: float = 0.0) -> None:
        folder.mkdir()
        self.folder, self.data = folder, data
        (folder / "tiny.py").write_text(TINY.replace("PAUSE", str(pause)))
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FACEBENCH_CACHE": str(folder / "cache"),
            "COLUMNS": "80",
        }

    def start(self, *more: str) -> subprocess.Popen[str]:
        """facebench eval in a process group of its own."""
        command = [sys.executable, "-m", "facebench", "eval", "-m", "tiny:make"]
        command += ["-p", "lfw", "--data", str(self.data), "--draws", "100", "--out", "out", *more]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *more: str) -> tuple[str, str]:
        """Standard output and standard error of a run that succeeds."""
        process = self.start(*more)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out, err

    def record(self) -> dict[str, object]:
        """The record without what differs between runs."""
        (path,) = (self.folder / "out").rglob("*.json")
        values: dict[str, object] = json.loads(path.read_text())
        # The seal is over all of it, when it was made included.
        return {name: value for name, value in values.items() if name not in ("run", "seal")}


def test_a_table_and_a_record_of_real_faces(tmp_path: Path, shared_data: Path) -> None:
    machine = Machine(tmp_path / "m", shared_data / "lfw-mini")
    out, err = machine.run("--plot", "roc.png", "--profile")
    record = machine.record()
    assert record["comparisons"] == record["comparisons"] | {  # type: ignore[operator]
        "total": 600, "mated": 300, "nonmated": 300, "folds": 10
    }  # fmt: skip
    statistics = record["statistics"]
    assert isinstance(statistics, dict)
    assert 0.5 < statistics["accuracy"]["value"] < 0.8  # raw pixels
    assert len(statistics["accuracy"]["per_fold"]) == 10
    told, _ = machine.run("--format", "md")  # on a terminal: how to have it
    assert plain(str(record["signature"])) in told
    assert "alignment: landmarks-5pt(" in told
    assert "how to read this, signatures: --format md or html" in out
    assert "SYNTHETIC" not in out + err and "NOT THE PUBLISHED LIST" in out
    assert "901 faces embedded" in err and "wall time" in err
    assert (machine.folder / "roc.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in machine.folder.iterdir()} <= {
        "tiny.py", "__pycache__", "cache", "out", "roc.png"
    }  # fmt: skip


def test_brute_force_gives_the_same_accuracy(tmp_path: Path, shared_data: Path) -> None:
    """Folds, thresholds and accuracy once more, in the plainest way, from the stored scores."""
    from facebench.records.files import read_record

    machine = Machine(tmp_path / "m", shared_data / "lfw-mini")
    machine.run()
    (path,) = (machine.folder / "out").rglob("*.json")
    record = read_record(path)
    table = record.table
    assert table is not None
    accuracies = []
    for fold in range(1, 11):
        train, test = table.folds != fold, table.folds == fold
        values = np.unique(table.scores[train])
        middles = [(a + b) / 2 for a, b in pairwise(values)]
        candidates = [values[0] - 1, *middles, values[-1] + 1]
        right = [np.mean((table.scores[train] >= c) == table.mated[train]) for c in candidates]
        tied = [c for c, share in zip(candidates, right, strict=True) if share == max(right)]
        threshold = tied[(len(tied) - 1) // 2]
        accuracies.append(np.mean((table.scores[test] >= threshold) == table.mated[test]))
    accuracy = record.statistics.accuracy
    assert accuracy.per_fold == pytest.approx(accuracies, abs=1e-12)
    assert accuracy.value == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert accuracy.spread == pytest.approx(np.std(accuracies, ddof=1) / np.sqrt(10), abs=1e-12)


@pytest.mark.slow
def test_killed_three_times_ends_with_the_same_record(tmp_path: Path, shared_data: Path) -> None:
    data = shared_data / "lfw-mini"
    undisturbed = Machine(tmp_path / "a", data, pause=0.15)
    started = time.monotonic()
    undisturbed.run()
    whole = time.monotonic() - started
    disturbed = Machine(tmp_path / "b", data, pause=0.15)
    moments = random.Random(7)
    for _ in range(3):
        process = disturbed.start()
        try:
            process.wait(whole * moments.uniform(0.4, 0.95))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    disturbed.run()
    assert disturbed.record() == undisturbed.record()
    stores = [
        {
            path.relative_to(machine.folder): path.read_bytes()
            for path in (machine.folder / "cache" / "embeddings").rglob("*.safetensors")
        }
        for machine in (undisturbed, disturbed)
    ]
    assert stores[0] == stores[1] and len(stores[0]) == 2
    assert not list(disturbed.folder.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.3, 1.0, 3.0])
def test_interrupted_says_that_it_continues(tmp_path: Path, shared_data: Path, wait: float) -> None:
    """As a terminal does it: the whole process group gets the signal, importing or reading."""
    machine = Machine(tmp_path / "m", shared_data / "lfw-mini", pause=0.5)
    process = machine.start("-q", "--workers", "2")
    store = machine.folder / "cache" / "embeddings"
    deadline = time.monotonic() + 60
    while not list(store.rglob("manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert err.strip() == "facebench: stopped; the same command continues where it was"
