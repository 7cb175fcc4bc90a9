"""Users' files are plain and bounded, or refused by name before a byte of them is read."""

from __future__ import annotations

import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from facebench.base import opening
from facebench.base.errors import UserError
from facebench.embedding.precomputed import load_embeddings
from facebench.faces.align.landmarks import read_landmarks
from facebench.faces.align.yunet import YuNetAligner
from facebench.faces.bin.source import read_bin
from facebench.faces.ijb.ijbc import read_number_rows
from facebench.faces.install.download import unpack_tar
from facebench.faces.lfw import rendered
from facebench.faces.lfw.folder import LfwSource
from facebench.faces.lfw.lists import read_pairs
from facebench.faces.people import ZippedCrops
from facebench.faces.types import ImageError
from facebench.faces.ytf.lists import read_splits
from facebench.lab.data.labelled import read_identities
from facebench.lab.filters.curve import read_curve
from facebench.models.cards.card import read_card
from facebench.models.embedders.onnx import OnnxFile
from facebench.models.embedders.programs import load_exported, load_torchscript
from facebench.models.weights.packed import load_packed
from facebench.records.costs import read_costs
from facebench.records.files import read_record
from facebench.similarity.metric_file import read_metric


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
    with _within_seconds(), pytest.raises(UserError, match="it is longer than 2 GiB"):
        opening.read_bytes(path, "the model", opening.MODEL)
    with pytest.raises(UserError, match="it is longer than 256 KiB"):
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


def test_a_member_of_a_zip_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("short", b"x" * 100)
        made.writestr("long", b"\0" * (1 << 20))
    with zipfile.ZipFile(path) as archive:
        assert opening.member_bytes(archive, "short", 100) == b"x" * 100
        with pytest.raises(OSError, match="longer than 99 bytes"):
            opening.member_bytes(archive, "short", 99)
        with pytest.raises(OSError, match="no such member"):
            opening.member_bytes(archive, "absent")


def test_a_member_that_says_less_than_it_unfolds_to_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", b"\0" * (1 << 20))
    data = path.read_bytes()
    path.write_bytes(data.replace((1 << 20).to_bytes(4, "little"), (50).to_bytes(4, "little")))
    with zipfile.ZipFile(path) as archive, pytest.raises(OSError, match="damaged"):
        opening.member_bytes(archive, "bomb", 100)


def _bring(path: Path) -> object:
    names = path.with_name("names.txt")
    names.write_text("Ann\n")
    return load_embeddings(path, names)


def _name(path: Path) -> object:
    vectors = path.with_name("vectors.npy")
    np.save(vectors, np.ones((1, 2), np.float32))
    return load_embeddings(vectors, path)


_READERS: dict[str, Callable[[Path], object]] = {
    "card": read_card,
    "record": read_record,
    "costs": read_costs,
    "curve": read_curve,
    "pairs": read_pairs,
    "splits": read_splits,
    "landmarks": read_landmarks,
    "identities": read_identities,
    "rows of numbers": lambda path: read_number_rows(path, 3, "three numbers"),
    "bin": read_bin,
    "embeddings": _bring,
    "names": _name,
    "weights": load_packed,
    "onnx": OnnxFile,
    "torchscript": load_torchscript,
    "torch.export": load_exported,
    "metric": read_metric,
    "detector": YuNetAligner,
    "archive": lambda path: unpack_tar(path, path.with_name("unpacked")),
    "index": ZippedCrops,
}


@pytest.mark.parametrize("reader", _READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "holes"])
def test_every_reader_refuses_what_is_no_plain_file_at_once(
    tmp_path: Path, reader: str, kind: str
) -> None:
    path = tmp_path / "given"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(20 << 30)
    with _within_seconds(), pytest.raises(UserError) as caught:
        _READERS[reader](path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_an_image_that_is_no_plain_file_cannot_be_read(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "Ann").mkdir()
    make(tmp_path / "Ann" / "Ann_0001.jpg")
    source = LfwSource(tmp_path)
    with _within_seconds(), pytest.raises(ImageError, match=r"cannot be read \(it is a (pipe|dev)"):
        source.read("Ann/Ann_0001.jpg")
    with _within_seconds():
        assert source.fingerprint(["Ann/Ann_0001.jpg"]) == source.fingerprint(["Ann/Ann_0001.jpg"])


def test_a_marker_that_is_no_plain_file_marks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / rendered.MARKER)
    with _within_seconds():
        assert rendered.rendering_of(tmp_path) is None


def test_a_name_that_no_file_can_have_is_one_line() -> None:
    with pytest.raises(UserError, match="holds a NUL"):
        opening.read_bytes(Path("a\0b"), "the card")


def test_a_pointer_of_git_lfs_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    said = "it is a pointer of git LFS in place of the file, which `git lfs pull` brings"
    with pytest.raises(UserError, match=said):
        opening.read_bytes(path, "the model")
    with pytest.raises(UserError, match=f"{said}$"), opening.reading(path, "no array", "save it"):
        opening.plain_bytes(path)
    path.write_text(path.read_text() + "x" * 1024)  # no pointer is that long
    assert opening.read_bytes(path, "the model")
