"""Rows of embeddings that lie in files, of which only those that are asked for are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import ARRAY, plain_file, reading

_BEGINNINGS = (b"\x93NUMPY", b"PK")  # .npy and .npz; NumPy takes all else for a pickle
_BLOCK = 1 << 15  # rows
_INTEGERS = np.dtype(np.int8)


@dataclass(frozen=True, eq=False)
class MappedRows:
    """Rows of several arrays, one after the other; by their numbers, int64 n, float32 n×D.

    arrays: of one width, memory-mapped.
    """

    arrays: tuple[NDArray[Any], ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return int(self._starts[-1]), int(self.arrays[0].shape[1])

    @property
    def whole(self) -> bool:
        """Whether any of the numbers are int8, whose rows have any scale."""
        return any(array.dtype == _INTEGERS for array in self.arrays)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *map(len, self.arrays)], dtype=np.int64)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        of = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(of).tolist():
            mine = of == number
            chosen = rows[mine] - self._starts[number]
            first, last = int(chosen.min()), int(chosen.max()) + 1
            array = self.arrays[number]
            if last - first == len(chosen) and (np.diff(chosen) == 1).all():
                part = array[first:last]  # a piece of the file, without a copy
            else:
                part = array[chosen]
            with np.errstate(over="ignore"):  # infinite rows were refused
                found[mine] = part
        return found

    def first_broken(self) -> tuple[int, int] | None:
        """(how many rows have NaN or infinity as float32, the first), None: none has."""
        count, first = 0, -1
        for start, block in self._blocks():
            broken = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if broken.size and first < 0:
                first = start + int(broken[0])
            count += broken.size
        return (count, first) if count else None

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for offset, array in zip(self._starts.tolist(), self.arrays, strict=False):
            for start in range(0, len(array) if array.dtype != _INTEGERS else 0, _BLOCK):
                with np.errstate(over="ignore"):
                    part = array[start : start + _BLOCK].astype(np.float32)
                yield offset + start, part


def mapped(files: Sequence[Path]) -> MappedRows:
    """The rows of ``.npy`` files. UserError: none, of another width, or not floats or int8."""
    arrays = [_array(path) for path in files]
    widths = [array.shape[1] for array in arrays]
    for path, width in zip(files, widths, strict=True):
        if width != widths[0]:
            raise UserError(
                f"{path} has rows of {width} numbers and {files[0]} of {widths[0]}; they must be "
                "of one model"
            )
    return MappedRows(tuple(arrays))


def _array(npy: Path) -> NDArray[Any]:
    to_do = "save it with numpy.save, as floats"
    with reading(npy, "cannot be read as an .npy array", to_do), plain_file(npy, ARRAY) as file:
        beginning = file.read(len(_BEGINNINGS[0]))
        if not beginning.startswith(_BEGINNINGS):
            raise ValueError("it does not begin as one")
        array = np.load(npy, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise UserError(f"{npy} is an .npz archive; save the one array with numpy.save")
    known = array.dtype.kind == "f" or array.dtype == _INTEGERS
    if array.ndim != 2 or not known or not array.size:
        raise UserError(
            f"{npy} holds {array.dtype} of shape {array.shape}; it must hold floats or int8, one "
            "row per face, one column per dimension"
        )
    return np.asanyarray(array)


def written(blocks: Iterable[NDArray[np.float32]], rows: int, width: int) -> MappedRows:
    """Blocks of rows in a temporary file, which is gone with its last reader."""
    with TemporaryFile() as file:
        room: NDArray[np.float32] = np.memmap(file, np.float32, "w+", shape=(rows, width))
    start = 0
    for block in blocks:
        room[start : start + len(block)] = block
        start += len(block)
    return MappedRows((room,))
