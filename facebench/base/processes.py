"""The one maker of processes: how they start, that Ctrl-C passes them by, and that none stays.

A process that was started here ends when the one that it works for does, however that ended: it
watches a pipe whose other end only that one holds, and on Linux that process itself.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import util
from multiprocessing.context import BaseContext
from pathlib import Path
from types import FrameType
from typing import IO

_FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
_LOG = logging.getLogger(__name__)
RERUN = (
    "does the script lack `if __name__ == '__main__':`? Each process runs the script again: put "
    "below that line what it does"
)


_NEEDED = "they need /dev/shm, and a TMPDIR whose path is short and can be written to"


class NoProcessError(Exception):
    """Processes cannot be started here; the text says why."""


def worker_context(preload: Sequence[str] = ()) -> BaseContext:
    """What processes are made from, ready: the fork server where there is one.

    A forked copy of a process that holds threads (torch, OpenCV) may hang: these are clean ones.
    preload: modules that are imported once, for all of them. NoProcessError: a daemonic process
    may start none, and they need shared memory and a socket in the temporary folder.
    """
    if multiprocessing.current_process().daemon:
        raise NoProcessError("a daemonic process, as those of a multiprocessing.Pool, starts none")
    if _main_is_gone():
        raise NoProcessError("the program came by standard input, where no process can read it too")
    with starting():
        context = multiprocessing.get_context("forkserver" if _FORKSERVER else "spawn")
        if _FORKSERVER:
            if preload:
                context.set_forkserver_preload(list(preload))
            start_fork_server()
        context.Lock()  # needs the shared memory that queues need
    return context


def _main_is_gone() -> bool:
    """Whether processes would look in vain for the file of the program, as that of ``python -``."""
    main = sys.modules["__main__"]
    path = None if main.__spec__ else getattr(main, "__file__", None)
    return path is not None and not Path(path).exists()


def leave_if_rerun() -> None:
    """End this process quietly if it is one of ours that runs the user's script a second time.

    A script that calls facebench outside ``if __name__ == "__main__":`` is run again by every
    process that multiprocessing starts for it; the process that it belongs to goes on without them.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Around the start of processes: what the system refuses is a NoProcessError."""
    try:
        yield
    except BrokenPipeError as error:  # most often by `leave_if_rerun`
        raise NoProcessError(f"one ended as it began; {RERUN}") from error
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error) or "the fork server has ended"
        raise NoProcessError(f"{why}; {_NEEDED}") from error


@functools.cache
def go_on_without(what: str, why: str) -> None:
    """Say, once, that something is done by this process alone; what: ``reading images``."""
    _LOG.warning("facebench: no process is %s (%s); going on without, which is slower", what, why)


def begin_worker() -> None:
    """First of all in a process made from `worker_context`: ignore Ctrl-C, end with the owner."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = multiprocessing.parent_process()
    if owner is not None:
        _end_with(owner.sentinel, owner.pid)


def start_module(module: str, env: Mapping[str, str], errors: IO[str]) -> subprocess.Popen[str]:
    """A Python module as a process that is spoken with by lines, in a session of its own.

    Ctrl-C reaches the process that started it, which ends it. errors: where its standard error
    goes. It must call `end_with_input`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=env,
        start_new_session=True,
    )


def end_with_input() -> None:
    """End this process when whoever holds the other end of its standard input has ended."""
    _end_with(0, None)


def _end_with(pipe: int, owner: int | None) -> None:
    """Watch a pipe for its hang-up and, where a child of the owner's might hold it open, too, the
    owner itself. Both by a thread: a signal at the death of the parent would be one at the death
    of the fork server, or of a thread.
    """
    if not hasattr(select, "poll"):  # Windows
        return
    watched = select.poll()
    watched.register(pipe, 0)  # the hang-up alone: there may be words to read
    if owner is not None and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # gone already: the pipe tells; or an old kernel
            watched.register(os.pidfd_open(owner), select.POLLIN)

    def end() -> None:
        watched.poll()
        if owner is not None:  # the socket of the fork server, which the owner would have removed
            shutil.rmtree(util.get_temp_dir(), ignore_errors=True)
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def start_fork_server() -> None:
    """Start the fork server, if it is not running, so that Ctrl-C reaches neither it nor its own.

    A terminal signals the whole process group, and while it imports torch the fork server would
    answer with a traceback. The tracker of shared memory outlives the closing of the terminal, so
    that it can remove what is left.
    """
    from multiprocessing import forkserver, resource_tracker

    with _blocked(signal.SIGHUP):
        resource_tracker.ensure_running()  # first: it unblocks SIGINT where it finds it blocked
    with _blocked(signal.SIGINT):
        forkserver.ensure_running()


@contextlib.contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Whatever this thread starts has a signal blocked, and so have the children of that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
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
