"""Command lines typed wrongly: one line, the nearest right word, exit code 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "Result"]  # noqa: F821
SEE = "; see facebench eval --help"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("eval --dta x", f"no such option: --dta (did you mean '--data'?){SEE}"),
        ("eval --on-missing cont", f"(did you mean 'count'?){SEE}"),
        ("eval --format xml", f"'xml' is not one of 'table', 'json', 'md', 'html', 'csv', 'latex' (did you mean 'html'?){SEE}"),  # noqa: E501
        ("eval --draws x", "invalid value for '--draws'"),
        ("eval --threads 0", "invalid value for '--threads'"),
        ("eval -x", f"no such option: -x{SEE}"),
        ("eval -m", "option '-m' requires an argument"),
        ("eval lfw", f"got unexpected extra argument(s) (lfw){SEE}"),
        ("evl", "no such command 'evl' (did you mean 'eval'?); see facebench --help"),
        ("models shw", "no such command 'shw' (did you mean 'show'?); see facebench models --help"),
        ("models show", "missing argument 'name'; see facebench models show --help"),
        ("--versio", "no such option: --versio (did you mean '--version'?); see facebench --help"),
    ],
)  # fmt: skip
def test_one_line(run: Run, arguments: str, line: str) -> None:
    ended = run(*arguments.split())
    assert ended.code == 2
    assert line in ended.line
    assert "Value error" not in ended.line


def test_help_of_a_group_without_arguments_is_not_an_error_line(run: Run) -> None:
    ended = run("data")
    assert "Usage: facebench data" in ended.out and "facebench: " not in ended.err


def test_interrupted_while_a_command_is_imported(tmp_path: Path) -> None:
    """Ctrl-C in an import, which may turn it into anything, ends with the one line."""
    (tmp_path / "slow_command.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    raise ImportError('half imported') from None\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from facebench.cli import app\n"
        "app.COMMANDS = (('slow', 'slow_command', ''),)\n"
        "app.main(['slow'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130 and ended.stdout == ""
    assert ended.stderr == "facebench: stopped; the same command continues where it was\n"
