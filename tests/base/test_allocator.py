"""The allocator setting, in a process of its own since it cannot be taken back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import re, sys
from facebench.base.threads import keep_freed_memory
import numpy as np
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
took = keep_freed_memory() if sys.argv[1] == "yes" else None
block = np.ones(64 << 20, np.uint8)
del block
print(took, resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_stays_with_the_process() -> None:
    kept, returned = (_run(choice) for choice in ("yes", "no"))
    assert kept[0] == "True" and returned[0] == "None"
    assert int(kept[1]) - int(returned[1]) > 60 << 10


def _run(choice: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, choice]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
