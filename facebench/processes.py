"""The fork server, whose processes read and render images, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


def start_fork_server() -> None:
    """Start the fork server, if it is not running, so that Ctrl-C reaches neither it nor its own.

    A terminal signals the whole process group, and while it imports torch the fork server would
    answer with a traceback. Its processes end with the one that they work for.
    """
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # first: it unblocks what it finds blocked
    with _blocked_interrupts():
        forkserver.ensure_running()


@contextlib.contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Whatever this thread starts has SIGINT blocked, and so have the children of that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def interrupted_at_once(leave: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C calls ``leave``, which ends the process, instead of raising KeyboardInterrupt.

    For imports: extension modules turn that exception into others, or swallow it.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # another thread, or whoever started this process decided otherwise (nohup)
        return

    def handle(number: int, frame: FrameType | None) -> None:
        leave()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
