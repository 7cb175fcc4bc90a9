"""What users are told: options as whoever asks knows them, and whose code ended the program."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from facebench.base.errors import (
    Notice,
    UserError,
    by_command_line,
    ended_by,
    in_one_line,
    on_command_line,
    spelled,
)


@pytest.mark.parametrize(
    ("said", "in_python"),
    [
        ("there is no folder x; check --data", "there is no folder x; check data="),
        ("check --size, --batch and the input", "check size=, batch= and the input"),
        ("count them with --on-missing count", "count them with on_missing='count'"),
        ("all pairs with --draws 1000", "all pairs with draws=1000"),
        ("--layout 'foo': not nchw", "layout='foo': not nchw"),
        ("--device cuda:7: there is none", "device='cuda:7': there is none"),
        ("--landmarks x.txt has no effect", "landmarks='x.txt' has no effect"),
        ("--size has no effect", "size= has no effect"),
        ("choose --detector YUNET (a file)", "choose detector=YUNET (a file)"),
        ("choose another with --output-name", "choose another with output="),
        ("name a folder with --records", "name a folder with found_in="),
        ("make one with `facebench eval --out x`", "make one with `facebench eval --out x`"),
        ("'--data', /a--b/--c and a--d", "'--data', /a--b/--c and a--d"),
    ],
)
def test_options_are_called_as_who_asks_knows_them(said: str, in_python: str) -> None:
    error = UserError(said)
    assert str(error) == spelled(said) == in_python
    with on_command_line():
        assert by_command_line() and str(error) == said
        assert str(pickle.loads(pickle.dumps(error))) == said
    assert not by_command_line()
    assert str(UserError(f"there: {error}")) == f"there: {in_python}"


def test_notices_are_spelled_too() -> None:
    notice = Notice("--mean and --scale say otherwise", "lfw")
    assert str(notice) == "lfw: mean= and scale= say otherwise"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit()", "ended the program with exit code 0"),
        ("sys.exit(3)", "ended the program with exit code 3"),
        ("sys.exit('no weights')", "ended the program: no weights"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--x'])", "with exit code 2"),
    ],
)
def test_whose_code_ended_the_program(tmp_path: Path, code: str, words: str) -> None:
    file = tmp_path / "theirs.py"
    source = compile(f"import sys\n{code}", str(file), "exec")
    with pytest.raises(SystemExit) as ended:
        exec(source, {"__name__": "theirs"})
    assert ended_by(ended.value).startswith("module 'theirs' (line 2 of theirs.py) ended the")
    assert ended_by(ended.value).endswith(words)


def test_a_program_beside_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, in_one_line("refresh"):
        raise UserError("check --data")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "refresh: check --data\n"
    assert "argparse" in sys.stdlib_module_names  # whose frames are passed over
