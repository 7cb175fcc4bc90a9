"""The command as a whole: help, start-up, and how it ends."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.version import __version__
from facebench.cli.app import COMMANDS
from facebench.records.record import record_schema

Run = Callable[..., "Result"]  # noqa: F821
ROOT = Path(__file__).parents[2]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """facebench in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def test_help_imports_neither_torch_nor_opencv() -> None:
    code = (
        "import sys\nfrom facebench.cli.app import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: assert not end.code\n"
        "print(sorted({'torch', 'cv2', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    )
    ended = python("-c", code)
    assert ended.stderr.strip() == "[]"
    for name, _, summary in COMMANDS:
        assert name in ended.stdout and summary in ended.stdout


def test_python_dash_m() -> None:
    ended = python("-m", "facebench", "--version")
    assert (ended.returncode, ended.stdout) == (0, f"facebench {__version__}\n")


@pytest.mark.parametrize("name", [command[0] for command in COMMANDS])
def test_every_help_has_an_example(run: Run, name: str) -> None:
    ended = run(name, "--help")
    assert ended.code == 0
    assert f"Example: facebench {name}" in " ".join(ended.out.split())


def test_protocols_lists_and_shows(run: Run) -> None:
    assert "cfp-fp v1" in run("protocols").out
    assert "Labeled Faces" in run("protocols", "show", "lfw").out
    values = json.loads(run("protocols", "show", "calfw", "--format", "json").out)
    assert values["comparisons"] == 6000
    listed = json.loads(run("protocols", "list", "--format", "json").out)
    assert len(listed) == len(list((ROOT / "protocols").glob("*.toml"))) > 20
    assert "did you mean 'agedb-30'?" in run("protocols", "show", "agedb30").line


def test_schema_is_the_schema(run: Run) -> None:
    assert json.loads(run("schema").out) == record_schema()


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("the\nmessage"), 2, "facebench: the message"),
        (KeyboardInterrupt(), 130, "facebench: stopped; the same command continues where it was"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y"),
            2,
            "facebench: the disk is full (/x/y): make room, or name a folder on another disk",
        ),
        (PermissionError(13, "Permission denied", "/x"), 2, "facebench: Permission denied (/x)"),
    ],
)
def test_errors_end_as_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, line: str
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("facebench.cli.commands.protocols.list_protocols", fail)
    ended = run("protocols")
    assert (ended.code, ended.line) == (code, line)


def test_a_full_disk_of_the_cache_names_what_moves_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr("facebench.cli.commands.protocols.list_protocols", fail)
    path = tmp_path / "kept" / "data" / "x"
    moved = "make room, or set FACEBENCH_CACHE to another folder"
    assert run("protocols").line == f"facebench: the disk is full ({path}): {moved}"
    path = tmp_path / "training" / "checkpoint.pt"
    assert "FACEBENCH_CACHE" not in run("protocols").line


def test_a_bug_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("facebench.cli.commands.protocols.list_protocols", fail)
    from facebench.cli.app import main

    with pytest.raises(SystemExit) as ended:
        main(["protocols"])
    assert ended.value.code == 70
    said = capsys.readouterr().err
    assert "Traceback" in said and "ZeroDivisionError: a bug" in said and "please report" in said


def test_what_an_error_names_acts_on_nothing(tmp_path: Path) -> None:
    name = "a\x1b]0;owned\x07\n::error::pwned\u202e.toml"
    (tmp_path / name).write_text("title = [")
    ended = python("-m", "facebench", "models", "show", str(tmp_path / name))
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr.count("\n") == 1 and ended.stderr.startswith("facebench: ")
    assert not set("\x1b\x07\u202e") & set(ended.stderr) and "\\x1b]0;owned" in ended.stderr
