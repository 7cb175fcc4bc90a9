"""Commands that were killed at any file operation end, given again, as if nothing had been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SETTINGS = ["--workers", "0", "--draws", "20"]
EVAL = ["eval", "-m", "tiny_model:pinned", *_SETTINGS]
OTHER = ["eval", "-m", "tiny_model:make", "--size", "112x96", *_SETTINGS]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc"),
]


def given(faces: Path, *words: str) -> list[str]:
    return [*words, "-p", "lfw", "--data", str(faces), "-q"]


@pytest.mark.parametrize("name", ["eval", "gate", "gate anew", "quantise", "report"])
def test_the_same_command_ends_the_same(work: Path, faces: Path, tmp_path: Path, name: str) -> None:
    records = [given(faces, *EVAL, "--out", "rec"), given(faces, *OTHER, "--out", "other")]
    first = ["gate", "--update", "-b", "bases/lfw.json", "--reason", "first", "rec"]
    second = [*first[:-2], "second", "other"]
    setup, command, every = {
        "eval": (
            [],
            given(faces, *EVAL, "--out", "rec", "--format", "md", "-o", "r.md", "--plot", "r.svg"),
            5,
        ),
        "gate": ([*records, first], second, 1),
        "gate anew": (records, first, 1),
        "quantise": ([], ["quantise", "sparse_012"], 1),
        "report": ([], ["report", "table2", "--format", "all", "--output-dir", "pages", "-q"], 1),
    }[name]
    told = {"setup": setup, "command": command, "every": every, "folder": str(tmp_path / "killed")}
    ended = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "helpers" / "killed.py"), json.dumps(told)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(work)]),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    *wrong, summary = ended.stdout.splitlines()
    assert wrong == []
    assert int(summary.split()[0]) >= 8 and summary.endswith("ended with 0")
