"""Exit codes mean one thing each, in all commands: the table of docs/use/exit-codes.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from facebench.cli import app
from facebench.cli.app import COMMANDS, main

Run = Callable[..., "Result"]  # noqa: F821
NAMES = [name for name, _, _ in COMMANDS]
TABLE = Path(__file__).parents[2] / "docs" / "use" / "exit-codes.md"
ARGUMENTS = ("-p", "lfw", "--size", "112x96", "--workers", "0", "-q", "--draws", "0")


def test_the_table_has_all_codes() -> None:
    found = re.findall(r"^\| (\d+) \|", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found == ["0", "1", "2", "3", "70", "130"]


@pytest.mark.parametrize("name", NAMES)
def test_help_is_0_and_what_was_typed_wrongly_is_2(run: Run, name: str) -> None:
    assert run(name, "--help").code == 0
    ended = run(name, "--no-such")
    assert ended.code == 2 and "no such option: --no-such" in ended.line


@pytest.mark.parametrize(
    "arguments",
    [
        "eval -m no_such -p lfw",
        "degrade no_such",
        "train x --data no_such",
        "prune no_such --data no_such",
        "quantise no_such",
        "bench no_such",
        "export no_such --to onnx",
        "distill --student x --teacher no_such --data no_such",
        "models show no_such",
        "protocols show no_such",
        "metric fit no_such --data x --out y",
        "metric show no_such",
        "report show no_such",
        "compare no_such other",
        "power no_such other --drop 1pt",
        "worst no_such",
        "threshold no_such",
        "gate no_such --rules none.toml",
        "history no_such",
        "data check no_such",
        "data get no_such",
        "pack no_such.json",
    ],
)
def test_wrong_input_is_2(run: Run, arguments: str) -> None:
    ended = run(*arguments.split())
    assert ended.code == 2, ended
    assert ended.line


def fake(monkeypatch: pytest.MonkeyPatch, command: Callable[[], None], group: bool) -> list[str]:
    """The words that run a command, which may be one of a group."""
    inner = typer.Typer()
    inner.command("inner")(command)
    inner.command("other")(lambda: None)
    module = SimpleNamespace(app=inner) if group else SimpleNamespace(command=command)
    monkeypatch.setitem(sys.modules, "fake_command", module)  # type: ignore[arg-type]
    monkeypatch.setattr(app, "COMMANDS", (("fake", "fake_command", ""),))
    return ["fake", "inner"] if group else ["fake"]


@pytest.mark.parametrize("group", [False, True])
def test_a_bug_is_70_with_its_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, group: bool
) -> None:
    def command() -> None:
        raise ZeroDivisionError("of a \x1b[31m file")

    ended = run(*fake(monkeypatch, command, group))
    assert ended.code == 70 and ended.out == ""
    lines = ended.err.splitlines()
    assert lines[0].startswith("Traceback") and "\x1b" not in ended.err
    assert lines[-2] == "ZeroDivisionError: of a \\x1b[31m file"
    assert lines[-1].startswith("facebench: this is a bug in facebench")


def test_a_bug_in_an_import_is_70(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "COMMANDS", (("fake", "no_such_module_of_ours", ""),))
    assert run("fake").code == 70


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "stopped"),
        (SystemExit(0), 2, "ended the program with exit code 0"),
        (MemoryError("3 GiB"), 2, "there is not enough memory: 3 GiB; take a smaller --batch"),
        (OSError(28, "No space left", "/x"), 2, "the disk is full (/x): make room"),
        (typer.Abort(), 130, "stopped"),
    ],
)
def test_what_is_no_bug(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    code: int,
    line: str,
    group: bool,
) -> None:
    def command() -> None:
        raise raised

    ended = run(*fake(monkeypatch, command, group))
    assert ended.code == code and line in ended.line


USERS = {
    "quits": "import sys\nsys.exit()",
    "three": "import sys\ndef net():\n    sys.exit(3)",
    "runs": "import sys\nfrom torch import nn\nclass N(nn.Module):\n"
    "    def forward(self, x): sys.exit(4)\ndef net(): return N()",
    "own": "import sys\nfrom facebench.models.embedders.base import Embedder, Preprocessing\n"
    "class N(Embedder):\n    id, preprocessing = 'n', Preprocessing()\n"
    "    def embed(self, x): sys.exit(5)\n    forward = embed\ndef net(): return N()",
    "parses": "import argparse\nfrom torch import nn\nparser = argparse.ArgumentParser()\n"
    "parser.add_argument('--ckpt', required=True)\nargs = parser.parse_args()\n"
    "def net(): return nn.Flatten()",
}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("quits", "quits:net: importing 'quits' failed: module 'quits' (line 2 of quits.py) ended "
         "the program with exit code 0; put what it does as a program below"),
        ("three", "three:net: net() failed: module 'three' (line 3 of three.py) ended the program "
         "with exit code 3"),
        ("runs", "module 'runs' (line 4 of runs.py) ended the program with exit code 4"),
        ("own", "module 'own' (line 5 of own.py) ended the program with exit code 5"),
        ("parses", "the following arguments are required: --ckpt"),
    ],
)  # fmt: skip
def test_code_of_the_users_does_not_end_facebench(
    run: Run, work: Path, faces: Path, name: str, said: str
) -> None:
    (work / f"{name}.py").write_text(USERS[name])
    given = ARGUMENTS if name != "own" else [one for one in ARGUMENTS if "size" not in one]
    given = [one for one in given if name != "own" or one != "112x96"]
    ended = run("eval", "-m", f"{name}:net", *given, "--data", faces)
    assert ended.code == 2 and said in ended.line


def test_code_of_the_users_sees_no_arguments_of_ours(run: Run, work: Path, faces: Path) -> None:
    text = USERS["parses"].replace("required=True", "default=1")
    (work / "parses_some.py").write_text(f"{text}\nimport sys\nprint('hello', file=sys.stderr)")
    before = list(sys.argv)
    ended = run("eval", "-m", "parses_some:net", *ARGUMENTS, "--data", faces)
    assert ended.code == 0 and ended.err.startswith("hello\n")
    assert sys.argv == before


def test_data_check_is_1_where_something_is_wrong(run: Run, faces: Path) -> None:
    assert run("data", "check", "lfw", "--data", faces).code == 1
    assert run("data", "check", "lfw", "--data", faces / "none").code == 2


def test_a_question_answered_with_no_is_0(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "confirm", lambda _: False)
    ended = run("store", "clear")
    assert (ended.code, ended.out) == (0, "nothing was removed\n")


def test_from_python_code_of_the_users_is_an_error(work: Path) -> None:
    from facebench import UserError, load_model

    (work / "quits_too.py").write_text(USERS["quits"])
    with pytest.raises(UserError, match="importing 'quits_too' failed: module 'quits_too'"):
        load_model("quits_too:net")


def test_a_group_without_a_command_is_2(run: Run) -> None:
    for name in ("metric", "data", "store"):
        assert run(name).code == 2
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
