"""Users' files are plain and bounded, or refused by name before a byte of them is read."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facebench import opening
from facebench.errors import UserError


@contextmanager
def _within_seconds(seconds: int = 10) -> Iterator[None]:
    """A read that hangs fails the test instead of stopping all of them."""

    def hung(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_plain_file_is_read_whole_through_links_too(tmp_path: Path) -> None:
    path, link = tmp_path / "a.txt", tmp_path / "link"
    path.write_bytes(b"\xef\xbb\xbfAnn\r\n")
    link.symlink_to(path)
    assert opening.read_bytes(link, "the list") == b"\xef\xbb\xbfAnn\r\n"
    assert opening.read_text(link, "the list") == "Ann\r\n"
    with opening.open_file(link, "the list") as file:
        assert file.read(3) == b"\xef\xbb\xbf"


def test_an_empty_file_is_no_error_here(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert opening.read_bytes(tmp_path / "empty", "the list") == b""


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: os.mkfifo(path), "it is a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.symlink_to("/not/there"), "No such file"),
        (lambda path: None, "No such file"),
    ],
    ids=["pipe", "device", "folder", "loop", "dangling", "absent"],
)
def test_what_is_no_plain_file_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "given"
    make(path)
    for read in (opening.read_bytes, opening.read_text, opening.open_file, opening.require_plain):
        with _within_seconds(), pytest.raises(UserError, match=says) as caught:
            read(path, "the card")
        assert str(caught.value).startswith(f"{path}: the card cannot be read: ")
        assert "\n" not in str(caught.value)


def test_a_file_of_holes_longer_than_the_limit_is_refused_by_its_length(tmp_path: Path) -> None:
    path = tmp_path / "holes"
    with path.open("wb") as file:
        file.truncate(20 << 30)
    with _within_seconds(), pytest.raises(UserError, match="it is longer than 4 GiB"):
        opening.read_bytes(path, "the model", opening.MODEL)
    with pytest.raises(UserError, match="it is longer than 16 MiB"):
        opening.open_file(path, "the card", opening.SETTINGS)


def test_the_limit_itself_may_be_reached(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert len(opening.read_bytes(path, "the list", 100)) == 100
    with pytest.raises(UserError, match="longer"):
        opening.read_bytes(path, "the list", 99)


def test_a_file_that_says_no_length_is_read_up_to_the_limit() -> None:
    path = Path("/proc/self/maps")  # regular, with a length of 0 whatever it holds
    assert path.stat().st_size == 0
    assert opening.read_bytes(path, "the list")
    with pytest.raises(UserError, match="longer"):
        opening.read_bytes(path, "the list", 10)


def test_bytes_that_are_no_text_are_named_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"Ann\xff")
    with pytest.raises(UserError, match=r"the list is not UTF-8 text \(byte 3\)"):
        opening.read_text(path, "the list")


def test_the_error_of_the_system_is_kept_for_those_who_word_it_themselves(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with _within_seconds(), pytest.raises(OSError, match="it is a pipe") as caught:
        opening.plain_bytes(tmp_path / "pipe")
    assert caught.value.filename == str(tmp_path / "pipe")
