"""A network as a file, a factory, a module and a function: the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import facebench
from facebench.base.errors import UserError
from facebench.models.embedders.base import UNPINNED

QUICK: dict[str, Any] = {"workers": 0, "draws": 20, "progress": False}
OPTIONS = facebench.ModelOptions(size=(112, 96))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 8, 7, stride=5), nn.Linear(8 * 22 * 18, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x)).flatten(1))


def net() -> Net:
    """A factory: ``tests.evaluation.test_handed:net``."""
    return Net()


def function(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same, with the preparation in it."""
    x = torch.from_numpy(faces.copy()).permute(0, 3, 1, 2).to(torch.float32)
    with torch.inference_mode():
        return Net().eval()(x.sub_(127.5).div_(128.0)).numpy()


def evaluated(model: Any, faces: Path, **more: Any) -> facebench.Record:
    return facebench.evaluate(model, "lfw", faces, options=OPTIONS, **(QUICK | more))


def numbers(record: facebench.Record) -> dict[str, float]:
    """Every number of statistics and curve by its place: kernels of eager and scripted networks may
    round otherwise.
    """
    found = {}

    def walk(place: str, value: Any) -> None:
        if isinstance(value, dict | list):
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            for name, part in parts:
                walk(f"{place}/{name}", part)
        elif isinstance(value, int | float):
            found[place] = float(value)

    values = record.values()
    walk("", {name: values[name] for name in ("statistics", "curve")})
    assert len(found) > 20
    return found


def test_a_network_has_the_same_numbers_however_it_comes(faces: Path) -> None:
    torch.jit.script(Net().eval()).save(str(faces / "net.pt"))
    record = evaluated(str(faces / "net.pt"), faces)
    assert 0.5 < record.statistics.accuracy.value <= 1.0
    for model in (faces / "net.pt", Net(), function, f"{__name__}:net"):
        other = evaluated(model, faces)
        assert numbers(other) == pytest.approx(numbers(record), abs=1e-5)
        assert np.abs(other.table.scores - record.table.scores).max() < 1e-5


def test_records_say_what_was_handed_over(faces: Path) -> None:
    module, own = evaluated(Net(), faces), evaluated(function, faces, name="mine")
    assert module.model.id == "Net" and len(module.model.weights_hash) == 64
    assert module == evaluated(Net(), faces)  # from the store, now
    assert (own.model.id, own.model.weights_hash) == ("mine", UNPINNED)
    assert any("no hash covers" in note for note in own.notes)


def test_a_module_stays_in_training(faces: Path) -> None:
    model = Net().train()
    evaluated(model, faces)
    assert model.training


def test_several_have_names(faces: Path) -> None:
    given = {"one": Net(), "two": function}
    records = facebench.evaluate_many(given, ["lfw"], faces, options=OPTIONS, **QUICK)
    assert [record.model.id for record in records] == ["one", "two"]
    with pytest.raises(UserError, match="2 models are called 'Net'"):
        facebench.evaluate_many([Net(), Net()], ["lfw"], faces, options=OPTIONS, **QUICK)


def test_a_name_keeps_what_a_card_says(faces: Path) -> None:
    record = facebench.evaluate("sparse_074", "lfw", faces, name="mine", **QUICK)
    assert record.model.id == "mine" and record.model.kept_parameters


def test_files_of_one_name_are_told_apart(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = []
    for number in (1, 2):
        files.append(f"run{number}/model.pt")
        Path(f"run{number}").mkdir()
        network = torch.jit.trace(Net().eval(), torch.zeros(1, 3, 112, 96))
        network.save(files[-1])
    records = facebench.evaluate_many(files, ["lfw"], faces, options=OPTIONS, **QUICK)
    assert [record.model.id for record in records] == ["run1/model", "run2/model"]
    for record in records:
        assert facebench.save_record(record, "records").name.startswith("run")
    for names in (["run1/model", "run2/model"], files):
        found = facebench.compare(*names, found_in=["records"])[0]
        assert [found.base.model.id, found.candidate.model.id] == ["run1/model", "run2/model"]
    assert facebench.evaluate(files[0], "lfw", faces, options=OPTIONS, **QUICK).model.id == "model"
