"""Ctrl-C, and signals that end a process, wait until a training has written down where it is."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_WAITING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Stop:
    """Whether the process was asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def stopping() -> Iterator[Stop]:
    """Signals are noted in the block, which is to end soon, and take effect on the way out of it.

    The same signal again takes effect at once. What this process ignores, as ``nohup`` has it, it
    goes on to ignore; in another thread than the main one signals are not for us.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        signal.signal(number, before[number])

    for name in _WAITING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.getsignal(number)
            signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if stop.signal is not None:
            os.kill(os.getpid(), stop.signal)
