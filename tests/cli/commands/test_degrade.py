"""``facebench degrade``: a table and a figure of models on harder faces."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from facebench.embedding.store import EmbeddingStore
from tests.cli.conftest import TINY_ARGUMENTS, Run

ASKED = ("degrade", "tiny_model:make", "tiny_model:dark", *TINY_ARGUMENTS, "--align", "centre")


@pytest.fixture
def small(work: Path, faces: Path) -> tuple[str, ...]:
    return (*ASKED, "--data", str(faces), "--degrade", "14px,jpeg20.probe")


def test_one_table_and_one_plot(
    run: Run, small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")  # names of models on one line
    ended = run(*small, "--plot", "hard.png", "--out", "kept", "-q")
    assert ended.code == 0, ended.err
    head = next(line for line in ended.out.splitlines() if "as it is" in line)
    assert [cell.strip() for cell in head.split("│")[1:-1]] == [
        "model", "as it is", "14px", "jpeg20.probe",
    ]  # fmt: skip
    assert (
        "tiny_model:dark − tiny_model:make" in ended.out
        and "14px: at 14 rows of pixels" in ended.out
    )
    assert Path("hard.png").stat().st_size > 10_000
    assert sorted(path.name for path in Path("kept").iterdir()) == [
        "lfw",
        "lfw+14px",
        "lfw+jpeg20.probe",
    ]
    again = run("gate", "kept/lfw+14px", "--rules", rules("lfw+14px.accuracy >= 1%"))
    assert again.code == 2 and "below the 0.5 that chance gives" in again.line
    whole = ("kept", "-b", "tiny_model:make", "--records", "kept", "-p", "lfw+14px")
    judged = run("gate", *whole, "--rules", rules("lfw+14px.accuracy drop <= 90pt"))
    assert judged.code == 0 and "dark" in judged.out


def rules(text: str) -> str:
    Path("gates.toml").write_text(f"rules = [{text!r}]\n")
    return "gates.toml"


def test_what_is_stored_is_not_embedded_again(run: Run, work: Path, faces: Path) -> None:
    asked = ("degrade", "tiny_model:pinned", "--data", faces, "--align", "centre", "--draws", "20")
    first = run(*asked, "--workers", "0", "--degrade", "14px,jpeg20.probe").err
    assert first.count("36 faces embedded") == 3
    again = run(*asked, "--workers", "0", "--degrade", "jpeg20,14px.probe,7px").err
    assert again.count("36 faces embedded") == 1  # at 7 pixels
    sources = {run.source for run in EmbeddingStore().entries()}
    assert sources == {"lfw", "lfw+14px", "lfw+jpeg20", "lfw+7px"}


def test_formats_say_the_same(run: Run, small: tuple[str, ...]) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*small, "-q", "--format", "csv").out)))
    values = json.loads(run(*small, "-q", "--format", "json").out)
    assert len(rows) == len(values) == 6
    assert [row["degradation"] for row in rows] == ["", "14px", "jpeg20.probe"] * 2
    assert [float(row["value"]) for row in rows] == [value["value"] for value in values]
    assert run(*small, "-q", "--format", "md", "-o", "out.md").out == ""
    assert "make |" in Path("out.md").read_text()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--degrade", "14"), "--degrade: '14' is no degradation; did you mean '14px'?"),
        (("--degrade", "14px,"), "'' is no degradation (14px"),
        (("--degrade", "200px"), "200px is more than the 112 rows of the crops of "),
        (("-p", "lfw+14px"), "name the protocol alone, and what is done with --degrade"),
        (("--template", "fp32,int8"), "a sweep takes one"),
        (("--plot", "a.gif"), "the ending must be one of"),
    ],
)
def test_wrong_input_is_told_before_any_work(
    run: Run, small: tuple[str, ...], given: tuple[str, ...], told: str
) -> None:
    ended = run(*small, *given)
    assert ended.code == 2 and told in ended.line
