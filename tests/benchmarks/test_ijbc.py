"""IJB-C at its size: 15.7 million comparisons of 23,000 templates, from a folder and embeddings.

Run with ``pytest tests/benchmarks/test_ijbc.py -s -m slow``. Acceptance: 60 s on two cores and
3 GiB; the time is printed, correctness and memory are asserted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "ijbc_folder.py"
MOST_GIB = 3.0


def child(*words: object) -> str:
    """What the script prints, run by itself so that its memory is its own."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "2"}
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


@pytest.mark.slow
def test_ijbc_at_its_size(tmp_path: Path) -> None:
    folder = tmp_path / "IJBC"
    child("write", folder, 23_000, 15_658_489, 2)
    found = json.loads(child("run", folder).splitlines()[-1])
    print(
        f"\n15,658,489 comparisons of 23,000 templates × 512: {found['seconds']:.1f} s, "
        f"{found['peak_gib']:.2f} GiB; TAR {found['tar']}"
    )
    assert found["tar"] == found["sorted"] and len(found["tar"]) == 6
    assert min(found["tar"].values()) > 0 and max(found["tar"].values()) < 1
    assert found["worst"] < 1e-6
    assert found["peak_gib"] < MOST_GIB


def test_the_same_on_a_small_folder(tmp_path: Path) -> None:
    folder = tmp_path / "IJBC"
    child("write", folder, 1000, 20_000, 2)
    found = json.loads(child("run", folder).splitlines()[-1])
    assert found["tar"] == found["sorted"]
    assert found["worst"] < 1e-6
