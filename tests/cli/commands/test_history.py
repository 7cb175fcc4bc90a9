"""``facebench history``: table, files and figure."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.helpers.record_folders import save_three


@pytest.fixture
def records(work: Path) -> dict[str, Path]:
    return save_three(work / "kept")


def test_the_first_fall_is_marked(run: Run, records: dict[str, Path]) -> None:
    result = run("history", "kept", "--plot", "history.png")
    assert result.code == 0 and result.err == "plot: history.png\n"
    assert "worse is the first to fall: −" in " ".join(result.out.split())
    assert "paired over people, at 5%, Holm over 2; brackets: 95%" in " ".join(result.out.split())
    assert Path("history.png").read_bytes().startswith(b"\x89PNG")
    lines = csv.DictReader(io.StringIO(run("history", "kept", "--format", "csv").out))
    assert [line["fell"] for line in lines] == ["False", "False", "True"]


@pytest.mark.parametrize("format", ["md", "html"])
def test_formats(run: Run, records: dict[str, Path], format: str) -> None:
    result = run("history", "kept", "--format", format, "--statistic", "tar@0.1", "-o", "x.txt")
    assert result.code == 0 and result.out == ""
    assert "TAR at FAR 10%" in Path("x.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "none: is not a folder"),
        (("kept", "--plot", "x.gif"), "the ending must be one of"),
        (("kept", "--statistic", "acuracy"), "no statistic 'acuracy'; did you mean 'accuracy'?"),
        (("kept", "--statistic", "rank-1"), "no 'rank-1'"),
        (("kept", "-o", "none/x"), "there is no folder none"),
        (("kept", "--statistic", "bytes"), "--statistic bytes: is of the model and stands in"),
        (("kept", "--statistic", ""), "--statistic: no statistic ''"),
        (("kept", "--statistic", "byte"), "no statistic 'byte' (accuracy, auc, eer"),
        (("none", "--plot", "none/x.png"), "--plot none/x.png: there is no folder none"),
        (("none", "--plot", "kept"), "--plot kept: is a folder; name a file"),
        (("none", "--plot", "x.svg", "-o", "./x.svg"), "--plot and --output must be different"),
        (("none", "-o", "/dev/full"), "is not a plain file"),
        (("kept", "--x", "byte"), "'byte' is not one of 'kept', 'bytes', 'multiply-adds', 'date'"),
        (
            ("kept", "--x", "multiply-adds"),
            "--x multiply-adds: no record on lfw (lfw-0123456789abcdef) ",
        ),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    run: Run, records: dict[str, Path], arguments: tuple[str, ...], said: str
) -> None:
    result = run("history", *arguments)
    assert result.code == 2 and said in result.line
