"""Standard streams: closed, full, left early, and in encodings that lack a sign."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facebench.cli.streams import STDOUT, _plain

ROOT = Path(__file__).parents[2]
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
PROTOCOLS = "protocols show lfw"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """``facebench`` in a shell's command line, as ``$F``."""
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "F": f"{sys.executable} -m facebench",
            **environment,
        },
        check=False,
    )


def test_with_standard_output_closed_the_result_goes_to_standard_error() -> None:
    expected = shell(f"$F {PROTOCOLS}").stdout
    ended = shell(f"$F {PROTOCOLS} >&-")
    assert (ended.returncode, ended.stdout) == (0, b"")
    said, _, result = ended.stderr.partition(b"\n")
    assert said == (
        b"facebench: standard output is closed; what belongs there goes to standard error"
    )
    assert b"Labeled Faces" in result and result == expected


@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_number_of_a_closed_stream(closed: str, tmp_path: Path) -> None:
    """A file opened as number 1 or 2 would get what a library prints there."""
    code = (
        "import os, sys\nfrom facebench.cli.streams import prepare_streams\n"
        "prepare_streams()\n"
        f"with open({str(tmp_path / 'file')!r}, 'w') as file:\n    assert file.fileno() > 2\n"
        "    print('to the stream'); print('and', file=sys.stderr); sys.stdin.read()\n"
        "    os.write(1, b'as a library does'); os.write(2, b'as a library does')\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    ended = shell(f'exec {sys.executable} "{script}" </dev/null {closed}')
    assert ended.returncode == 0
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("reader", ["head -c 10", "true"])
@pytest.mark.parametrize("command", ["schema", "--help", "protocols"])
def test_a_reader_that_leaves_early_changes_nothing(command: str, reader: str) -> None:
    ended = shell(f"$F {command} | {reader}; exit ${{PIPESTATUS[0]}}")
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_verdict_stays_the_exit_code_when_its_reader_has_left(tmp_path: Path) -> None:
    code = (
        "import sys, typer\nfrom facebench.cli import app\n"
        "class Module: pass\n"
        "def command():\n    print('x' * 1_000_000)\n    raise typer.Exit(3)\n"
        "sys.modules['verdict'] = Module()\nModule.command = staticmethod(command)\n"
        "app.COMMANDS = (('verdict', 'verdict', ''),)\nsys.argv = ['facebench', 'verdict']\n"
        "app.main()\n"
    )
    script = tmp_path / "verdict.py"
    script.write_text(code)
    ended = shell(f'{sys.executable} "{script}" | true; exit ${{PIPESTATUS[0]}}')
    assert (ended.returncode, ended.stderr) == (3, b"")


@FULL
@pytest.mark.parametrize("command", ["schema", "--help", "protocols --help", "protocols"])
def test_a_full_disk_behind_standard_output_is_one_line(command: str) -> None:
    ended = shell(f"$F {command} >/dev/full")
    assert ended.returncode == 2
    assert ended.stderr == f"facebench: the disk is full ({STDOUT}): make room\n".encode()


@FULL
def test_a_full_disk_behind_standard_error_changes_nothing() -> None:
    ended = shell("$F --versio 2>/dev/full")
    assert (ended.returncode, ended.stdout) == (2, b"")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
)
@pytest.mark.parametrize("command", ["models", "protocols", "eval --help"])
def test_signs_that_cannot_be_shown_are_replaced(command: str, environment: dict[str, str]) -> None:
    ended = shell(f"$F {command}", **environment)
    assert (ended.returncode, ended.stderr) == (0, b"")
    ascii_only = environment.get("PYTHONIOENCODING") != "latin-1"
    text = ended.stdout.decode("ascii" if ascii_only else "latin-1")
    assert "?" not in text


def test_replacements_look_like_what_they_replace() -> None:
    text = "✓ 95.8 ± 1.1 · é → ┏━┳│ 漢"
    error = UnicodeEncodeError("ascii", text, 0, len(text), "none")
    assert _plain(error) == ("+ 95.8 +/- 1.1 * e -> +-+| ?", len(text))


def test_names_of_files_that_are_no_text_are_shown(tmp_path: Path) -> None:
    ended = shell("$F report run $'caf\\xe9.json'")
    assert ended.returncode == 2 and b"Traceback" not in ended.stderr
    assert ended.stderr.startswith(b"facebench: caf")
