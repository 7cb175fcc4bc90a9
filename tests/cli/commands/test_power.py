"""``facebench power``: formats, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.helpers.record_folders import save_three

ASKED = ("power", "base", "worse", "--records", "kept", "-p", "lfw", "--drop")


@pytest.fixture(autouse=True)
def kept(work: Path) -> None:
    save_three(work / "kept")


def test_formats_say_the_same(run: Run) -> None:
    (row,) = csv.DictReader(io.StringIO(run(*ASKED, "0.3pt", "--format", "csv").out))
    (value,) = json.loads(run(*ASKED, "0.3 pt", "--format", "json").out)
    table = run(*ASKED, ".3pts").out
    assert row["units_needed"] == str(value["units_needed"]) and value["drop"] == 0.003
    assert f"{value['units_needed']:,}" in table and "0.3 pt" in table
    assert f"now: {value['units']:,} people, 1,200 comparisons" in table
    assert "at 5% two-sided, on 80 of 100 lists of other people" in " ".join(table.split())
    written = run(*ASKED, "0.3pt", "--format", "md", "-o", "out.md")
    assert (
        written.out == ""
        and Path("out.md").read_text() == run(*ASKED, "0.3pt", "--format", "md").out
    )


def test_another_level_and_power(run: Run) -> None:
    text = " ".join(run(*ASKED, "0.3pt", "--level", 99, "--power", 90).out.split())
    assert "at 1% two-sided, on 90 of 100 lists" in text and "`drop <= that at 99%`" in text


@pytest.mark.parametrize("drop", ["0.3", "0.3%", "0pt", "100pt", "-1pt", "pt", "nanpt"])
def test_a_drop_is_in_points(run: Run, drop: str) -> None:
    assert f"--drop {drop}: give points of percent" in run(*ASKED[:-1], f"--drop={drop}").line


def test_wrong_input(run: Run) -> None:
    assert "--level 40: give percent from 50" in run(*ASKED, "0.3pt", "--level", 40).line
    assert "--power 100: give percent from 50" in run(*ASKED, "0.3pt", "--power", 100).line
    assert "missing option" in run("power", "-p", "lfw").line.lower()
    assert "there is no folder" in run(*ASKED, "0.3pt", "-o", "none/out").line
