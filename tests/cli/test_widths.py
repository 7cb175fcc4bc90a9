"""Tables of all commands at 80 and 200 characters a line and in a pipe: nothing cut or lost."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest

from facebench.base.progress import counting_bar
from facebench.costs.bench import Bench
from facebench.embedding.store import EmbeddingStore, Shard
from facebench.models.cards.card import ModelCard
from facebench.models.cards.publish import write_card
from facebench.tables.table import Cell, Table, columns_of, facts_of, list_of, rows_of
from facebench.tables.terminal import Style, console_for, tables_text
from tests.cli.conftest import Run
from tests.helpers.costs import cost_record
from tests.helpers.record_folders import save_three

ROOT = Path(__file__).parents[2]
METRIC = ROOT / "models" / "weights" / "baseline.metric.safetensors"
FRAME = dict.fromkeys(map(ord, "│╭╮╰╯─┬┴┼├┤┃━┏┓┗┛"), " ")
OWN = "a_rather_long_name_of_a_network_that_somebody_trained"
COMMANDS = {
    "models": ("models",),
    "models with a long name": ("models",),
    "models --recorded": ("models", "--recorded"),
    "models show": ("models", "show", "sparse_074"),
    "models show ensemble": ("models", "show", "ensemble_25"),
    "protocols": ("protocols",),
    "protocols show": ("protocols", "show", "lfw-open"),
    "report list": ("report", "list"),
    "data list": ("data", "list"),
    "store list": ("store", "list"),
    "metric show": ("metric", "show", METRIC),
    "history": ("history", "saved"),
    "compare": ("compare", "base", "as_good", "worse", "-p", "lfw", "--records", "saved"),
    "power": ("power", "base", "as_good", "worse", "-p", "lfw", "--records", "saved",
              "--drop", "0.3pt"),
    "threshold": ("threshold", "worse", "-p", "lfw", "--far", "0.01", "--records", "saved"),
    "worst": ("worst", "worse", "-p", "lfw", "--records", "saved"),
    "worst of two": ("worst", "base", "worse", "-p", "lfw", "--records", "saved"),
    "eval": ("eval", "-m", "tiny_model:make", "-m", "tiny_model:dark", "-p", "lfw", "-q",
             "--size", "112x96", "--workers", "0", "--draws", "20", "--align", "centre"),
    "degrade": ("degrade", "tiny_model:make", "tiny_model:dark", "-q", "--size", "112x96",
                "--workers", "0", "--draws", "20", "--align", "centre", "--degrade", "14px"),
    "bench": ("bench", "dense", "another"),
}  # fmt: skip
HINT = {"rows", "stand", "as", "columns;", "they", "need", "lines", "of", "characters"} | {
    "columns", "in", "tables;", "one",
}  # fmt: skip


@pytest.fixture
def filled(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the commands show: records, kept embeddings, a network."""
    save_three(work / "saved")
    entry = EmbeddingStore().entry({"source": "lfw-0123", "faces": 3}, "mine")
    with entry.in_use():
        entry.write(0, Shard(np.ones((3, 4), np.float32), np.ones(3, np.bool_)))
    card = {"name": OWN, "title": OWN, "architecture": "convnet", "width": 0.125}
    made = ModelCard.model_validate(card | {"preprocessing": {"size": (80, 80)}})
    write_card(made, work / "models" / f"{OWN}.toml")
    costs = (cost_record(), cost_record(model="another"))
    measured = Bench(costs, "dense", "eager", (), costs[0].runs[0].machine)
    monkeypatch.setattr("facebench.costs.bench.bench", lambda *_, **__: measured)
    return work


def words(text: str) -> set[str]:
    """Its words; paths, which may be broken at a slash, folder by folder."""
    return set(re.split(r"\s+|(?<=/)", text.translate(FRAME)))


def unsigned(text: str) -> list[str]:
    """Its lines but signatures, which are to be copied in one."""
    return [line for line in text.splitlines() if "|protocol:" not in line]


@pytest.mark.shipped_results
@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_word_is_whole_at_any_width(
    run: Run, filled: Path, faces: Path, monkeypatch: pytest.MonkeyPatch, name: str, width: int
) -> None:
    arguments = list(COMMANDS[name])
    if name in ("eval", "degrade"):
        arguments += ["--data", faces]
    if name == "models":
        (filled / "models" / f"{OWN}.toml").unlink()
    monkeypatch.delenv("COLUMNS", raising=False)
    piped = run(*arguments)
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run(*arguments)
    assert piped.code == shown.code == 0
    assert max(map(len, unsigned(shown.out))) <= width
    lost, broken = words(piped.out) - words(shown.out), words(shown.out) - words(piped.out)
    assert not lost
    assert {word for word in broken if not word.isdecimal()} <= HINT | {""}
    assert "…" not in piped.out and all(line == line.rstrip() for line in piped.out.splitlines())


