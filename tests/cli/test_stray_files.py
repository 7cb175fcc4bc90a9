"""Files of other tools in ``models``, ``protocols`` and ``reports`` of the working directory stop
nothing, and are named once; a command that asks for just one of them gets the error.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import facebench
from facebench.base.errors import Notice, UserError
from facebench.records.find import records_in
from tests.cli.conftest import Run
from tests.helpers.record_folders import save_three


@pytest.fixture
def littered(work: Path) -> Path:
    """Folders of other tools under facebench's names."""
    files = {
        "models/train.toml": "lr = 0.1\n",
        "models/README.md": "# Models\n",
        "models/._baseline.toml": "\0\1",
        "protocols/wet_lab.toml": "n = 1\n",
        "reports/weekly.toml": "y = [\n",
        "reports/results/metrics.json": '{"loss": 1}',
        "reports/results/list.json": "[1, 2]",
        "reports/results/.ipynb_checkpoints/x.json": "{",
        "reports/results/cut.json": '{"schema_version": 2, "signature": "x',
    }
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    return work


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("models",), ["models/train.toml: unknown field 'lr'", "cut", "list", "metrics"]),
        (("protocols",), ["protocols/wet_lab.toml: field 'kind': must be"]),
        (("report", "list"), ["reports/weekly.toml: not TOML"]),
        (("report", "paper", "--format", "csv"), ["weekly.toml", "cut", "list", "metrics"]),
        (("report", "table9"), ["cut", "list", "metrics"]),
        (("compare", "base", "as_good"), ["cut", "list", "metrics"]),
    ],
)
def test_strays_are_named_once_and_stop_nothing(
    littered: Path, run: Run, arguments: tuple[str, ...], named: list[str]
) -> None:
    save_three(littered / "reports" / "results")
    ended = run(*arguments)
    lines = [line for line in ended.err.splitlines() if "left out" in line]
    assert ended.code == 0
    assert len(lines) == len(named)
    for line, words in zip(lines, named, strict=True):
        assert line.startswith(f"facebench: note: left out: {littered}/") and words in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("models", "show", "train"), "models/train.toml: unknown field 'lr'"),
        (("protocols", "show", "wet_lab"), "protocols/wet_lab.toml: field 'kind'"),
        (("report", "weekly"), "reports/weekly.toml: not TOML"),
        (("compare", *("reports/results/metrics.json",) * 2), "metrics.json: is JSON, but no"),
    ],
)  # fmt: skip
def test_what_asks_for_just_one_gets_the_error(
    littered: Path, run: Run, arguments: tuple[str, ...], says: str
) -> None:
    ended = run(*arguments)
    assert ended.code == 2 and says in ended.line


def test_a_folder_of_records_may_hold_other_json(littered: Path) -> None:
    save_three(littered / "runs")
    (littered / "runs" / "metrics.json").write_text('{"loss": 1}')
    with pytest.warns(Notice, match=r"left out: .*metrics\.json: is JSON, but no record"):
        assert len(records_in("runs")) == 3
    (littered / "runs" / "metrics.json").write_text('{"signature": "x", "protocol": 1}')
    with pytest.raises(UserError, match="schema version"):  # a record, and a damaged one
        records_in("runs")


def test_from_python_it_is_a_warning(littered: Path) -> None:
    with pytest.warns(Notice, match=r"left out: .*train\.toml"):
        assert "sparse_074" in [card.name for card in facebench.list_models()]
