"""Reads inputs in child processes, and says of each what came of it.

A child may take 2 GiB and ten seconds an input. What kills it (a hang, a crash in a library) is the
verdict of one input; the next child goes on after it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from facebench.base.errors import UserError
from tests.fuzz.target import Files, Target, write

ACCEPTED, REFUSED = "accepted", "refused"
Verdict = Literal["accepted", "refused", "UNCLEAR", "TRACEBACK", "HANG", "MEMORY", "CRASH"]
VERDICTS: tuple[Verdict, ...] = (
    *("accepted", "refused", "UNCLEAR", "TRACEBACK", "HANG", "MEMORY", "CRASH"),
)
MEMORY = 2 << 30
SECONDS = 10.0
_ROOM = 4 << 30  # of addresses: a child may pass the limit, which is seen, but not take the machine
_PER_CHILD = 200  # so that what libraries keep of damaged files does not add up


@dataclass(frozen=True)
class Outcome:
    """What came of one input: the verdict and, where it is a fault, what was raised and where."""

    target: str
    number: int
    verdict: Verdict
    what: str = ""
    where: str = ""
    memory: int = 0
    seconds: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether the reader is to be mended."""
        return self.verdict not in (ACCEPTED, REFUSED)


@dataclass
class Tally:
    """All outcomes of a target, counted; faults: the first of each kind, and how many there are."""

    target: str
    verdicts: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, str, str], list[Outcome]] = field(default_factory=dict)
    memory: int = 0
    slowest: float = 0.0
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.verdicts[outcome.verdict] += 1
        self.memory = max(self.memory, outcome.memory)
        self.slowest = max(self.slowest, outcome.seconds)
        if outcome.is_fault:
            kind = (outcome.verdict, outcome.what[:60], outcome.where)
            self.faults.setdefault(kind, []).append(outcome)


def judged(target: Target, files: Files, folder: Path) -> tuple[Verdict, str, str]:
    """The verdict on one input, read in a folder of its own; what was raised, and where."""
    write(files, folder)
    try:
        target.read(folder)
    except UserError as error:
        return _of_line(str(error), files, folder)
    except MemoryError as error:
        return "MEMORY", "MemoryError", _place(error)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return "TRACEBACK", told[:120], _place(error)
    return ACCEPTED, "", ""


def _of_line(line: str, files: Files, folder: Path) -> tuple[Verdict, str, str]:
    """A refusal must be readable, and say which file it is of."""
    names = {str(folder), *files, *(Path(name).stem for name in files)}
    if not any(name in line for name in names):
        return "UNCLEAR", f"names no file: {line[:150]}", ""
    return REFUSED, line[:200], ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/facebench/" in frame.filename] or frames
    last = own[-1]
    return f"{last.filename.rpartition('/facebench/')[2]}:{last.lineno}"


def run(
    target: Target, seed: int, numbers: range, seconds: float = SECONDS, memory: int = MEMORY
) -> Iterator[Outcome]:
    """The outcomes of some inputs of a target, in their order."""
    begin = numbers.start
    while begin < numbers.stop:
        part = range(begin, min(begin + _PER_CHILD, numbers.stop))
        for outcome in _run_child(target, seed, part, seconds, memory):
            begin = outcome.number + 1
            yield outcome


def _run_child(
    target: Target, seed: int, numbers: range, seconds: float, memory: int
) -> Iterator[Outcome]:
    """Outcomes of one child: until its end, or its first input that killed it."""
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            _child(target, seed, numbers, memory, work, writer)
        except BaseException:
            os.write(writer, json.dumps({"broken": traceback.format_exc()}).encode() + b"\n")
        os._exit(1)
    os.close(writer)
    begun, expected = None, numbers.start
    try:
        lines = _Lines(reader)
        while True:
            left = None if begun is None else _left(child, begun, seconds)
            told = lines.next(left)
            if told is None:  # too long
                os.kill(child, signal.SIGKILL)
                yield Outcome(target.name, expected, "HANG", f"above {seconds:g} s")
                return
            if told == "":
                break
            values = json.loads(told)
            if "broken" in values:
                raise RuntimeError(f"{target.name}: {values['broken']}")
            if "begun" in values:
                begun = _cpu(child), time.monotonic()
                continue
            begun, expected = None, values["number"] + 1
            yield Outcome(target.name, **values)
        _, status = os.waitpid(child, 0)
        child = 0
        if expected < numbers.stop:
            yield Outcome(target.name, expected, "CRASH", f"status {status}")
    finally:
        os.close(reader)
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        shutil.rmtree(work, ignore_errors=True)


def _left(child: int, begun: tuple[float, float], seconds: float) -> float:
    """Seconds that an input may still take: of the processor, as others may use it, too; one that
    waits for what never comes takes none, and is given six times as many of the clock.
    """
    used, waited = _cpu(child) - begun[0], time.monotonic() - begun[1]
    return min(seconds - used, 6 * seconds - waited)


def _cpu(child: int) -> float:
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Lines:
    """Lines from a pipe, with a limit of time."""

    def __init__(self, handle: int) -> None:
        self.handle, self.held = handle, b""

    def next(self, seconds: float | None) -> str | None:
        """The next line; empty at the end, None: it did not come in time."""
        while b"\n" not in self.held:
            if seconds is not None and seconds <= 0:
                return None
            if not select.select([self.handle], [], [], seconds)[0]:
                return None
            data = os.read(self.handle, 1 << 16)
            if not data:
                return ""
            self.held += data
        line, _, self.held = self.held.partition(b"\n")
        return line.decode()


def _child(target: Target, seed: int, numbers: range, memory: int, work: Path, writer: int) -> None:
    os.setpgid(0, 0)
    addresses = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (addresses + _ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nothing, handle)
    warnings.simplefilter("ignore")
    os.environ["FACEBENCH_CACHE"] = str(work / "cache")
    os.environ["FACEBENCH_DATA"] = str(work / "data")
    for number in numbers:
        files = target.files(seed, number)
        folder = work / "input"
        folder.mkdir()
        os.chdir(folder)
        os.write(writer, b'{"begun": true}\n')
        start = time.process_time()
        verdict, what, where = judged(target, files, folder)
        seconds = time.process_time() - start
        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        if taken > memory and verdict in (ACCEPTED, REFUSED):
            verdict, what = "MEMORY", f"{taken >> 20} MiB"
        told = {
            "number": number,
            "verdict": verdict,
            "what": "" if verdict == ACCEPTED else what,
            "where": where,
            "memory": taken,
            "seconds": round(seconds, 3),
        }
        os.write(writer, json.dumps(told).encode() + b"\n")
        os.chdir(work)
        shutil.rmtree(folder)
    os._exit(0)