def toy(*cells: Cell, **fields: object) -> Table:
    headings = ("name", *(f"heading of {number} %" for number in range(len(cells))))
    rows = rows_of((Cell("model_1"), *cells), (Cell("another_model"), *cells))
    return Table("Title · of what", columns_of(*headings), rows, **fields)  # type: ignore[arg-type]


def drawn(table: Table, width: int, style: Style = "framed") -> list[str]:
    console = console_for()
    console.width = width
    return tables_text([table], console, style).splitlines()


NUMBERS = [Cell(f"{n}.00 ± 0.50", f"[{n}.10, {n}.90]") for n in range(4)]


def test_lines_break_between_words_and_never_beside_a_number() -> None:
    whole, broken = drawn(toy(*NUMBERS), 200), drawn(toy(*NUMBERS), 82)
    assert "heading of 0 %" in whole[2] and "heading of 0 %" not in broken[2]
    assert broken[2].startswith("│   ") and broken[3].startswith("│ name")
    assert all("[2.10, 2.90]" in text for text in map("\n".join, (whole, broken)))


def test_rows_become_columns_or_columns_stand_in_two_tables_where_not_all_words_fit() -> None:
    found = drawn(toy(*NUMBERS), 48)
    begun = [line.split()[1] for line in found if line.startswith("│ ") and line[2] != " "]
    assert begun == ["name", "model_1", "another_model"] * 2 and max(map(len, found)) <= 48
    least = int(" ".join(found[-2:]).split()[-2])
    for width, heading in ((least, "heading"), (least - 1, "model_1")):
        assert heading in drawn(toy(*NUMBERS), width)[2]


@pytest.mark.parametrize("style", ["framed", "ruled", "bare"])
def test_a_word_longer_than_a_line_is_broken_and_not_cut(style: Style) -> None:
    name = "".join(map(chr, range(0x4E00, 0x4E00 + 40)))  # each takes two places
    text = "".join(drawn(list_of(("name", "what"), [(name, "x")]), 30, style))
    assert not set(name) - set(text) and "…" not in text
    assert not set(name) - set("".join(drawn(facts_of([("name", name)]), 30, "facts")))


def test_signs_that_an_encoding_lacks_are_plain_and_in_line() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    cells = [Cell("−0.25 ▼", "[−0.55, +0.05]"), Cell("≈ not told apart"), Cell("±")]
    lines = tables_text([toy(*cells)], console_for(stream)).splitlines()
    assert "Title * of what" in lines[0] and "-0.25 v" in lines[4] and "~ not told" in lines[4]
    assert len({len(line) for line in lines[1:]}) == 1 and "\n".join(lines).isascii()


def in_terminal(command: str, width: int, **environment: str) -> str:
    """What a command writes on a terminal of so many characters a line."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in SET}
    ended = subprocess.Popen(
        [sys.executable, "-m", "facebench", *command.split()],
        stdout=theirs, stdin=theirs, stderr=subprocess.PIPE, cwd=ROOT,
        env={**kept, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while block := os.read(ours, 65536):
            text += block
    except OSError:  # nobody holds the other end any more
        pass
    os.close(ours)
    assert ended.communicate()[1] == b"" and ended.returncode == 0
    return text.decode().replace("\r\n", "\n")


SET = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def test_a_terminal_says_how_wide_it_is_and_columns_overrules_it() -> None:
    for width, more in ((80, {}), (120, {}), (200, {"COLUMNS": "80"})):
        text = in_terminal("protocols", width, **more)
        longest = max(map(len, _ESCAPES.sub("", text).splitlines()))
        assert "\x1b[1m" in text and min(width, 80) - 20 < longest <= int(
            more.get("COLUMNS", width)
        )


def test_colours_go_where_they_are_wanted() -> None:
    assert "\x1b" not in in_terminal("protocols", 80, TERM="dumb")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", in_terminal("protocols", 80, NO_COLOR="1"))
    kept = {name: value for name, value in os.environ.items() if name not in SET}
    command = [sys.executable, "-m", "facebench", "protocols"]
    plain, coloured = (
        subprocess.run(command, env=kept | more, cwd=ROOT, capture_output=True, text=True).stdout
        for more in ({}, {"FORCE_COLOR": "1"})
    )
    assert "\x1b" not in plain and "\x1b[1m" in coloured
    assert [line.rstrip() for line in _ESCAPES.sub("", coloured).splitlines()] == plain.splitlines()


def test_a_forced_colour_draws_no_bar_where_no_terminal_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with counting_bar("reading", True, "images") as advance:
        advance(1, 2)
    assert capfd.readouterr().err == ""
