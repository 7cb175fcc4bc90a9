"""Who is using a folder: advisory locks on it, held by the process and gone with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none: nobody is ever known to be alone
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """A lock on one folder. Where the file system has no locks, nobody is alone and none waits."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

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
        """Hold the lock together with other users of the folder."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_SH)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[FolderLock]:
    """A lock on an existing folder, released on the way out."""
    handle: int | None = None
    if fcntl is not None:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
    try:
        yield FolderLock(handle)
    finally:
        if handle is not None:
            os.close(handle)
