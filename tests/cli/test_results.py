"""A result that was computed is shown, whatever the disk refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "Result"]  # noqa: F821
_MODEL = ("eval", "-m", "tiny_model:pinned", "--no-store", "--workers", "0", "--draws", "20")
EVAL = (*_MODEL, "-p", "lfw")


def _said(text: str) -> list[str]:
    """Lines of the command, without its notes on the faces."""
    lines = [line for line in text.splitlines() if line.startswith("facebench: ")]
    return [line for line in lines if not line.startswith("facebench: note: ")]


def test_where_the_cache_cannot_be_written_no_record_is_kept_and_that_is_said(
    run: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "file" / "cache"))
    ended = run(*EVAL, "--data", faces, "-q")
    assert ended.code == 0 and "100.00" in ended.out
    said = _said(ended.err)
    assert len(said) == 1 and "the record is not kept; --out FOLDER keeps it" in said[0]


def test_a_named_folder_is_looked_at_before_the_work(run: Run, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ended = run(*EVAL, "--data", faces, "-q", "--out", tmp_path / "file" / "records")
    assert ended.code == 2 and "is not a folder" in ended.line


def test_what_no_file_could_take_goes_to_standard_output(
    run: Run, faces: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    ended = run(
        *EVAL, "--data", faces, "-q", "--out", "rec", "--format", "csv", "-o", "r.csv",
        "--plot", "r.svg",
    )  # fmt: skip
    assert ended.code == 2 and ",pinned," in ended.out
    said = _said(ended.err)
    assert len(said) == 1
    for words in ("the record of pinned on lfw", "r.csv was not written", "--plot r.svg"):
        assert words in said[0]
    assert "the result went to standard output" in said[0]
    assert not [path for path in work.rglob("*") if path.suffix in (".csv", ".svg", ".json")]
