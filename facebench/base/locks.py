"""Who is using a folder or a file: advisory locks, held by the process and gone with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none: nobody is ever known to be alone
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A lock on an open file. Where the file system has no locks, nobody is alone, none waits."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle if fcntl is not None else None

    @property
    def known(self) -> bool:
        """Whether the file system has locks."""
        return self._handle is not None

    def alone(self) -> bool:
        """True, and the lock is ours alone, if no other process holds it."""
        if self._handle is None:
            return False
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def wait(self) -> None:
        """Hold the lock alone, once nobody else does."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_EX)

    def share(self) -> None:
        """Hold the lock together with other users of the file."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_SH)


@contextlib.contextmanager
def only_one(folder: Path, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Be the only process at work in an existing folder; waits for another one, saying so."""
    with path_lock(folder.resolve()) as lock:
        if not lock.alone():
            if tell is not None and lock.known:
                tell(f"another facebench is at work in {folder}: waiting for it")
            lock.wait()
        yield


@contextlib.contextmanager
def path_lock(path: Path) -> Iterator[Lock]:
    """A lock on an existing folder or file, released on the way out; links are not followed."""
    handle = _opened(path) if fcntl is not None else None
    try:
        yield Lock(handle)
    finally:
        if handle is not None:
            os.close(handle)


def _opened(path: Path) -> int | None:
    """A handle to lock; for writing where that is possible, since NFS asks for it."""
    for access in (os.O_RDWR, os.O_RDONLY):
        with contextlib.suppress(OSError):
            return os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return None
