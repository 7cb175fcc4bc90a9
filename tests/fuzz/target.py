"""What is fuzzed: a reader of files from outside, and right files that are made wrong for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

Files = dict[str, bytes]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """One kind of file, or files, that a user may hand over.

    make: the files of an input, by their names, drawn from a generator; read: reads those in a
    folder as facebench does, and uses what was read; weight: share of all inputs.
    """

    name: str
    make: Callable[[Random], Files]
    read: Callable[[Path], object]
    weight: float = 1.0

    def files(self, seed: int, number: int) -> Files:
        """One input: the same for the same target, seed and number, on any machine."""
        return self.make(Random(f"{self.name}/{seed}/{number}"))


def write(files: Files, folder: Path) -> None:
    """Lay an input out in a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@cache
def shipped(pattern: str, most: int = 1000) -> tuple[bytes, ...]:
    """Files of the repository that a pattern names, sorted."""
    found = sorted(ROOT.glob(pattern))
    assert found, pattern
    return tuple(path.read_bytes() for path in found[:most])
