"""``facebench threshold``: formats, the file, what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.helpers.record_folders import save_three

ASKED = ("threshold", "base", "--records", "kept", "-p", "lfw", "--draws", 20)


@pytest.fixture
def records(work: Path) -> dict[str, Path]:
    return save_three(work / "kept")


@pytest.mark.parametrize("format", ["table", "md", "html"])
def test_formats(run: Run, records: dict[str, Path], format: str) -> None:
    result = run(*ASKED, "--far", 0.01, "--format", format)
    assert result.code == 0 and result.err == ""
    said = " ".join(result.out.replace("\\", "").split())
    assert "threshold of base for FMR 1%" in said and "nobody is in both halves" in said
    assert "unresolvable" not in said
    few = " ".join(run(*ASKED, "--format", format).out.split())
    assert "FMR 0.1% takes 1,000 non-mated comparisons at least, and there are 300" in few


def test_json_csv_and_the_file_hold_the_same(run: Run, records: dict[str, Path]) -> None:
    asked = ("threshold", records["base"], "--far", 0.02, "--draws", 20)
    result = run(*asked, "--format", "json", "-o", "threshold.json")
    assert "result: threshold.json" in result.err
    assert Path("threshold.json").read_text() == result.out
    values = json.loads(result.out)
    lines = csv.DictReader(io.StringIO(run(*asked, "--format", "csv").out))
    rows = {line["statistic"]: line for line in lines}
    assert float(rows["threshold"]["value"]) == values["threshold"]
    assert float(rows["FMR"]["value"]) == values["checked_on"]["fmr"]["value"]
    used = run("threshold", records["base"], "--use", "threshold.json", "--format", "json")
    assert json.loads(used.out) == values
    other = run("threshold", records["worse"], "--use", "threshold.json")
    assert other.code == 2 and "scores of another model" in other.line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--far", "0"), "--far 0.0: give a share above 0"),
        (("--prior", "1"), "--prior 1.0: give a share above 0"),
        (("--level", "100"), "--level 100: give percent from 50"),
        (("--check", "calfw"), "no calfw cosine record of 'base'"),
        (("--check", "none.json"), "none.json"),
        (("--use", "none.json"), "none.json"),
        (("-o", "none/x.json"), "there is no folder none"),
        (("--draws", "-1"), "--draws -1: an interval takes 20 draws at least"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    run: Run, records: dict[str, Path], arguments: tuple[str, ...], said: str
) -> None:
    result = run(*ASKED, *arguments)
    assert result.code == 2 and said in result.line


@pytest.mark.shipped_results
def test_protocols_without_pairs_in_folds_are_refused(run: Run) -> None:
    result = run("threshold", "baseline", "-p", "lfw-closed")
    assert result.code == 2 and "has no pairs in folds, whose scores" in result.line
