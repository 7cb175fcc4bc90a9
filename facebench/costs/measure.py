"""Interleaved rounds: every model is timed once in each, so that a slow minute slows all alike."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

import torch

from facebench.faces.synthetic.pool import usable_cores
from facebench.records.costs import MachineFacts, Spread

SHARE_OF_LATENCY = 0.4  # of a model's time in a round; the rest is of the large batch
LEAST, MOST = 3, 2000  # passes of one face in a round


class Timed(Protocol):
    """What can be timed: seconds of each of some passes at a batch."""

    def seconds(self, batch: int, passes: int) -> list[float]:
        """Seconds of each pass."""


@dataclass(frozen=True)
class Rounds:
    """Seconds per pass, one number per round: the median of the round's passes."""

    latency: tuple[float, ...]
    batch: tuple[float, ...]


def measure_rounds(
    models: Sequence[Timed],
    estimates: Sequence[Mapping[int, float]],
    *,
    batch: int,
    rounds: int,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[Rounds]:
    """Time models in turn, A B C A B C …, at batch 1 and ``batch``.

    estimates: seconds per pass by batch, of each model; seconds: of each model, over all rounds,
    more only where that is not enough for one pass at ``batch`` and three of one face per round;
    advance: called after every model of every round.
    """
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in models]
    slot = seconds / rounds
    for _ in range(rounds):
        for model, expected, (single, many) in zip(models, estimates, found, strict=True):
            passes = passes_within(SHARE_OF_LATENCY * slot, expected[1], LEAST)
            single.append(median(model.seconds(1, passes)))
            if batch != 1:
                passes = passes_within((1 - SHARE_OF_LATENCY) * slot, expected[batch], 1)
                many.append(median(model.seconds(batch, passes)))
            advance()
    return [Rounds(tuple(single), tuple(many or single)) for single, many in found]


def passes_within(seconds: float, each: float, least: int) -> int:
    """How many passes of so many seconds fit, ``least`` at least."""
    return max(least, min(MOST, int(seconds / max(each, 1e-9))))


def spread_of(values: Sequence[float]) -> Spread:
    """Median, lowest and highest of the rounds."""
    return Spread(median=median(values), low=min(values), high=max(values), rounds=tuple(values))


def throughput_of(rounds: Rounds, batch: int) -> Spread:
    """Faces per second at a batch."""
    return spread_of([batch / seconds for seconds in rounds.batch])


def ratio_of(ours: Spread, baseline: Spread) -> Spread:
    """One quantity over the baseline's, of the same rounds each."""
    return spread_of([a / b for a, b in zip(ours.rounds, baseline.rounds, strict=True)])


def describe_machine() -> MachineFacts:
    """CPU, cores, system and libraries, and how busy the machine is now."""
    return MachineFacts(
        cpu=_cpu(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        cores=usable_cores(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        torch=str(torch.__version__),
        load=_load(),
    )


def busy(machine: MachineFacts) -> bool:
    """Whether other work took a quarter of the cores or more when the measurement began."""
    return machine.load is not None and machine.load >= machine.cores / 4


def resident_memory() -> int | None:
    """Resident bytes of this process now; None where the system does not tell."""
    return _status("VmRSS")


def peak_memory() -> int | None:
    """Most resident bytes of this process so far; None where the system does not tell."""
    if (peak := _status("VmHWM")) is not None:
        return peak
    # Elsewhere: on Linux this would count what the parent held when it started the process.
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _status(field: str) -> int | None:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown"
