"""The worked example in docs/: its commands parse, and its gates end as the page says."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from facebench.cli.app import COMMANDS
from facebench.cli.build import build
from facebench.records.files import save_record
from tests.cli.conftest import Run
from tests.comparison.test_compare import changed
from tests.helpers.records import drawn_record

pytest_plugins = "pytester"

DOCS = Path(__file__).parents[2] / "docs"
FILES = DOCS / "pruning-in-ci"
PAGE = (DOCS / "pruning-in-ci.md").read_text(encoding="utf-8")
REAL = "gate damaged_1 damaged_3 resaved -b sparse_074 -p lfw --records damaged --rules real.toml"
# Name, how far apart its scores are, and bytes: as good, a little worse, spoilt.
NETWORKS = (
    ("dense", 3.5, 566_000),
    ("step_1", 3.4, 549_000),
    ("step_2", 3.18, 473_000),
    ("step_3", 2.4, 300_000),
)


def shown() -> Iterator[tuple[str, int]]:
    """The page's console commands and their exit codes: that of a following ``echo $?``, or 0."""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        lines = block.splitlines()
        for number, line in enumerate(lines):
            if line.startswith("$ ") and "echo $?" not in line:
                after = next((n for n, x in enumerate(lines) if n > number and x[:1] == "$"), None)
                said = after is not None and lines[after] == "$ echo $?"
                yield line[2:], int(lines[after + 1]) if said and after is not None else 0


def everywhere() -> Iterator[str]:
    """Every command of facebench in the page, the script and the workflow."""
    yield from (command for command, _ in shown())
    for path in (FILES / "run.sh", FILES / "workflow.yml"):
        text = re.sub(r">-\n\s+", "", path.read_text())
        text = re.sub(r"\n\s+(--\w)", r" \1", text)
        yield from re.findall(r"(?m)^\s*(?:run: )?(facebench .*)$", text)


def test_every_command_and_option_exists() -> None:
    commands = [shlex.split(command) for command in everywhere()]
    words = [words for words in commands if words[0] == "facebench"]
    assert {w[1] for w in words} >= {"prune", "eval", "gate", "compare", "history"}
    for _, name, *arguments in words:
        group = build(COMMANDS, name)
        group.commands[name].make_context(name, list(arguments))  # raises for an unknown option


@pytest.fixture
def project(work: Path) -> Path:
    """The example's files in the working directory, and records of toy networks."""
    for path in FILES.iterdir():
        if path.suffix in (".toml", ".py", ".ini"):
            shutil.copy(path, work)
    for number, (name, strength, size) in enumerate(NETWORKS):
        record = drawn_record(
            name,
            "synthetic",
            number,
            strength,
            draws=20,
            per_kind=300,
            created=f"2026-01-0{number + 1}T00:00:00+00:00",
            weights=f"{number}" * 64,
        )
        model = record.model.model_copy(update={"bytes": size})
        save_record(changed(record, model=model), work / "records")
    return work


def test_the_gates_end_as_the_page_says(run: Run, project: Path) -> None:
    ended = []
    for command, code in shown():
        name, *arguments = shlex.split(command)
        if command == f"facebench {REAL}" or name != "facebench":
            continue
        if arguments[0] in ("gate", "compare", "history"):
            result = run(*arguments)
            assert result.code == code, (command, result.out, result.err)
            ended.append(code)
    assert {0, 1, 3} <= set(ended)
    assert (project / "history.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.shipped_results
def test_the_gate_of_the_real_network_prints_what_the_page_says(run: Run, work: Path) -> None:
    (block,) = re.findall(rf"```console\n\$ facebench ({REAL}.*?)```", PAGE, re.DOTALL)
    command, *lines = block.splitlines()
    shutil.copytree(Path(__file__).parents[1] / "helpers" / "damaged", work / "damaged")
    shutil.copy(FILES / "real.toml", work)
    result = run(*shlex.split(command))
    assert [*result.out.splitlines(), "$ echo $?", str(result.code)] == lines


def test_the_script_runs_the_commands_of_the_page() -> None:
    script = (FILES / "run.sh").read_text().splitlines()
    own = [line for line in script if not line.startswith(("#", "set "))]
    assert own == [command for command, _ in shown()]


def test_the_page_shows_the_files_as_they_are() -> None:
    for name in ("plan.toml", "gates.toml", "test_accuracy.py", "pytest.ini", "workflow.yml"):
        assert (FILES / name).read_text().strip() in PAGE, name
    for name in re.findall(r"\]\((pruning-in-ci/[^)]+)\)", PAGE):
        assert (DOCS / name).exists(), name
