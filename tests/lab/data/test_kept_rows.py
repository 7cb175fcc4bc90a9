"""Arrays on disk that are written row after row: continued, made once, and no room said."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.lab.data import kept_rows as module
from facebench.lab.data.kept_rows import Rows, kept_rows

ROWS = Rows(10, (3, 2), np.int16, 4)
WHOLE = np.arange(60, dtype=np.int16).reshape(10, 3, 2)


def blocks(begin: int, stop: int = 10, asked: list[int] | None = None) -> Iterator[np.ndarray]:
    for start in range(begin, 10, 4):
        if asked is not None:
            asked.append(start)
        if start >= stop:
            raise KeyboardInterrupt
        yield WHOLE[start : start + 4]


def test_it_is_a_plain_npy_file_that_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.npy"
    assert np.array_equal(kept_rows(path, ROWS, blocks), WHOLE)
    assert np.array_equal(np.load(path), WHOLE) and path.stat().st_size == ROWS.bytes
    assert os.listdir(path.parent) == ["x.npy"]
    assert np.array_equal(kept_rows(path, ROWS, lambda _: 1 / 0), WHOLE)


@pytest.mark.parametrize(
    "length, goes_on_at",
    [(None, [8]), (ROWS.bytes - 25, [4, 8]), (200, [4, 8]), (130, [0, 4, 8]), (7, [0, 4, 8])],
)
def test_it_goes_on_after_the_last_whole_block(
    tmp_path: Path, length: int | None, goes_on_at: list[int]
) -> None:
    """Whatever length a killed process left: in the middle of a block, of a row, of the head."""
    path, asked = tmp_path / "x.npy", []
    with pytest.raises(KeyboardInterrupt):
        kept_rows(path, ROWS, lambda begin: blocks(begin, 8))
    (part,) = tmp_path.iterdir()
    if length is not None:
        os.truncate(part, length)
    assert np.array_equal(kept_rows(path, ROWS, lambda begin: blocks(begin, 10, asked)), WHOLE)
    assert asked == goes_on_at and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [0, 100, ROWS.bytes - 1])
def test_a_file_that_was_cut_is_made_again(tmp_path: Path, length: int) -> None:
    kept_rows(tmp_path / "x.npy", ROWS, blocks)
    os.truncate(tmp_path / "x.npy", length)
    assert np.array_equal(kept_rows(tmp_path / "x.npy", ROWS, blocks), WHOLE)


def test_nothing_in_the_package_writes_through_a_map() -> None:
    """A full disk under such a write ends the process by SIGBUS, without a word."""
    written = re.compile(
        r"open_memmap|memmap\([^)]*mode=[\"'](?:r\+|w\+)|mmap_mode=[\"'](?:r\+|w\+)"
    )
    package = Path(module.__file__).parents[1]
    assert [p.name for p in package.rglob("*.py") if written.search(p.read_text("utf-8"))] == []


def test_another_layout_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        kept_rows(tmp_path / "x.npy", ROWS, lambda begin: blocks(begin, 8))
    other = Rows(10, (3, 2), np.float32, 4)
    assert np.array_equal(kept_rows(tmp_path / "x.npy", other, blocks), WHOLE)


def test_no_room_is_found_before_the_work(tmp_path: Path) -> None:
    huge = Rows(1 << 40, (128, 112, 3), np.uint8, 4)
    with pytest.raises(UserError, match=r"no room on the disk for .*x\.npy, which has [0-9,.]+ MB"):
        kept_rows(tmp_path / "x.npy", huge, lambda _: 1 / 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full_is_one_line_and_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path, real, calls = tmp_path / "x.npy", module._append, []

    def full(handle: int, data: bytes) -> None:
        calls.append(1)
        if len(calls) == 3:
            os.write(handle, data[:5])
            raise OSError(number, os.strerror(number))
        real(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_append", full)
        with pytest.raises(UserError, match=r"no room on the disk for .*x\.npy") as caught:
            kept_rows(path, ROWS, blocks)
    assert "\n" not in str(caught.value) and not path.exists()
    asked: list[int] = []
    assert np.array_equal(kept_rows(path, ROWS, lambda begin: blocks(begin, 10, asked)), WHOLE)
    assert asked == [4, 8]


def test_other_errors_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int, data: bytes) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(module, "_append", broken)
    with pytest.raises(OSError, match=r"x\.npy"):
        kept_rows(tmp_path / "x.npy", ROWS, blocks)


def _slowly(path: Path, log: Path) -> None:
    def make(begin: int) -> Iterator[np.ndarray]:
        with log.open("a") as file:
            file.write("made\n")
        for block in blocks(begin):
            time.sleep(0.1)
            yield block

    assert np.array_equal(kept_rows(path, ROWS, make), WHOLE)


def test_one_process_makes_what_several_want(tmp_path: Path) -> None:
    path, log = tmp_path / "x.npy", tmp_path / "log"
    context = multiprocessing.get_context("fork")
    several = [context.Process(target=_slowly, args=(path, log)) for _ in range(4)]
    for one in several:
        one.start()
    for one in several:
        one.join(60)
    assert [one.exitcode for one in several] == [0] * 4
    assert log.read_text() == "made\n"
