"""The machine that costs are measured on, and the memory of a process."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

import torch

from facebench.costs.record import Machine
from facebench.faces.synthetic.pool import usable_cores


def describe_machine() -> Machine:
    """CPU, cores, system and libraries, and how busy the machine is now."""
    return Machine(
        cpu=_cpu(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        cores=usable_cores(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        torch=str(torch.__version__),
        load=_load(),
    )


def busy(machine: Machine) -> bool:
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
