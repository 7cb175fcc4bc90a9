"""Several files of weights for one network, and what each is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.models.cards.sweep import NamedModel, run_names, swept, weight_files


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/s10/ckpt.pt", "runs/s20/ckpt.pt"], ["s10", "s20"]),
        (["runs/s10.pt", "runs/s20.pt"], ["s10", "s20"]),
        (["a/one/x.pt", "b/two/x.pt"], ["a-one", "b-two"]),
        (["a/k/one/x.pt", "b/k/two/x.pt"], ["a-one", "b-two"]),
        (["runs/a/e1.pt", "runs/a/e2.pt", "runs/b/e1.pt"], ["a-e1", "a-e2", "b-e1"]),
        (["x.pt", "deep/x.pt"], ["x", "deep"]),
        (["x.pt", "x.safetensors"], ["x.pt", "x.safetensors"]),
        (["runs/s10/ckpt.pt"], ["ckpt"]),
    ],
)
def test_names_are_what_differs(paths: list[str], names: list[str]) -> None:
    found = run_names([Path(path) for path in paths])
    assert len(set(found)) == len(paths)
    if paths != ["x.pt", "deep/x.pt"]:  # one path is the other's beginning
        assert found == names


def test_files_of_a_pattern_are_in_the_order_of_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (9, 10, 100):
        (tmp_path / f"s{number}.pt").write_bytes(b"")
    assert [file.stem for file in weight_files("s*.pt")] == ["s9", "s10", "s100"]
    assert [file.stem for file in weight_files(["s10.pt", "s*.pt"])] == ["s10", "s9", "s100"]
    models = [NamedModel(None, "baseline"), NamedModel(None, "nets:mine")]
    found = swept(models, "s*.pt")
    assert [one.name for one in found] == [None, "s9", "s10", "s100"]
    assert found[1].spec == "nets:mine@s9.pt"


@pytest.mark.parametrize(
    ("weights", "models", "message"),
    [
        ("none*.pt", ["nets:mine"], "no file matches"),
        ("none.pt", ["nets:mine"], "there is no such file"),
        (".", ["nets:mine"], "is a folder; name its files"),
        ("here.pt", ["baseline"], "and none is named"),
        ("here.pt", ["nets:mine", "nets:other"], "and 2 are named"),
    ],
)
def test_mistakes_are_one_line(
    weights: str,
    models: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.pt").write_bytes(b"")
    with pytest.raises(UserError, match=message):
        swept([NamedModel(None, model) for model in models], weights)
