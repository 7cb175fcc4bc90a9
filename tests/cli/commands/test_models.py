"""``facebench models``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from facebench.base.errors import Notice, UserError
from facebench.cli.commands.models import app
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import module_name
from facebench.models.cards.card import ModelCard
from facebench.models.cards.publish import publish_weights, write_card


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """models/ with ``small`` (trained: half of f kept) and ``bare`` (no weights)."""
    for name in ("small", "bare"):
        card = {
            "name": name,
            "title": "A small network",
            "architecture": "convnet",
            "width": 0.125,
            "licence": "for tests",
            "sparsity": {"f": "1/2"},
            "preprocessing": {"size": (80, 80)},
            "source": {"paper": "none", "accuracy": 0.9, "compression_ratio": 0.5},
        }
        write_card(ModelCard.model_validate(card), tmp_path / "models" / f"{name}.toml")
    torch.manual_seed(0)
    net = ConvNet(0.125, (80, 80))
    mask = torch.arange(net.f.weight.numel()).reshape(net.f.weight.shape) % 2 == 0
    training = {"data": "nothing", "images": 3}
    masks = {module_name("f"): mask}
    publish_weights("small", net.state_dict(), masks, training, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_tells_which_models_have_weights(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["name"]: row for row in json.loads(run("--format", "json"))}
    assert {"small", "bare", "baseline", "sparse_012"} <= set(rows)
    assert rows["small"]["weights"] is True and rows["bare"]["weights"] is False
    size = (workspace / "models" / "weights" / "small.safetensors").stat().st_size
    assert rows["small"]["bytes"] == size and rows["bare"]["bytes"] is None
    assert rows["sparse_074"]["published_accuracy"] == 0.993
    assert rows["sparse_074"]["structure"] == "1/256-f 1/128-5b 1/2-4b"
    assert round(rows["sparse_012"]["compression_ratio"], 2) == 0.12
    monkeypatch.setenv("COLUMNS", "80")
    lines = {line.split()[0]: line for line in run().splitlines() if line.strip()}
    assert (
        "–" in lines["bare"]
        and f"{size / 1e6:.2f}" in lines["small"]
        and "98.95" in lines["baseline"]
    )
    assert "…" not in run()  # no cell is cut


def test_show_counts_layers(workspace: Path) -> None:
    shown = json.loads(run("show", "small", "--format", "json"))
    layers = {layer["name"]: layer for layer in shown["layers"]}
    weights = layers["f"]["total"] - 64
    assert layers["f"]["kept"] == weights // 2 + 64
    assert shown["kept"] == sum(layer["kept"] for layer in layers.values())
    assert shown["compression_ratio"] == shown["kept"] / shown["total"]
    assert shown["training"] == {"data": "nothing", "images": 3}
    assert shown["licence"] == "for tests"
    assert shown["signature"].startswith(f"weights:{shown['sha256'][:16]} rgb 80x80 ")
    text = run("show", "small")
    for part in ("5b", "for tests", "nothing", "1/2-f", shown["signature"].split()[0]):
        assert part in text


def test_show_without_weights_plans(workspace: Path) -> None:
    shown = json.loads(run("show", "bare", "--format", "json"))
    trained = json.loads(run("show", "small", "--format", "json"))
    assert shown["layers"] == trained["layers"] and shown["signature"] is None
    assert "none yet" in run("show", "bare")


def test_shown_signature_is_the_embedders(workspace: Path) -> None:
    from facebench.models.zoo import load_model

    shown = json.loads(run("show", "small", "--format", "json"))
    assert shown["signature"] == load_model("small").signature


def test_a_signature_that_the_card_does_not_settle_is_not_shown(workspace: Path) -> None:
    card = (
        'name = "net"\ntitle = "t"\narchitecture = "onnx"\nweights = "net.onnx"\n'
        f'sha256 = "{"0" * 64}"\n[preprocessing]\nsize = [80, 80]\n'
    )
    path = workspace / "net.toml"
    path.write_text(card)
    shown = json.loads(run("show", "net.toml", "--format", "json"))
    assert shown["signature"].startswith("weights:0000")
    for choice in ('output = "b"', 'layout = "nhwc"'):  # only the file tells what is its own
        path.write_text(card.replace("[pre", f"{choice}\n[pre"))
        assert json.loads(run("show", "net.toml", "--format", "json"))["signature"] is None


def test_a_card_that_is_wrong_is_one_line(workspace: Path) -> None:
    card = workspace / "models" / "bare.toml"
    card.write_text(card.read_text().replace("[80, 80]", "[16, 16]"))
    with pytest.raises(UserError, match=r"bare\.toml: field 'preprocessing'.*size 16x16") as caught:
        run("show", "bare")
    assert "\n" not in str(caught.value)
    with pytest.warns(Notice, match=r"left out: .*bare\.toml: field 'preprocessing'"):
        assert "bare" not in run()  # the others are listed


def test_an_unknown_name_and_other_kinds(workspace: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'sparse_074'"):
        run("show", "sparse_74")
    (workspace / "net.onnx").write_bytes(b"x")
    shown = json.loads(run("show", "net.onnx", "--format", "json"))
    assert shown["structure"] == "onnx" and shown["layers"] == [] and shown["bytes"] == 1
    assert "onnx" in run("show", "net.onnx")


def test_help_has_an_example() -> None:
    assert "Example: facebench models" in run("--help")
    assert "Example: facebench models show" in run("show", "--help")


def test_texts_of_a_card_act_on_nothing_and_brackets_are_shown(workspace: Path) -> None:
    notes = "uses [int8] weights [red]\\u001b]0;owned\\u0007 \\u202e ##[error]x [/nothing]"
    text = (workspace / "models" / "bare.toml").read_text()
    text = text.replace('title = "A small network"', 'title = "ResNet [/2 stride]"')
    (workspace / "models" / "bare.toml").write_text(f'notes = "{notes}"\n{text}')
    shown = run("show", "bare")
    assert "ResNet [/2 stride]" in shown and "[int8] weights [red]\\x1b]0;owned\\x07" in shown
    told = run("show", "bare", "--format", "json")
    assert json.loads(told)["notes"].startswith("uses [int8] weights [red]\x1b]0;owned\x07")
    for output in (shown, told):
        assert not set("\x1b\x07\u202e") & set(output) and "##[error]" not in output


@pytest.mark.shipped_results
def test_the_measured_accuracy_is_that_of_the_record_of_these_weights() -> None:
    from facebench.models.cards.card import find_card
    from facebench.records.files import read_record

    rows = {row["name"]: row for row in json.loads(run("--format", "json"))}
    row = rows["sparse_074"]
    record = read_record(row["record"])
    assert record.model.weights_hash == find_card("sparse_074").sha256
    assert (record.protocol.name, record.data.kind) == ("lfw", "real")
    shown = record.statistics.accuracy.shown  # type: ignore[union-attr]
    assert row["accuracy"] == record.statistics.headline.value
    assert shown is not None and (row["low"], row["high"]) == (shown.low, shown.high)


@pytest.mark.shipped_results
def test_filters_and_sorts() -> None:
    found = run(
        "--sort",
        "-accuracy",
        "--filter",
        "bytes<2MB",
        "--filter",
        "accuracy>=95",
        "--format",
        "json",
    )
    rows = json.loads(found)
    assert rows and all(row["bytes"] < 2e6 and row["accuracy"] >= 0.95 for row in rows)
    values = [row["accuracy"] for row in rows]
    assert values == sorted(values, reverse=True)
    names = [row["name"] for row in json.loads(run("--filter", "sparse_0*", "--format", "json"))]
    assert "sparse_074" in names and "baseline" not in names
    assert json.loads(run("--sort", "accuracy", "--format", "json"))[-1]["accuracy"] is None


@pytest.mark.shipped_results
def test_the_list_fits_80_columns() -> None:
    lines = CliRunner().invoke(app, [], env={"COLUMNS": "80"}).output.splitlines()
    assert max(map(len, lines)) <= 80 and "96.67 [96.10, 97.15]" in "\n".join(lines)
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--filter", "accuracie<3"), "did you mean 'accuracy'?"),
        (("--filter", "bytes<2GB"), "write a bound as"),
        (("--sort", "kep"), "did you mean 'kept'?"),
    ],
)
def test_what_is_no_field_is_said(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        run(*arguments)
