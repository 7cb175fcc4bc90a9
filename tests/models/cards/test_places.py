"""A card's files lie in its workspace, unless the user names them himself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.models.cards.card import find_card, read_card
from facebench.models.cards.names import card_for

CARD = 'name = "{}"\ntitle = "t"\narchitecture = "onnx"\n'
METRIC = '[{}]\nfile = "{}"\nsha256 = "' + "0" * 64 + '"\n'


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with models/, and a file outside of it."""
    work = tmp_path / "work"
    (work / "models" / "weights").mkdir(parents=True)
    (work / "kept").mkdir()
    (tmp_path / "outside.onnx").write_bytes(b"private")
    (work / "kept" / "inside.onnx").write_bytes(b"ours")
    monkeypatch.chdir(work)
    return work


def write_card(folder: Path, fields: str, name: str = "m") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(CARD.format(name) + fields)
    return path


def linked(work: Path) -> str:
    (work / "models" / "weights" / "m.onnx").symlink_to(work.parent / "outside.onnx")
    return "weights/m.onnx"


def linked_folder(work: Path) -> str:
    (work / "models" / "elsewhere").symlink_to(work.parent)
    return "elsewhere/outside.onnx"


@pytest.mark.parametrize(
    "file",
    [
        lambda work: "../../outside.onnx",
        lambda work: "weights/../../../outside.onnx",
        lambda work: str(work.parent / "outside.onnx"),
        lambda work: str(work / "models" / "weights" / "m.onnx"),
        linked,
        linked_folder,
    ],
    ids=["up", "down and up", "absolute", "absolute inside", "link", "folder's link"],
)
@pytest.mark.parametrize("field", ["weights", "metric", "projection"])
def test_what_leads_out_is_refused(work: Path, file: Callable[[Path], str], field: str) -> None:
    name = file(work)
    text = f'weights = "{name}"\n' if field == "weights" else METRIC.format(field, name)
    path = write_card(work / "models", text)
    for read in (lambda: find_card("m"), lambda: card_for(str(path)), lambda: read_card(path)):
        with pytest.raises(UserError, match=rf"field '{field}(\.file)?': .* leads out of "):
            read()


def test_a_link_within_the_workspace_is_followed(work: Path) -> None:
    (work / "models" / "weights" / "m.onnx").symlink_to("../../kept/inside.onnx")
    write_card(work / "models", 'weights = "weights/m.onnx"\n')
    path = find_card("m").weights_path
    assert path is not None and path.read_bytes() == b"ours"


def test_a_workspace_that_is_a_link_itself_is_one(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "models" / "weights" / "m.onnx").write_bytes(b"ours")
    write_card(work / "models", 'weights = "weights/m.onnx"\n')
    (work.parent / "here").mkdir()
    (work.parent / "here" / "models").symlink_to(work / "models")
    monkeypatch.chdir(work.parent / "here")
    assert find_card("m").weights_path is not None


def test_of_a_card_elsewhere_its_own_folder_counts(work: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "m.onnx").write_bytes(b"ours")
    assert card_for(str(write_card(alone, 'weights = "m.onnx"\n'))).weights == "m.onnx"
    (alone / "m.onnx").unlink()
    (alone / "m.onnx").symlink_to(work / "kept" / "inside.onnx")
    with pytest.raises(UserError, match=f"leads out of {alone}"):
        card_for(str(alone / "m.toml"))


def test_a_file_that_the_user_names_is_taken_wherever_it_leads(work: Path) -> None:
    os.symlink(work.parent / "outside.onnx", work / "models" / "m.onnx")
    write_card(work / "models", 'weights = "m.onnx"\n')
    assert card_for(str(work / "models" / "m.onnx")).name == "m"
    with pytest.raises(UserError, match="leads out of"):
        card_for("m")


def test_links_that_go_round_are_no_crash(work: Path) -> None:
    (work / "models" / "m.onnx").symlink_to("m.onnx")
    card = read_card(write_card(work / "models", 'weights = "m.onnx"\n'))
    assert card.weights_path is not None and not card.weights_path.is_file()
