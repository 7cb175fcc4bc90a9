"""Ctrl-C: one line and exit code 130, at whatever moment it comes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

from facebench.processes import interrupted_at_once

INTERRUPTED = 130
_LINE = "facebench: stopped; the same command continues where it was"


def importing() -> contextlib.AbstractContextManager[None]:
    """Around imports that take seconds: Ctrl-C ends the process with its one line."""
    return interrupted_at_once(_leave)


def say_stopped() -> None:
    """The line, on standard error."""
    print(_LINE, file=sys.stderr)


def finish_undisturbed() -> None:
    """From here on Ctrl-C changes nothing: the work is done, and Python takes itself apart."""
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave() -> NoReturn:
    """End without the unwinding that half-imported extension modules do not survive."""
    os.write(2, f"{_LINE}\n".encode())
    os._exit(INTERRUPTED)
