"""Which models are data and which are programs, and that programs can be refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.models.cards.names import names_apart
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model

DATA_ALONE = ModelOptions(size=(8, 8), untrusted=True)


@pytest.mark.parametrize("name", ["m.pt", "m.pts", "m.pt2"])
def test_programs_in_files_are_refused_unread(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"not looked at")
    with pytest.raises(UserError, match=r"model m: is a program .*untrusted= takes data alone"):
        load_model(str(path), DATA_ALONE)
    with pytest.raises(UserError, match=r"not a (TorchScript|torch\.export) file"):
        load_model(str(path), ModelOptions(size=(8, 8)))


def test_a_factory_is_refused_before_its_module_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "its_own_code.py").write_text("import pathlib; pathlib.Path('ran').touch()\n")
    card = tmp_path / "card.toml"
    card.write_text(
        'name = "card"\ntitle = "t"\narchitecture = "python"\nweights = "its_own_code:make"\n'
    )
    for spec in ("its_own_code:make", str(card)):
        with pytest.raises(UserError, match=r"is a program \(Python code\)"):
            load_model(spec, DATA_ALONE)
    assert not (tmp_path / "ran").exists() and "its_own_code" not in sys.modules


def test_a_program_among_the_members_of_an_ensemble_is_refused(tmp_path: Path) -> None:
    region = "box = [0, 0, 96, 112]\n"
    members = ""
    for name in ("one", "two"):
        (tmp_path / f"{name}.pt2").write_bytes(b"not looked at")
        (tmp_path / f"{name}.toml").write_text(
            f'name = "{name}"\ntitle = "t"\narchitecture = "export"\nweights = "{name}.pt2"\n'
        )
        members += f'[[members]]\nmodel = "{name}"\nregion = "all"\n'
    card = tmp_path / "both.toml"
    card.write_text(
        f'name = "both"\ntitle = "t"\narchitecture = "ensemble"\n{members}[regions.all]\n{region}'
    )
    with pytest.raises(UserError, match="model one: is a program"):
        load_model(str(card), ModelOptions(untrusted=True))


def test_data_is_taken() -> None:
    assert load_model("sparse_074", ModelOptions(untrusted=True)).id == "sparse_074"


def test_what_is_said_of_the_machine_keeps_the_distrust() -> None:
    assert ModelOptions(untrusted=True).of_the_machine().untrusted


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["a/model.onnx", "b/model.onnx"], ["a/model", "b/model"]),
        (["model.onnx", "a/model.pt"], ["model.onnx", "model.pt"]),
        (["a/x/model.onnx", "b/x/model.onnx", "b/y/model.onnx"],
         ["a/x/model", "b/x/model", "b/y/model"]),
        (["a/model.onnx", "a/model.pt", "b/model.pt"],
         ["a/model.onnx", "a/model.pt", "b/model.pt"]),
        (["a/model.npy", "b/model.npy"], ["a/model", "b/model"]),
        (["a/model.onnx", "b/../a/model.onnx"], ["model", "model"]),  # one file
        (["model", "a/model.toml"], ["model", "model"]),  # perhaps one card
    ],
)  # fmt: skip
def test_files_of_one_name_are_told_apart_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: list[str], expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert names_apart([*models, "other"], ["model"] * len(models) + ["other"]) == [
        *expected,
        "other",
    ]
    assert names_apart([*map(Path, models)], ["model"] * len(models)) == expected
