"""Parts of a walk over all pairs, made by many hands and kept in the cache.

A part is known by all that its scores depend on: the rows that are multiplied, who the faces are
of, and how they are cut into blocks. So one of other embeddings is never taken for one of these.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import tensors_in
from facebench.base.storage import cache_folder, write_atomically
from facebench.similarity.base import Projection
from facebench.statistics.all_pairs.points import PairTail
from facebench.statistics.all_pairs.walk import ROWS, merged
from facebench.statistics.checks import read_only

_VERSION = 1
_NAME = re.compile(r"part-(\d{6})-of-(\d{6})\.safetensors")
_FOLDER = re.compile(r"[0-9a-f]{32}")
_LOG = logging.getLogger(__name__)
_BYTES = 1 << 24  # that are hashed at once
_ARRAYS = ("mated", "mated_subjects", "tail", "pairs")
WalkPart = Callable[[int, tuple[int, int]], PairTail]
"""(length of the tail, which part of how many) → what the walk keeps of it."""


def parts_folder() -> Path:
    """Where parts are kept."""
    return cache_folder() / "pairs"


@dataclass(frozen=True, eq=False)
class PairParts:
    """The parts of one walk. people: int64 N; acquired: bool N; folder: of their files."""

    people: NDArray[np.int64]
    acquired: NDArray[np.bool_]
    folder: Path

    @classmethod
    def of(
        cls, rows: Projection, people: NDArray[np.int64], acquired: NDArray[np.bool_]
    ) -> PairParts:
        """Those of faces as they are multiplied."""
        digest = hashlib.sha256(f"{_VERSION} {ROWS} {rows.rows.shape} {rows.rows.dtype}".encode())
        for array in (rows.rows, rows.bias, np.asarray(people, np.int64), acquired):
            step = max(1, _BYTES // max(1, array[:1].nbytes))
            for start in range(0, len(array), step):
                digest.update(np.ascontiguousarray(array[start : start + step]).data)
        return cls(people, acquired, parts_folder() / digest.hexdigest()[:32])

    def present(self, of: int) -> list[int]:
        """Which of ``of`` parts are there, from 0."""
        return sorted(number for number, total in self._found() if total == of)

    def write(self, part: tuple[int, int], found: PairTail) -> None:
        """Keep a part, complete or not at all. UserError: the disk refuses."""
        arrays = {name: np.asarray(getattr(found, name)) for name in _ARRAYS}
        arrays["complete"] = np.array([found.complete])
        arrays["sha256"] = _checksum(part, arrays)
        try:
            write_atomically(self._path(part), safetensors.numpy.save(arrays))
        except OSError as error:
            raise UserError(
                f"the part of the pairs {self._path(part)} cannot be kept: "
                f"{error.strerror or error}; make room there, or set FACEBENCH_CACHE to another "
                "folder"
            ) from error

    def has(self, part: tuple[int, int], length: int) -> bool:
        """Whether a part is there, intact, with a tail of this length."""
        found = self._read(part)
        return found is not None and _long_enough(found, length)

    def whole(self, walk: WalkPart, length: int) -> PairTail | None:
        """All pairs with a tail of this length, from the parts that are there and those that are
        walked now; None: no part is there, or theirs are too short.
        """
        counts = Counter(of for _, of in self._found())
        if not counts:
            return None
        of = max(counts, key=lambda of: (counts[of] / of, -of))
        parts = []
        for number in range(of):
            part = self._read((number, of))
            if part is not None and not _long_enough(part, length):
                return None
            parts.append(walk(length, (number, of)) if part is None else part)
        return merged(parts, self.people, length)

    def _found(self) -> list[tuple[int, int]]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        matches = filter(None, map(_NAME.fullmatch, names))
        return [(int(match[1]) - 1, int(match[2])) for match in matches]

    def _path(self, part: tuple[int, int]) -> Path:
        return self.folder / f"part-{part[0] + 1:06d}-of-{part[1]:06d}.safetensors"

    def _read(self, part: tuple[int, int]) -> PairTail | None:
        """None where it is absent or not intact."""
        found = _intact(self._path(part), part)
        if found is None:
            return None
        arrays = {name: read_only(found[name]) for name in _ARRAYS}
        complete = bool(found["complete"][0])
        _, person, counts = np.unique(self.people, return_inverse=True, return_counts=True)
        first, second = np.divmod(arrays["pairs"], person.size)
        n, there = person.size, int(np.count_nonzero(self.acquired))
        whole, n_mated = n * (n - 1) // 2, int((counts * (counts - 1) // 2).sum())
        return PairTail(
            **arrays,
            first=read_only(person[first]),
            second=read_only(person[second]),
            complete=complete,
            n_mated=n_mated,
            n_nonmated=whole - n_mated,
            faces=read_only(counts),
            failed=whole - there * (there - 1) // 2,
        )


def _long_enough(part: PairTail, length: int) -> bool:
    return part.complete or part.tail.size >= length


def _intact(path: Path, part: tuple[int, int]) -> dict[str, NDArray[Any]] | None:
    try:
        found = tensors_in(path.read_bytes())
        checksum = found.pop("sha256")
        return found if np.array_equal(checksum, _checksum(part, found)) else None
    except (OSError, ValueError, KeyError):
        return None


def parts_in(cache: Path) -> bool:
    """Whether a cache holds any."""
    return any((cache / "pairs").glob("*/part-*"))


def take_parts(cache: Path) -> int:
    """Take over the parts in another cache that this one lacks, each checked; how many."""
    taken = 0
    for path in sorted((cache / "pairs").glob("*/part-*")):
        match = _NAME.fullmatch(path.name)
        own = parts_folder() / path.parent.name / path.name
        if match is None or not _FOLDER.fullmatch(path.parent.name) or own.exists():
            continue
        if _intact(path, (int(match[1]) - 1, int(match[2]))) is None:
            _LOG.warning("%s is damaged and was not taken", path)
            continue
        write_atomically(own, path.read_bytes())
        taken += 1
    return taken


def _checksum(part: tuple[int, int], arrays: dict[str, NDArray[np.generic]]) -> NDArray[np.uint8]:
    digest = hashlib.sha256(f"{_VERSION} {part}".encode())
    for name in (*_ARRAYS, "complete"):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def parts_size() -> int:
    """How many bytes all parts take."""
    return sum(path.stat().st_size for path in _all_parts())


def clear_parts() -> int:
    """Remove all parts, and nothing else; how many bytes they took. UserError: one stays."""
    freed = 0
    for path in _all_parts():
        size = path.stat().st_size
        try:
            path.unlink()
        except OSError as error:
            raise UserError(f"{path} could not be removed: {error.strerror or error}") from error
        freed += size
        with contextlib.suppress(OSError):  # it holds others
            path.parent.rmdir()
    return freed


def _all_parts() -> list[Path]:
    return [
        path
        for path in parts_folder().glob("*/part-*")
        if _FOLDER.fullmatch(path.parent.name) and _NAME.fullmatch(path.name)
    ]
