"""``facebench store``."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.embedding.store import EmbeddingStore, Shard

Run = Callable[..., "Result"]  # noqa: F821


def stored(folder: Path) -> Path:
    """One entry of the store as an extraction leaves it."""
    entry = EmbeddingStore(folder).entry({"source": "lfw-0123", "faces": 3}, "mine")
    with entry.in_use():
        entry.write(0, Shard(np.ones((3, 4), np.float32), np.ones(3, np.bool_)))
    return entry.folder


def test_list_and_clear(run: Run) -> None:
    folder = Path(os.environ["FACEBENCH_CACHE"]) / "embeddings"
    empty = run("store", "list")
    assert empty.code == 0 and empty.out == f"0.0 MB in {folder}\n"
    entry = stored(folder)
    listed = run("store", "list")
    assert "mine" in listed.out and "lfw-0123" in listed.out and str(folder) in listed.out
    assert entry.is_dir()
    cleared = run("store", "clear", "--yes")
    assert cleared.code == 0 and "MB removed" in cleared.out and not entry.exists()


def test_clear_asks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = stored(Path(os.environ["FACEBENCH_CACHE"]) / "embeddings")
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody answers
    ended = run("store", "clear")
    assert ended.code == 130 and "facebench: stopped" in ended.err
    assert entry.is_dir()
