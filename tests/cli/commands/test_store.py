"""``facebench store``."""

from __future__ import annotations

import errno
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


def test_clear_removes_only_what_facebench_made(run: Run) -> None:
    folder = Path(os.environ["FACEBENCH_CACHE"]) / "embeddings"
    entry = stored(folder)
    own, guest, linked = folder / "my_own_work", folder / ("a" * 32), folder / ("b" * 32)
    for place in (own, guest, folder.parent / "elsewhere"):
        place.mkdir()
        (place / "thesis.txt").write_text("precious")
    (entry / "notes.txt").write_text("precious, too")
    linked.symlink_to(folder.parent / "elsewhere")
    assert "my_own_work" not in run("store", "list").out
    ended = run("store", "clear", "--yes")
    assert ended.code == 0
    assert sorted(path.name for path in folder.rglob("*.txt")) == [
        "notes.txt",
        "thesis.txt",
        "thesis.txt",
    ]
    assert [path.name for path in entry.iterdir()] == ["notes.txt"]
    assert (linked / "thesis.txt").read_text() == "precious"
    for place in (own, guest, linked, entry):
        assert f"{place} stays: it holds files that facebench did not make" in ended.out
    assert ended.out.startswith("0.0 MB removed from")


def test_clear_says_what_is_in_use(run: Run) -> None:
    folder = Path(os.environ["FACEBENCH_CACHE"]) / "embeddings"
    entry = EmbeddingStore(folder).entry({"source": "lfw-0123", "faces": 3}, "mine")
    with entry.in_use():
        ended = run("store", "clear", "--yes")
        assert "1 that an evaluation uses now stay" in ended.out and entry.folder.is_dir()
    run("store", "clear", "--yes")
    assert not entry.folder.exists()


def test_clear_says_what_could_not_be_removed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = stored(Path(os.environ["FACEBENCH_CACHE"]) / "embeddings")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    ended = run("store", "clear", "--yes")
    assert ended.code == 2 and ended.out.startswith("0.0 MB removed from")
    assert ended.err == f"facebench: {entry} could not be removed: Read-only file system\n"
