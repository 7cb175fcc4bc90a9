"""The examples run as they are, on small data or on the committed records."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.pages import CHECKOUT
from tests.evaluation.conftest import faces  # noqa: F401 - a fixture

EXAMPLES = CHECKOUT / "examples"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(notebook: Path) -> list[Any]:
    """What the code cells of a notebook show: the value of each one's last line."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    values = []
    for source in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"):
        *before, last = ast.parse(source).body
        assert isinstance(last, ast.Expr), source
        exec(compile(ast.Module(before, []), str(notebook), "exec"), names)
        values.append(eval(compile(ast.Expression(last.value), str(notebook), "eval"), names))
    return values


def test_scores_become_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    loaded("own_scores").main()
    out = capsys.readouterr().out
    assert "accuracy" in out and "TAR@FAR=0.001" in out and "dyadic over subjects" in out
    assert "points of accuracy, worse" in out


def test_a_network_of_ones_own_is_compared(
    faces: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    loaded("own_network").main(str(faces))
    out = capsys.readouterr().out
    assert "pixels: " in out and "sparse_012: " in out and "accuracy" in out


@pytest.mark.shipped_results
def test_the_gate_passes_one_rule_and_cannot_tell_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert loaded("gate").main() == 3
    outcomes = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert outcomes == ["pass", "undecided", "pass"]


@pytest.mark.shipped_results
def test_the_notebook_shows_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    compared, differences, frame, (outcome, lines) = shown(EXAMPLES / "records.ipynb")
    assert "sparse_012" in compared._repr_html_()
    assert len(differences) == 2 and (differences["difference"] < 0).all()
    assert len(frame) > 5 and frame["value"].between(0.9, 1).all()
    assert outcome == "undecided" and len(lines) == 1
