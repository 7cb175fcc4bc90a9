"""Damaged files of every kind: accepted, or refused in one line that names the file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest

from facebench.base.errors import UserError
from tests.fuzz.__main__ import shares
from tests.fuzz.runner import Outcome, Tally, Verdict, judged, run
from tests.fuzz.target import ROOT, Files, Target
from tests.fuzz.targets import TARGETS

NEVER_RIGHT = ("face detectors",)  # a right one has megabytes, and is not in the repository


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_are_the_same_for_the_same_seed_and_number(name: str) -> None:
    target = TARGETS[name]
    assert target.files(3, 5) == target.files(3, 5)
    assert any(target.files(3, 5) != target.files(seed, 5) for seed in (4, 5, 6))


@pytest.mark.parametrize("name", TARGETS)
def test_some_inputs_of_every_reader_are_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "cache"))
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        verdict, what, where = judged(TARGETS[name], TARGETS[name].files(100, number), folder)
        assert verdict in ("accepted", "refused"), (number, what, where)


def nothing(rng: Random) -> Files:
    return {"a.txt": b""}


def refuse(folder: Path) -> None:
    raise UserError(f"{folder / 'a.txt'}: is empty; write a list there")


def refuse_namelessly(folder: Path) -> None:
    raise UserError("something is wrong")


def break_down(folder: Path) -> None:
    raise KeyError("model")


def wait_for_ever(folder: Path) -> None:
    time.sleep(3600)


def turn_for_ever(folder: Path) -> None:
    while True:
        pass


def take_memory(folder: Path) -> None:
    np.ones(800 << 20, np.uint8)  # more than pages of files that the system may take back meanwhile


def take_all_memory(folder: Path) -> None:
    np.ones(1 << 50, np.uint8)


def crash(folder: Path) -> None:
    os.abort()


@pytest.mark.parametrize(
    ("read", "verdict"),
    [
        (lambda folder: None, "accepted"),
        (refuse, "refused"),
        (refuse_namelessly, "UNCLEAR"),
        (break_down, "TRACEBACK"),
        (wait_for_ever, "HANG"),
        (turn_for_ever, "HANG"),
        (take_all_memory, "MEMORY"),
        (crash, "CRASH"),
    ],
)
def test_every_end_of_a_reader_has_its_verdict(read: object, verdict: Verdict) -> None:
    target = Target("toy", nothing, read)  # type: ignore[arg-type]
    # A busy machine may take long over anything but what takes for ever.
    found = list(run(target, 0, range(2), seconds=0.1 if verdict == "HANG" else 60))
    assert [(one.number, one.verdict) for one in found] == [(0, verdict), (1, verdict)]
    assert all(one.is_fault == (verdict not in ("accepted", "refused")) for one in found)


def test_memory_that_was_taken_is_seen_after_it_was_given_back() -> None:
    (usual,) = run(Target("toy", nothing, lambda folder: None), 0, range(1), seconds=60)
    limit = usual.memory + (50 << 20)
    (found,) = run(Target("toy", nothing, take_memory), 0, range(1), seconds=60, memory=limit)
    assert found.verdict == "MEMORY" and found.memory > limit


def test_inputs_go_on_after_one_that_ended_its_process(tmp_path: Path) -> None:
    def read(folder: Path) -> None:
        if (folder / "a.txt").read_bytes() == b"1":
            os.abort()

    numbers = iter(range(10))
    target = Target("toy", lambda rng: {"a.txt": str(next(numbers)).encode()}, read)
    found = [one.verdict for one in run(target, 0, range(3))]
    # The numbers are drawn anew in the second process, whose first input is the third.
    assert found == ["accepted", "CRASH", "accepted"]


def test_a_broken_target_is_no_verdict() -> None:
    def make(rng: Random) -> Files:
        raise ZeroDivisionError

    with pytest.raises(RuntimeError, match=r"^toy: [\s\S]*ZeroDivisionError"):
        list(run(Target("toy", make, refuse), 0, range(1)))


def test_faults_are_told_by_their_kind_once() -> None:
    tally = Tally("toy")
    for number in range(3):
        tally.add(Outcome("toy", number, "TRACEBACK", "KeyError: 'a'", "base/x.py:3"))
    tally.add(Outcome("toy", 3, "refused", "no"))
    assert tally.verdicts == {"TRACEBACK": 3, "refused": 1}
    assert [found[0].number for found in tally.faults.values()] == [0]


def test_inputs_are_shared_out_by_weight() -> None:
    counts = shares(list(TARGETS), 5000)
    assert abs(sum(counts.values()) - 5000) < len(TARGETS) and min(counts.values()) > 0
    assert counts["images"] > counts["torch.export"]


@pytest.mark.slow
def test_five_thousand_damaged_files_end_in_no_traceback() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "5000", "--seed", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line[:22].strip() in TARGETS]
    accepted = {line[:22].strip(): line[22:32].strip() for line in rows}
    assert {name for name, count in accepted.items() if count == "–"} <= set(NEVER_RIGHT)
