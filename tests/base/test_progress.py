"""Bars and lines of long works, on a clock that the tests move."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from rich.console import Console

from facebench.base import progress
from facebench.base.errors import on_command_line
from facebench.base.progress import counting_bar, stages, time_text, works


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"),
        (3600, "1 h 00 min"), (12_345, "3 h 25 min"), (180_000, "2 d 02 h"),
    ],
)  # fmt: skip
def test_times_in_words(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_a_line_after_half_a_minute_then_less_often_and_one_at_the_end(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    with on_command_line(), works(True, clock) as told:
        work = told.begin("faces", 20_000, "images")
        for number in range(20_001):
            work.to(number)
            clock.now += 0.5
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "faces: 60 of 20,000 images, 2.0 images/s, 2 h 46 min left"
    assert lines[1].startswith("faces: 120 of") and lines[-1] == (
        "faces: 20,000 of 20,000 images, 2.0 images/s"
    )
    at = [int(line.split()[1].replace(",", "")) / 2 for line in lines]
    steps = [b - a for a, b in pairwise(at[:-1])]
    assert steps == sorted(steps) and steps[0] == 30 and 270 < steps[-1] <= 300
    assert len(lines) < 100


def test_a_quick_work_says_nothing_unless_it_is_to_last(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    with on_command_line(), works(True, clock) as told:
        for lasting in (None, False, True):
            work = told.begin("net", 3, lasting=lasting)
            for step in (1, 2, 3):
                work.to(step, note=f"loss {step}")
                clock.now += 4
    assert capfd.readouterr().err == "net: 3 of 3 steps, 4 s a step; loss 3\n"


def test_a_work_that_says_its_own_end_says_none(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    with on_command_line(), works(True, clock) as told:
        work = told.begin("net", 2, "faces", lasting=False)
        work.to(0)
        clock.now += 60
        work.by()
        work.by()
    assert capfd.readouterr().err == "net: 1 of 2 faces, 1 min 00 s a face, 1 min 00 s left\n"


def test_what_was_done_before_a_run_counts_for_no_rate(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    with on_command_line(), works(True, clock) as told:
        work = told.begin("net", 1000)
        work.to(900)
        clock.now += 50
        work.to(950)
    assert capfd.readouterr().err == "net: 950 of 1,000 steps, 1.0 steps/s, 50 s left\n"


def test_bytes_and_unknown_ends(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    with on_command_line(), works(True, clock) as told:
        file, endless = told.begin("lfw.tgz", 200_000_000, "bytes"), told.begin("all")
        for work in (file, endless):
            work.to(0)
        clock.now += 40
        file.by(100_000_000)
        endless.by(120)
    assert capfd.readouterr().err.splitlines() == [
        "lfw.tgz: 100.0 of 200.0 MB, 2.5 MB/s, 40 s left",
        "all: 120 steps, 3.0 steps/s",
    ]


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_where_nobody_is_to_be_told(
    quiet: bool, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    """With --quiet; and in a program of others, whose standard error is no terminal."""
    with works(False, clock) if quiet else works(True, clock) as told:
        work = told.begin("net", 2, lasting=True)
        work.to(1)
        clock.now += 400
        work.to(2)
    with on_command_line(), counting_bar("x", False, "images", said=True) as advance:
        advance(1, 2)
    assert capfd.readouterr().err == ""


def test_a_first_line_of_how_many_there_are(capfd: pytest.CaptureFixture[str]) -> None:
    with on_command_line(), counting_bar("rendering", True, "faces", said=True) as advance:
        advance(1, 1500)
        advance(2, 1500)
    assert capfd.readouterr().err == "rendering: 1,500\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns in place of standard error."""
    file = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(
        progress,
        "_new_console",
        lambda: Console(file=file, width=80, height=25, highlight=False, soft_wrap=True),
    )
    return file


def shown_now() -> list[str]:
    """The bars as they are drawn at this moment."""
    bars = progress._drawn
    assert bars is not None
    console = Console(file=io.StringIO(), width=80)
    for each in bars.get_renderables():
        console.print(each)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_what_is_printed_below_a_bar_stays_on_standard_output(
    terminal: Terminal, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with works(True, clock) as told:
        told.begin("faces", 7, "faces").to(3)
        print("a result")
    assert capsys.readouterr().out == "a result\n" and "a result" not in terminal.getvalue()


def test_a_bar_tells_rate_time_left_and_losses(terminal: Terminal, clock: Clock) -> None:
    title = "a network with a name that is longer than the line of a terminal"
    with works(True, clock) as told:
        work = told.begin(title, 2000, lasting=True)
        for step in range(1, 101):
            work.to(step, note="regression 0.0123, identity 10.4780, 258 faces/s")
            clock.now += 0.5
        bar, note = shown_now()
        assert bar.startswith("a network") and "…" in bar and len(bar) <= 80
        assert bar.endswith("100/2,000 steps 2.0 steps/s 15 min 50 s left")
        assert note == "  regression 0.0123, identity 10.4780, 258 faces/s"
        work.to(2000, note="regression 0.01")
        assert shown_now() == []
        with works(True, clock) as inner:  # below the one that is drawn, and gone with its block
            inner.begin("faces", 7, "faces").to(3)
            progress.error_console().print("a line")
            (bar,) = shown_now()
            assert bar.startswith("faces ") and bar.endswith("3/7 faces")
        assert shown_now() == []
    assert progress._drawn is None
    said = _ESCAPES.sub("", terminal.getvalue()).replace("\r", "\n").splitlines()
    assert "a line" in said
    assert any(line.startswith(f"{title}: 2,000 of 2,000 steps") for line in said)


def test_a_bar_of_slow_steps_tells_rate_and_time_left(terminal: Terminal, clock: Clock) -> None:
    with works(True, clock) as told:
        work = told.begin("prune", 20)
        for step in range(4):
            work.to(10 + step)
            clock.now += 90
        clock.now -= 90
        assert shown_now()[0].endswith("13/20 steps 1 min 30 s a step 10 min 30 s left")


def test_stages_follow_each_other(terminal: Terminal) -> None:
    with stages(True) as stage:
        one = stage("loading", 2)
        one()
        assert shown_now()[0].startswith("loading ") and "1/2 steps" in shown_now()[0]
        stage("measuring", 9)
        assert [line.split()[0] for line in shown_now()] == ["measuring"]
    assert progress._drawn is None


def test_a_dumb_terminal_gets_lines(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with on_command_line(), works(True, clock) as told:
        work = told.begin("net", 2)
        work.to(0)
        clock.now += 31
        work.to(1)
    assert terminal.getvalue() == "net: 1 of 2 steps, 31 s a step, 31 s left\n"


def test_an_error_leaves_no_bar(terminal: Terminal) -> None:
    with pytest.raises(KeyError), works(True) as told:
        told.begin("net", 2).to(1)
        raise KeyError
    assert progress._drawn is None
