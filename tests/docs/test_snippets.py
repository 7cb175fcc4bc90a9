"""The Python of README and docs is run, block after block, on small data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facebench
from facebench.faces.twins import lfw as twin
from tests.docs.pages import CHECKOUT, PAGES, blocks, name_of

RECORDS = CHECKOUT / "reports" / "results" / "lfw" / "lfw-0aba83afd81d11d9"
ELSEWHERE = {
    "docs/api.md": "the example of README.md",
    "docs/use/compare-and-gate.md": "the first test of docs/pruning-in-ci, with a rule",
    "docs/pruning-in-ci.md": "a file of that folder: tests/cli/test_pruning_in_ci.py runs it",
    "docs/use/own-network.md": "the sweep of tests/cli/commands/test_sweep.py, from Python",
    "docs/use/int8.md": "tests/evaluation/test_quantise.py does, on a small network",
    "docs/use/doctor.md": "tests/models/doctor/test_diagnose.py does, on planted mistakes",
    "docs/use/compress.md": "tests/lab/compress/test_compress.py does, on toys",
    "docs/use/degraded.md": "tests/comparison/test_degradation.py does, on toys",
    "docs/use/groups.md": "tests/comparison/groups/test_damage.py does, on toys",
    "docs/contributing/criterion.md": "tests/docs/test_guides.py puts it into facebench",
    "docs/contributing/network.md": "tests/docs/test_guides.py puts it into facebench",
}


def scores() -> dict[str, Any]:
    """What own-scores.md takes for given: pairs of twenty people in two folds, and searches."""
    rng = np.random.default_rng(0)
    left = np.array([f"person {number}" for number in range(20) for _ in range(10)])
    mated = np.tile([True, False], 100)
    right = np.where(mated, left, np.roll(left, 10))
    base = mated + rng.normal(0, 0.5, len(mated))
    gallery = np.array([f"person {number}" for number in range(20)])
    return {
        "scores": base, "base": base, "smaller": base + rng.normal(0, 0.2, len(base)),
        "mated": mated, "folds": np.arange(len(left)) // 100, "left": left, "right": right,
        "gallery": gallery, "probes": np.array([*gallery, "a stranger", "another"]),
    }  # fmt: skip


def searches(names: dict[str, Any]) -> None:
    """From here on the scores are those of searches: probes × gallery."""
    same = names["probes"][:, None] == names["gallery"][None, :]
    names["scores"] = same + np.random.default_rng(1).normal(0, 0.3, same.shape)


def network() -> dict[str, Any]:
    """What own-model.md takes for given: a class and its weights in the working directory."""
    torch.save(torch.nn.Linear(2, 2).state_dict(), "mine.pth")
    return {"MyNet": lambda: torch.nn.Linear(2, 2)}


def column() -> dict[str, Any]:
    """What table-column.md takes for given: the names of the module that it is added to."""
    from facebench.tables import records

    return {**vars(records)}


def threshold() -> dict[str, Any]:
    """What formats/thresholds.md takes for given: a file of the committed records."""
    facebench.threshold("sparse_074", far=0.01, protocol="lfw").save("threshold.json")
    return {}


GIVEN: dict[str, Callable[[], dict[str, Any]]] = {
    "README.md": dict,
    "docs/formats/records.md": dict,
    "docs/formats/thresholds.md": threshold,
    "docs/use/thresholds.md": dict,
    "docs/start/own-scores.md": scores,
    "docs/start/own-model.md": network,
    "docs/contributing/table-column.md": column,
}


def test_every_page_with_python_is_run() -> None:
    printed = {name_of(page) for page in PAGES if blocks(page.read_text("utf-8"), "python")}
    assert printed == GIVEN.keys() | ELSEWHERE.keys()


def test_the_reference_begins_with_the_readmes_example() -> None:
    here, there = (
        blocks((CHECKOUT / page).read_text("utf-8"), "python")[0]
        for page in ("docs/api.md", "README.md")
    )
    assert here == there.replace("  # readers import the script", "")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.shipped_results] * page.endswith("thresholds.md"))
        for page in GIVEN
    ],
)
def test_the_python_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("FOLDS", 2), ("PAIRS", 10), ("IMAGES", 40), ("_PEOPLE", 6), ("_SEVERAL", 5)):
        monkeypatch.setattr(twin, name, few)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "records" / "lfw" / RECORDS.name
    folder.mkdir(parents=True)
    for path in (*RECORDS.glob("sparse_074-5d55ced2.*"), *RECORDS.glob("comparisons-*")):
        shutil.copy(path, folder)
    names = {"__name__": "__main__", "facebench": facebench, **GIVEN[page]()}
    for block in blocks((CHECKOUT / page).read_text("utf-8"), "python"):
        if "identification(" in block:
            searches(names)
        exec(compile(block, page, "exec"), names)
    if page == "README.md":
        assert list((tmp_path / "records" / "lfw").glob("synthetic-*/sparse_074-*.json"))
    if page == "docs/start/own-model.md":
        assert isinstance(names["make_net"](), torch.nn.Module)
