"""``facebench report``: cards, groups, records, and the missing ones made."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from facebench.models.cards.card import find_card
from facebench.records.files import save_record
from tests.cli.conftest import TINY_ARGUMENTS, Run
from tests.helpers.record_folders import save_three
from tests.helpers.records import drawn_record

CARD = """
name = "mine"
title = "Mine"
reference = "bright"

[[columns]]
key = "accuracy"
heading = "accuracy"
statistic = "accuracy"
protocol = "lfw"

[[rows]]
label = "bright"
model = "bright"
paper = { accuracy = { value = 0.9, spread = 0.01 } }

[[rows]]
label = "absent"
model = "absent"
how = "draw it"
"""
MODEL = """
name = "bright"
title = "Bright"
architecture = "python"
weights = "tiny_model:make"

[preprocessing]
size = [112, 96]
"""


@pytest.fixture
def workspace(work: Path) -> Path:
    """A workspace with a report card and a model of its own."""
    for kind, name, text in (("reports", "mine", CARD), ("models", "bright", MODEL)):
        (work / kind).mkdir()
        (work / kind / f"{name}.toml").write_text(text)
    return work


def values(text: str) -> dict[tuple[str, str], str]:
    lines = csv.DictReader(io.StringIO(text))
    return {(line["data_kind"], line["row"]): line["value"] for line in lines}


def test_list_names_every_card(run: Run) -> None:
    result = run("report", "list")
    assert result.code == 0
    for name in ("table1", "table9", "figure1", "section55", "distillation", "taylor", "compare"):
        assert name in result.out


def test_a_card_without_records_says_how_to_make_them(run: Run, workspace: Path) -> None:
    result = run("report", "mine")
    assert result.code == 0
    assert "| bright | missing<br>paper 90.00 ± 1.00 |" in result.out
    command = "facebench eval --model bright --protocol lfw"
    assert command in result.out and command in result.err
    assert "there is no model 'absent' yet: draw it" in result.out


def test_a_row_of_no_model_is_a_mistake_unless_the_card_says_what_it_is(
    run: Run, workspace: Path
) -> None:
    """A row that the paper measured, or that says how to make its model, may be missing."""
    own = 'model = "absent"\nhow = "draw it"'
    Path("mine.toml").write_text(CARD.replace(own, 'model = "brigt"'))
    result = run("report", "mine.toml")
    assert result.code == 2
    assert (
        "row 'absent': there is no model or record 'brigt'; did you mean 'bright'?" in result.line
    )
    assert run("report", "compare", "-m", "bright").code == 0


def test_run_missing_makes_the_records(run: Run, workspace: Path, faces: Path) -> None:
    arguments = ("report", "mine", "--format", "csv")
    made = run(*arguments, "--run-missing", "--data", faces, "--quiet", "--out", "mine")
    assert made.code == 0, made.err
    assert float(values(made.out)["real", "bright"]) > 0
    assert len(list(Path("mine").rglob("*.json"))) == 1
    again = run(*arguments, "--records", "mine", "--quiet")
    assert again.out == made.out
    before = sorted(Path("mine").rglob("*"))
    assert run(*arguments, "--run-missing", "--data", faces, "-q", "--out", "mine").code == 0
    assert sorted(Path("mine").rglob("*")) == before  # nothing was missing


def test_a_group_as_csv_is_one_table(run: Run, workspace: Path) -> None:
    text = Path("reports/mine.toml").read_text()
    for name in ("first", "second"):
        grouped = f'group = "both"\n{text.replace(chr(34) + "mine" + chr(34), f"{name!r}")}'
        Path(f"reports/{name}.toml").write_text(grouped)
    made = run("report", "both", "--format", "csv", "--quiet")
    assert made.code == 0, made.err
    lines = list(csv.DictReader(io.StringIO(made.out)))
    assert [line["report"] for line in lines] == ["first", "first", "second", "second"]


def test_records_of_eval_are_found_in_the_cache_and_by_name(
    run: Run, work: Path, faces: Path
) -> None:
    done = run("eval", "-m", "tiny_model:make", "--data", faces, *TINY_ARGUMENTS, "--out", "kept")
    assert done.code == 0, done.err
    (path,) = Path("kept").rglob("*.json")
    table = run("report", "run", path)
    assert table.code == 0 and "accuracy" in table.out and "Signatures" in table.out
    html = run("report", "run", path, "--format", "html", "--output-dir", "pages")
    assert html.out == "" and Path("pages/run.html").is_file()
    free = run("report", "compare", "--records", "kept", "--format", "csv")
    assert "tiny_model" in free.out
    wrong = path.with_name("wrong.json")
    wrong.write_bytes(path.read_bytes()[:300])
    assert "not a complete JSON record" in run("report", "run", wrong).line
    assert run("report", "run", wrong).code == 2


def test_run_takes_models_by_name_as_compare_does(run: Run, work: Path) -> None:
    paths = save_three(work / "kept", per_kind=20)
    named = run("report", "run", "base", "worse", "--records", "kept")
    files = run("report", "run", paths["base"], paths["worse"])
    assert named.code == files.code == 0, named.err
    assert named.out == files.out and "base" in named.out and "as_good" not in named.out
    mixed = run("report", "run", paths["base"], "worse", "--records", "kept", "-p", "lfw")
    assert mixed.out == files.out
    near = run("report", "run", "bas", "--records", "kept")
    assert near.code == 2 and "no record of 'bas'; did you mean 'base'? Or name its" in near.line
    other = run("report", "run", "base", "--records", "kept", "--similarity", "projection")
    assert other.code == 2 and "no projection record of 'base'" in other.line


def test_paper_writes_every_table_in_four_formats(run: Run, work: Path) -> None:
    result = run("report", "paper", "--output-dir", "pages")
    assert result.code == 0, result.err
    names = {f"table{number}" for number in range(1, 10)} | {"figure1", "section55"}
    wanted = {f"{name}{ending}" for name in names for ending in (".md", ".html", ".csv", ".tex")}
    wanted |= {"index.html", "index.md"}
    assert {path.name for path in Path("pages").iterdir()} == wanted
    assert "are missing" in result.err and result.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tabel3",), "did you mean 'table3'"),
        (("compare", "-m", "basline"), "there is no model or record 'basline'; did you mean 'base"),
        (("table3", "one.json"), "records follow `run`; one.json follows 'table3'"),
        (("run",), "report run: name record files, e.g. reports/results/lfw/…/*.json, or eval"),
        (("run", "nobody"), "no record of 'nobody'; name its file or a folder with --records"),
        (("table3", "-p", "lfw"), "--protocol is of `run`; 'table3' names its own"),
        (("run", "none.json"), "none.json: cannot be read"),
        (("table3", "--model", "baseline"), "rows of its own"),
        (("table3", "--records", "nowhere"), "--records nowhere: no such file"),
        (("table3", "--output-dir", "tiny_model.py"), "is a file; name a folder"),
        (("mine.toml",), "mine.toml: cannot be read"),
        (("table3", "--output-dir", "tiny_model.py/x"), "tiny_model.py is not a folder"),
        (("table3", "--out", "tiny_model.py"), "--out tiny_model.py: is a file; name a folder"),
    ],
)
def test_bad_input_is_one_line_and_code_2(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run("report", *arguments)
    assert result.code == 2
    assert said in result.line


def test_the_help_names_the_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "facebench", "--help"], capture_output=True, text=True, timeout=600
    )
    assert "report" in shown.stdout


def test_a_table_of_records_refuses_costs_that_the_weights_have_not(run: Run, work: Path) -> None:
    """The zoo's own record of a network, with other costs under its name and hash."""
    made = drawn_record("sparse_012", per_kind=20, draws=0, weights=find_card("sparse_012").sha256)
    path = save_record(made, work / "kept")
    result = run("report", "run", path)
    assert result.code == 2
    assert "the record of sparse_012 says parameters 17,836,928, but its weights" in result.line


