from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource
from facebench.faces.types import ImageError

A1 = "Person_A/Person_A_0001.jpg"


def test_lfw_layout_with_and_without_the_inner_folder(small_lfw: Path) -> None:
    source = LfwSource(small_lfw)
    assert source.keys()[:2] == [A1, "Person_A/Person_A_0002.jpg"]
    assert (len(source.keys()), source.kind, source.name) == (8, "real", "lfw")
    inner = LfwSource(small_lfw / "lfw")
    assert inner.keys() == source.keys()
    bgr = cv2.imread(str(small_lfw / "lfw" / A1))
    np.testing.assert_array_equal(source.read(A1), bgr[:, :, ::-1])


@pytest.mark.parametrize("name", ["lfw_funneled", "lfw-deepfunneled"])
def test_other_editions_are_found(small_lfw: Path, name: str) -> None:
    (small_lfw / "lfw").rename(small_lfw / name)
    assert LfwSource(small_lfw).root == small_lfw / name


def test_files_that_are_no_images_of_lfw_are_no_keys(small_lfw: Path) -> None:
    for name in ("Person_A/notes.txt", "Person_A/Person_B_0001.jpg", "pairs_01.txt"):
        (small_lfw / "lfw" / name).write_text("x")
    assert len(LfwSource(small_lfw).keys()) == 8


def test_fingerprint_follows_content_not_place_or_order(small_lfw: Path) -> None:
    source = LfwSource(small_lfw)
    keys = source.keys()
    before = source.fingerprint(keys)
    assert before.startswith("lfw-") and len(before) == 20
    assert LfwSource(small_lfw / "lfw").fingerprint(keys[::-1]) == before
    file = small_lfw / "lfw" / A1
    file.write_bytes(file.read_bytes() + b"\0")
    assert source.fingerprint(keys) != before
    assert source.fingerprint(keys[1:]) == LfwSource(small_lfw).fingerprint(keys[1:])


def test_absent_truncated_and_unreadable_images_are_named(small_lfw: Path) -> None:
    source = LfwSource(small_lfw)
    with pytest.raises(ImageError, match=r"Person_Z_0001\.jpg: is not in"):
        source.read("Person_Z/Person_Z_0001.jpg")
    file = small_lfw / "lfw" / A1
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ImageError, match="truncated"):
        source.read(A1)
    with pytest.raises(ImageError, match="cannot be read"):
        source.read("Person_A")
    assert source.missing([A1, "Person_Z/Person_Z_0001.jpg"]) == ["Person_Z/Person_Z_0001.jpg"]


@pytest.mark.parametrize("key", ["../secret.jpg", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_no_key_leaves_the_folder(small_lfw: Path, key: str) -> None:
    (small_lfw / "secret.jpg").write_bytes(b"x")
    with pytest.raises(ImageError, match="not a name"):
        LfwSource(small_lfw).read(key)


def test_folders_without_images_are_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="layout of LFW"):
        LfwSource(tmp_path)
    with pytest.raises(UserError, match="cannot read the folder"):
        LfwSource(tmp_path / "absent")
    with pytest.raises(UserError, match="holds no image called as LFW"):
        FlatFolderSource(tmp_path)


def test_a_flat_folder_has_the_keys_of_lfw(small_lfw: Path, tmp_path: Path, encode) -> None:
    data = encode()
    for name in ("Ann_Lee_0001.jpg", "Bob_0002.jpg", "Bob_2.jpg", "0001.jpg", "list.txt"):
        (tmp_path / name).write_bytes(data)
    source = FlatFolderSource(tmp_path)
    keys = ["Ann_Lee/Ann_Lee_0001.jpg", "Bob/Bob_0002.jpg"]
    assert source.keys() == keys and source.kind == "real"
    assert all(source.read(key).shape == (40, 30, 3) for key in keys)
    assert source.fingerprint(keys).startswith("lfw-")
    absent = ["Bob/Bob_0003.jpg", "Bob_0002.jpg", "Cat/Bob_0002.jpg", "small/lfw/Person_A_0001.jpg"]
    assert source.missing([*keys, *absent]) == sorted(absent)
    with pytest.raises(ImageError, match="not a name of LFW"):
        source.read("Cat/Bob_0002.jpg")


@pytest.mark.parametrize("name", ["a\0b", "a" * 300, "../x", "/etc/passwd", ""])
def test_names_that_no_file_can_have_are_absent(small_lfw: Path, name: str) -> None:
    source = LfwSource(small_lfw)
    assert source.missing([A1, name]) == [name]
    assert source.fingerprint([A1, name]) != source.fingerprint([A1])
    with pytest.raises(ImageError):
        source.read(name)


def test_sources_travel_to_other_processes(small_lfw: Path) -> None:
    source = LfwSource(small_lfw)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy.read(A1), source.read(A1))


def test_all_of_lfw_mini(shared_data: Path) -> None:
    source = LfwSource(shared_data / "lfw-mini")
    assert len(source.keys()) == 901
    assert source.read(source.keys()[0]).shape == (250, 250, 3)
