"""Who is using a folder or a file: advisory locks, held by the process and gone with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none: nobody is ever known to be alone
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A lock on an open file. Where the file system has no locks, nobody is alone, none waits."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle if fcntl is not None else None

    def alone(self) -> bool:
        """True, and the lock is ours alone, if no other process holds it."""
        if self._handle is None:
            return False
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def share(self) -> None:
        """Hold the lock together with other users of the file."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_SH)


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