def test_formats_of_whole_records(work: Path, run: Run) -> None:
    """Files in a folder, or the one file on standard output; what cannot be there is refused."""
    for number in range(2):
        save_record(drawn_record(f"m{number}", per_kind=20, draws=20), work / "records")
    files = sorted(str(path) for path in (work / "records").rglob("*.json"))
    one = run("report", "run", files[0], "--format", "every-eval-ever")
    assert one.code == 0 and one.out.startswith("{")
    refused = run("report", "run", *files, "--format", "every-eval-ever")
    assert refused.code == 2 and "makes 2 files; name a folder" in refused.err
    refused = run("report", "run", *files, "--format", "parquet")
    assert refused.code == 2 and "--output-dir" in refused.err
    made = run("report", "run", *files, "--format", "parquet", "--output-dir", "out")
    assert made.code == 0 and (work / "out" / "records.parquet").is_file()


@pytest.mark.shipped_results
@pytest.mark.parametrize("width", ["80", "200"])
def test_the_terminal_says_the_verdict_first_and_no_markup(
    run: Run, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    ended = run("report", "table3", "--format", "table", "-q")
    assert ended.code == 0
    assert max(map(len, ended.out.splitlines())) <= int(width)
    assert not any(sign in ended.out for sign in ("<br>", "<sub>", "…", "|protocol:"))
    flat = " ".join(ended.out.split())
    assert flat.index("are not told apart from baseline") < flat.index("96.90 ± 0.38")
    refused = run("report", "table3", "--format", "table", "--output-dir", "x")
    assert refused.code == 2 and "--format table is of the terminal" in refused.err


def test_several_pages_are_not_one_text(run: Run, work: Path) -> None:
    found = run("report", "paper", "--format", "html")
    assert found.code == 2 and not found.out
    assert "makes" in found.line and "pages and their index; name a folder with" in found.line
