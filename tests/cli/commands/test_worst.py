"""``facebench worst``: errors of one model, whom a second one hurts most, what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import cv2
import pytest

from tests.cli.conftest import TINY_ARGUMENTS, Run
from tests.helpers.record_folders import save_three


@pytest.fixture
def records(work: Path) -> dict[str, Path]:
    return save_three(work / "kept")


@pytest.mark.parametrize("names", [("worse",), ("base", "worse")])
@pytest.mark.parametrize("format", ["table", "md", "html"])
def test_formats(run: Run, records: dict[str, Path], names: tuple[str, ...], format: str) -> None:
    arguments = ("worst", *names, "--records", "kept", "-n", 4, "--format", format)
    result = run(*arguments)
    assert result.code == 0 and result.err == ""
    said = " ".join(result.out.replace("\\", "").split())
    assert ("labels first" if len(names) == 1 else "its label first") in said
    assert ("worst errors of worse" if len(names) == 1 else "whom worse hits most") in said
    written = run(*arguments, "-o", "out.txt")
    assert written.out == "" and Path("out.txt").read_text() == result.out


def test_json_and_csv_hold_the_same(run: Run, records: dict[str, Path]) -> None:
    arguments = ("worst", records["base"], records["worse"], "-n", 3)
    rows = json.loads(run(*arguments, "--format", "json").out)
    lines = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").out)))
    assert len(rows) == len(lines) == 3
    assert [row["change"] for row in rows] == [float(line["change"]) for line in lines]
    assert rows[0]["person"].startswith("person ")


def test_faces_are_named_and_drawn(run: Run, work: Path, faces: Path) -> None:
    for model in ("make", "dark"):
        arguments = ("-m", f"tiny_model:{model}", "--data", faces, *TINY_ARGUMENTS)
        assert run("eval", *arguments, "--align", "centre", "--out", model, "-q").code == 0
    (base,), (other,) = (list(Path(name).rglob("*.json")) for name in ("make", "dark"))
    drawn = ("worst", base, "-n", 1, "--sheet", "sheet.png", "--data", faces)
    result = run(*drawn)
    assert result.code == 0 and "sheet: sheet.png" in result.err
    assert "Person_A/Person_A_0001.jpg" in run(*drawn[:4], "--data", faces, "-n", 24).out
    image = cv2.imread("sheet.png")
    assert image is not None and image.shape[1] > 900
    hits = run("worst", base, other, "--data", faces, "--by", "image", "--format", "json")
    assert json.loads(hits.out)[0]["image"].startswith("Person_")
    people = run("worst", base, other, "--data", faces, "--format", "json")
    assert {row["person"] for row in json.loads(people.out)} == {
        f"Person_{letter}" for letter in "ABCDEFGHIJKL"
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bas",), "no record of 'bas'; did you mean 'base'?"),
        (("base", "-n", "121"), "--number 121: show 1 to 120"),
        (("base", "--by", "image"), "--by is of what changed between two models"),
        (("base", "worse", "--by", "image"), "name the faces' folder with --data"),
        (("base", "--sheet", "x.gif"), "--sheet x.gif: the ending must be"),
        (("base", "--sheet", "x.png"), "--sheet needs the faces: name their folder with --data"),
        (("base", "--data", "synthetic"), "the record of base is of photographs"),
        (("base", "--pairs", "x.txt"), "--pairs is the list of --data"),
        (("base", "-o", "none/x"), "there is no folder none"),
        (("base", "--sheet", "x.png", "-o", "x.png"), "--sheet and --output must be different"),
        ((), "missing argument"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    run: Run, records: dict[str, Path], arguments: tuple[str, ...], said: str
) -> None:
    result = run("worst", *arguments, "--records", "kept")
    assert result.code == 2 and said in result.line
    assert not Path("x.png").exists()


@pytest.mark.shipped_results
@pytest.mark.parametrize("protocol", ["lfw-all-pairs", "lfw-closed"])
def test_protocols_without_pairs_in_folds_are_refused(run: Run, protocol: str) -> None:
    result = run("worst", "baseline", "-p", protocol)
    assert result.code == 2 and "has no pairs in folds, whose errors could be shown" in result.line
