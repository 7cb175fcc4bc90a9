"""``facebench models`` on ensembles and their regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from facebench.base.errors import UserError
from facebench.cli.commands.models import app
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard
from facebench.models.cards.publish import publish_weights, write_card
from facebench.models.regions import Region
from facebench.models.zoo import load_model

LEFT = Region(box=(0, 14, 60, 84), size=(80, 80))
FACE = Region(box=(0, 0, 96, 112), size=(80, 80), colour="grey")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """models/ with ``pair`` of ``one`` (trained) and ``two`` (no card yet)."""
    models = tmp_path / "models"
    pair = {
        "name": "pair",
        "title": "Two regions",
        "architecture": "ensemble",
        "members": [{"model": "one", "region": "left"}, {"model": "two", "region": "face"}],
        "regions": {"left": LEFT, "face": FACE},
    }
    write_card(ModelCard.model_validate(pair), models / "pair.toml")
    member(models, "one", LEFT)
    monkeypatch.chdir(tmp_path)
    return models


def member(models: Path, name: str, region: Region) -> None:
    fields = {
        "name": name,
        "title": name,
        "architecture": "convnet",
        "width": 0.125,
        "region": region,
        "preprocessing": {"size": (80, 80)},
    }
    write_card(ModelCard.model_validate(fields), models / f"{name}.toml")
    torch.manual_seed(0)
    publish_weights(name, ConvNet(0.125, (80, 80)).state_dict(), {}, {}, models)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "140"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_an_ensemble_has_weights_when_all_its_members_have(workspace: Path) -> None:
    row = next(row for row in json.loads(run("--format", "json")) if row["name"] == "pair")
    assert row["structure"] == "ensemble of 2"
    assert row["weights"] is False and row["bytes"] is None
    assert "none yet for 1 of its 2 members: two" in run("show", "pair")
    member(workspace, "two", FACE)
    row = next(row for row in json.loads(run("--format", "json")) if row["name"] == "pair")
    files = [workspace / "weights" / f"{name}.safetensors" for name in ("one", "two")]
    assert row["weights"] is True and row["bytes"] == sum(f.stat().st_size for f in files)
    assert "those of its 2 members" in run("show", "pair")


def test_regions_are_shown_and_drawn(workspace: Path) -> None:
    picture = workspace.parent / "regions.png"
    shown = run("show", "pair", "--regions", str(picture))
    assert "0,14,60,84/112x112->80x80:rgb" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    details = json.loads(run("show", "pair", "--format", "json"))
    assert [(r["name"], r["model"]) for r in details["regions"]] == [
        ("left", "one"),
        ("face", "two"),
    ]
    single = json.loads(run("show", "one", "--format", "json", "--regions", str(picture)))
    assert single["signature"] == load_model("one").signature


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [("pair", "regions.jpg", r"ends in \.png"), ("baseline", "a.png", "sees the whole face")],
)
def test_no_picture(workspace: Path, name: str, file: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run("show", name, "--regions", file)
    assert not Path(file).exists()
