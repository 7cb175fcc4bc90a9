"""A command line in an empty folder, a small data set and a model without weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.cli.app import main

TINY = '''
"""A model for tests: the mean-free grey face, 14 x 12 blocks of it."""
import numpy as np
from facebench.models.embedders.base import Embedder, Preprocessing

def make():
    def embed(faces):
        n, h, w, _ = faces.shape
        small = faces.reshape(n, 14, h // 14, 12, w // 12, 3).mean(axis=(2, 4, 5), dtype=np.float32)
        flat = small.reshape(n, -1)
        return flat - flat.mean(axis=1, keepdims=True)
    return embed

class Pinned(Embedder):
    """Says what its embeddings depend on, so that they are kept."""
    id, weights_hash, preprocessing = "pinned", "ab" * 32, Preprocessing((112, 96))

    def forward(self, faces):
        return make()(faces)

def pinned():
    return Pinned()

def dark():
    return lambda faces: make()(255 - faces // 2)[:, :40]

def broken():
    return lambda faces: np.full((len(faces), 4), np.nan, dtype=np.float32)
'''
TINY_ARGUMENTS = ("--size", "112x96", "--workers", "0", "--draws", "20", "-p", "lfw")


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of a failure."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("facebench: ")
        assert self.out == ""
        return lines[0]


Run = Callable[..., Result]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the module ``tiny_model``."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tiny_model.py").write_text(TINY)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def run(work: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """run("eval", "-m", ...) -> Result."""

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Result(int(caught.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Twelve people of three images each in LFW's layout, 3 folds of 4 + 4 pairs."""
    folder = tmp_path / "faces"
    rng = np.random.default_rng(0)
    people = [f"Person_{letter}" for letter in "ABCDEFGHIJKL"]
    for name in people:
        base = cv2.resize(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8), (250, 250))
        (folder / "lfw" / name).mkdir(parents=True)
        for number in (1, 2, 3):
            noise = rng.normal(0, 25, base.shape)
            image = np.clip(base + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / "lfw" / name / f"{name}_{number:04d}.jpg"), image)
    lines = ["3\t4"]
    for fold in range(3):
        own = people[4 * fold : 4 * fold + 4]
        lines += [f"{name}\t1\t2" for name in own]
        lines += [f"{own[i]}\t1\t{own[(i + 1) % 4]}\t3" for i in range(4)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def written(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """Every file below the test's folder and in the cache, to see that nothing was written.

    Bytecode is no result.
    """

    def written() -> dict[str, bytes]:
        found = {}
        for root in (tmp_path, Path(os.environ["FACEBENCH_CACHE"])):
            for path in root.rglob("*"):
                bytecode = "__pycache__" in path.parts
                if path.is_file() and not bytecode:
                    found[str(path)] = path.read_bytes()
        return found

    return written
