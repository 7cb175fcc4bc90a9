"""Large arrays on disk, written row after row: complete under their name, or continued."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from facebench.base.errors import UserError
from facebench.base.locks import only_one
from facebench.base.opening import reading

_FULL = (errno.ENOSPC, errno.EDQUOT)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Rows:
    """What an array holds. count: of rows; shape: of one; block: rows that are made together, and
    between which making them can go on later.
    """

    count: int
    shape: tuple[int, ...]
    dtype: DTypeLike
    block: int

    @property
    def header(self) -> bytes:
        """The head of the .npy file."""
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head,
            {
                "descr": np.lib.format.dtype_to_descr(np.dtype(self.dtype)),
                "fortran_order": False,
                "shape": (self.count, *self.shape),
            },
        )
        return head.getvalue()

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        """Bytes of the file."""
        return len(self.header) + self.count * self.row_bytes


def kept_rows(
    path: Path,
    rows: Rows,
    make: Callable[[int], Iterable[NDArray[Any]]],
    tell: Tell | None = None,
) -> NDArray[Any]:
    """The array of a file, memory-mapped for reading; made where it is not there yet.

    make: number of a row, a multiple of ``rows.block`` → that block of rows and all after it. Rows
    are appended to a file aside, so that a run that was stopped is continued where it was, and one
    process makes what several want. UserError where there is no room for it; a file that is mapped
    while it is written would end the process instead.
    """
    if not _is_whole(path, rows):
        path.parent.mkdir(parents=True, exist_ok=True)
        with only_one(path.parent, tell):
            if not _is_whole(path, rows):
                _complete(path, rows, make)
    with reading(path, "kept rows cannot be read", "remove it, and it is made again"):
        array: NDArray[Any] = np.load(path, mmap_mode="r")
    return array


def _is_whole(path: Path, rows: Rows) -> bool:
    """Whether a file has the head and length of the array, as far as a glance tells."""
    try:
        with path.open("rb") as file:
            return file.read(len(rows.header)) == rows.header and (
                os.fstat(file.fileno()).st_size == rows.bytes
            )
    except FileNotFoundError:
        return False


def _complete(path: Path, rows: Rows, make: Callable[[int], Iterable[NDArray[Any]]]) -> None:
    part = path.with_name(f".{path.name}.part")
    header = rows.header
    _require_room(path, rows, part.stat().st_size if part.exists() else 0)
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            done = _continued(handle, header, rows)
            if not done:
                _append(handle, header)
            for block in make(done) if done < rows.count else ():
                _append(handle, np.ascontiguousarray(block, rows.dtype).tobytes())
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(part, path)
    except OSError as error:
        if error.errno in _FULL:
            raise _no_room(path, rows) from None
        raise OSError(error.errno, error.strerror, str(error.filename or path)) from error


def _continued(handle: int, header: bytes, rows: Rows) -> int:
    """Rows of an earlier run that count, a whole number of blocks; the file ends after them."""
    size = os.fstat(handle).st_size
    done = 0
    if size >= len(header) and os.pread(handle, len(header), 0) == header:
        done = min((size - len(header)) // rows.row_bytes, rows.count)
        if done < rows.count:
            done -= done % rows.block
    os.ftruncate(handle, len(header) + done * rows.row_bytes if done else 0)
    os.lseek(handle, 0, os.SEEK_END)
    return int(done)


def _append(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _require_room(path: Path, rows: Rows, there: int) -> None:
    disk = os.statvfs(path.parent)
    # Some file systems say that they have no blocks at all.
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < rows.bytes - there:
        raise _no_room(path, rows)


def _no_room(path: Path, rows: Rows) -> UserError:
    disk = os.statvfs(path.parent)
    free = f"{disk.f_bavail * disk.f_frsize / 1e6:,.1f} MB are free"
    if disk.f_files and not disk.f_favail:
        free = "it takes no more files"
    return UserError(
        f"no room on the disk for {path}, which has {rows.bytes / 1e6:,.1f} MB; {free}: make room, "
        "or give another --work"
    )
