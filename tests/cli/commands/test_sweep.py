"""Ten sparsities of one network in one command, and packing one of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from torch.nn.utils import prune

import facebench
from facebench.models.cards.card import read_card
from tests.cli.conftest import Run
from tests.helpers.brought import PARAMETERS, dense, save_checkpoint
from tests.helpers.plots import texts_of

FACTORY = "tests.helpers.brought:dense"
INPUT = ("--size", "16", "--workers", "0", "--draws", "0", "--align", "centre", "-p", "lfw")


@pytest.fixture
def runs(work: Path) -> Path:
    """``runs/s00/ckpt.pt`` to ``runs/s90/ckpt.pt``, each with so many of 128 weights at zero."""
    for percent in range(0, 100, 10):
        net = dense()
        if percent:
            zeros = round(128 * percent / 100)
            prune.l1_unstructured(net[3], "weight", zeros)  # type: ignore[no-untyped-call]
        save_checkpoint(net, work / "runs" / f"s{percent:02}" / "ckpt.pt")
    return work / "runs"


def test_a_sweep_is_one_command_one_table_and_one_plot(
    run: Run, runs: Path, faces: Path, work: Path
) -> None:
    pattern = ("--weights", "runs/*/ckpt.pt", "--data", faces)
    ended = run("eval", "-m", FACTORY, *pattern, *INPUT, "--format", "csv", "--out", "records",
                "--history", "sweep.svg")  # fmt: skip
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["model"] for row in rows] == [f"s{percent:02}" for percent in range(0, 100, 10)]
    kept = [PARAMETERS - round(128 * percent / 100) for percent in range(0, 100, 10)]
    assert [int(row["kept_parameters"]) for row in rows] == kept
    assert [float(row["compression_ratio"]) for row in rows] == [one / PARAMETERS for one in kept]
    assert all(int(row["bytes"]) for row in rows)
    drawn = texts_of(work / "sweep.svg")
    assert "kept parameters, fewer to the right" in drawn
    assert all(f"s{percent:02}" in drawn for percent in (0, 90))
    assert "history: sweep.svg" in ended.err and "not in the plot" not in ended.err
    table = run("history", "records", "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(table.out)))) == 10


def test_a_sweep_from_python(
    runs: Path, faces: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    records = facebench.evaluate_many(
        FACTORY, "lfw", faces, weights="runs/*/ckpt.pt", align="centre", draws=0, workers=0,
        options=facebench.ModelOptions(size=(16, 16)),
    )  # fmt: skip
    rows = records.to_frame()[["model", "kept_parameters", "packed_bytes"]].drop_duplicates()
    assert list(rows["model"]) == [f"s{percent:02}" for percent in range(0, 100, 10)]
    kept = [PARAMETERS - round(128 * percent / 100) for percent in range(0, 100, 10)]
    assert list(rows["kept_parameters"]) == kept and rows["packed_bytes"].gt(0).all()


def test_a_network_is_packed_with_a_card_that_names_its_code(
    run: Run, runs: Path, faces: Path, work: Path
) -> None:
    packing = ("pack", FACTORY, "--weights", "runs/s90/ckpt.pt", "--size", "16")
    ended = run(*packing, "-o", "small.safetensors", "--values", "int8")
    size = (work / "small.safetensors").stat().st_size
    before = (runs / "s90" / "ckpt.pt").stat().st_size
    assert ended.out == f"small.toml: {before:,} -> {size:,} bytes of weights (int8)\n"
    card = read_card(work / "small.toml")
    assert (card.factory, card.weights, card.name) == (FACTORY, "small.safetensors", "small")
    told = run("eval", "-m", "small.toml", "--data", faces, *INPUT, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(told.out))
    assert int(row["bytes"]) == int(row["packed_int8_bytes"]) == size
    assert int(row["kept_parameters"]) == PARAMETERS - 115
    assert "is there already" in run(*packing, "-o", "small.safetensors").line
    (work / "small.safetensors").write_bytes(b"changed")
    assert "its SHA-256 is" in run("eval", "-m", "small.toml", "--data", faces, *INPUT).line


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("sparse_074", "-o", "x.safetensors"), "a packed file needs the code"),
        ((FACTORY, "-o", "x.safetensors"), "the size of its input is not known"),
        ((FACTORY, "-o", "x.json", "--weights", "y.pt"), "--weights are of a network"),
        ((FACTORY, "-o", "x.safetensors", "-p", "lfw"), "are of a record"),
        ((FACTORY, "-o", "none/x.safetensors"), "there is no folder none"),
        ((FACTORY, "--weights", "runs/*/ckpt.pt", "-o", "x.safetensors"), "10 files; pack them"),
        ((FACTORY, "--untrusted", "-o", "x.safetensors"), "is a program"),
    ],
)
def test_what_cannot_be_packed_is_one_line(
    run: Run, runs: Path, work: Path, arguments: tuple[str, ...], why: str
) -> None:
    assert why in run("pack", *arguments).line
    assert not (work / "x.safetensors").exists()


def test_untrusted_weights_run_no_code(run: Run, runs: Path) -> None:
    ended = run("eval", "-m", FACTORY, "--weights", "runs/s90/ckpt.pt", "--untrusted", *INPUT)
    assert ended.code == 2 and "is a program (Python code)" in ended.line


def test_a_history_of_models_whose_size_is_not_known_is_one_line(
    run: Run, faces: Path, work: Path
) -> None:
    ended = run("eval", "-m", "tiny_model:make", "--size", "112x96", *INPUT[2:], "--data", faces,
                "--history", "sweep.svg", "-q", "--format", "csv")  # fmt: skip
    assert ended.code == 2 and "--history sweep.svg: no record tells" in ended.err
    assert "tiny_model:make" in ended.out and not (work / "sweep.svg").exists()
