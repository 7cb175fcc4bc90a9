"""Embeddings that users bring, and what can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.precomputed import load_embeddings, select
from facebench.embedding.types import Embeddings

NAMES = ["Ann_0001", "Ann_0002", "Bo_0001"]
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)


def saved(folder: Path, array: np.ndarray, allow_pickle: bool = False) -> Path:
    np.save(folder / "e.npy", array, allow_pickle=allow_pickle)
    return folder / "e.npy"


def named(folder: Path, data: bytes, ending: str = "txt") -> Path:
    path = folder / f"names.{ending}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("ending", "data"),
    [
        ("txt", b"Ann_0001\nAnn_0002\nBo_0001\n"),
        ("txt", b"\xef\xbb\xbfAnn_0001\r\nAnn_0002\r\nBo_0001\r\n\r\n\n"),
        ("names", b"Ann_0001\nAnn_0002\nBo_0001"),
        ("csv", b'name,x\nAnn_0001,1\n"Ann_0002",2\nBo_0001,3\n'),
        ("csv", b"Ann_0001\nAnn_0002\nBo_0001\n"),
        ("json", json.dumps(NAMES).encode()),
    ],
)
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_names_and_vectors_of_every_form(
    tmp_path: Path, ending: str, data: bytes, dtype: str
) -> None:
    result = load_embeddings(saved(tmp_path, VECTORS.astype(dtype)), named(tmp_path, data, ending))
    assert list(result.keys) == NAMES
    assert result.vectors.dtype == np.float32 and result.acquired.all()
    np.testing.assert_array_equal(result.vectors, VECTORS)


with_nan = VECTORS.copy()
with_nan[1, 2] = np.nan


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (VECTORS[0], "one row per face"),
        (VECTORS[None], "one row per face"),
        (VECTORS.astype(np.int64), "must hold floats"),
        (VECTORS.astype(np.complex64), "must hold floats"),
        (VECTORS[:0], "must hold floats"),
        (VECTORS[:2], "3 names but .* 2 rows"),
        (with_nan, r"NaN or infinity .* first in row 1 \(Ann_0002\)"),
        (VECTORS.astype(np.float64) * 1e300, "NaN or infinity"),
        (np.array([["a", {}]], dtype=object), "cannot be read as an .npy array"),
    ],
)
def test_wrong_arrays(tmp_path: Path, array: np.ndarray, words: str) -> None:
    npy = saved(tmp_path, array, allow_pickle=array.dtype == object)
    with pytest.raises(UserError, match=words) as caught:
        load_embeddings(npy, named(tmp_path, "\n".join(NAMES).encode()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"junk", b"\x93NUMPY\x01\x00", b"\x80\x04N."),
        b"\x93NUMPY\x01\x00\x04\x00{(((",  # numpy makes tokens of what it cannot evaluate
        b"\x93NUMPY\x01\x00\xf0\x1f" + b"(" * 0x1FF0,
    ],
)
def test_files_that_are_no_arrays(tmp_path: Path, data: bytes) -> None:
    npy = tmp_path / "e.npy"
    npy.write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be read as an \.npy"):
        load_embeddings(npy, named(tmp_path, b"a"))


def test_array_and_names_that_are_swapped_or_of_text(tmp_path: Path) -> None:
    npy, names = saved(tmp_path, VECTORS), named(tmp_path, "\n".join(NAMES).encode())
    with pytest.raises(UserError, match=r"holds an array, not the list of names; .* names="):
        load_embeddings(npy, npy)
    with pytest.raises(UserError) as caught:  # not NumPy's advice to load it as a pickle
        load_embeddings(names, names)
    assert str(caught.value) == (
        f"{names}: cannot be read as an .npy array: it does not begin as one; save it with "
        "numpy.save, as floats"
    )


def test_truncated_absent_and_archived_arrays(tmp_path: Path) -> None:
    npy, names = saved(tmp_path, VECTORS), named(tmp_path, "\n".join(NAMES).encode())
    npy.write_bytes(npy.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"cannot be read as an \.npy"):
        load_embeddings(npy, names)
    with pytest.raises(UserError, match="No such file"):
        load_embeddings(tmp_path / "absent.npy", names)
    np.savez(tmp_path / "e.npz", VECTORS)
    with pytest.raises(UserError, match=r"\.npz archive"):
        load_embeddings(tmp_path / "e.npz", names)


@pytest.mark.parametrize(
    ("ending", "data", "words"),
    [
        ("txt", b"Ann_0001\nAnn_0002\n", "2 names but"),
        ("txt", b"", "is empty; expected one name per row"),
        ("txt", b"Ann_0001\nBo_0001\nAnn_0001\n", r"repeats 1 names \(Ann_0001\)"),
        ("txt", b"Ann_0001\n\nBo_0001\n", "name 2 is blank"),
        ("txt", "Ann_0001\nÅsa\nBo".encode("latin-1"), "not UTF-8"),
        ("csv", b'"Ann_0001\nBo', "as CSV"),
        ("json", b"[1, 2, 3]", "JSON list of names"),
        ("json", b'{"a": 1}', "JSON list of names"),
        ("json", b"[", "not JSON"),
    ],
)
def test_wrong_names(tmp_path: Path, ending: str, data: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        load_embeddings(saved(tmp_path, VECTORS), named(tmp_path, data, ending))
    assert "\n" not in str(caught.value)


def test_absent_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the list of names .*: No such file"):
        load_embeddings(saved(tmp_path, VECTORS), tmp_path / "names.txt")


def embeddings(*names: str) -> Embeddings:
    vectors = np.arange(2 * len(names), dtype=np.float32).reshape(-1, 2)
    return Embeddings(names, vectors, np.ones(len(names), dtype=bool))


@pytest.mark.parametrize(
    "names",
    [
        ("A/A_0001.jpg", "J._R./J._R._0002.jpg"),
        ("A/A_0001", "J._R./J._R._0002"),
        ("A_0001", "J._R._0002"),
        ("/data/x/A_0001.png", r"C:\y\J._R._0002.JPG"),
    ],
)
def test_names_with_and_without_folder_and_ending(names: tuple[str, str]) -> None:
    result = select(embeddings(*names), ["J._R./J._R._0002.jpg", "A/A_0001.jpg"])
    assert result.keys == ("J._R./J._R._0002.jpg", "A/A_0001.jpg")
    np.testing.assert_array_equal(result.vectors, [[2, 3], [0, 1]])
    assert result.acquired.all()


def test_an_exact_name_wins_and_folders_tell_apart() -> None:
    exact = select(embeddings("b/1.jpg", "a/1.jpg"), ["a/1.jpg", "b/1.jpg"])
    np.testing.assert_array_equal(exact.vectors, [[2, 3], [0, 1]])
    endless = select(embeddings("b/1", "a/1"), ["a/1.jpg", "b/1.jpg"])
    np.testing.assert_array_equal(endless.vectors, [[2, 3], [0, 1]])


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("x/1.jpg", "y/1.jpg"), ["a/1.jpg"]),
        (("1",), ["a/1.jpg", "b/1.jpg"]),
        (("a/1.png", "a/1.bmp"), ["a/1.jpg"]),
    ],
)
def test_a_name_that_fits_several_is_refused(names: tuple[str, ...], keys: list[str]) -> None:
    for on_missing in ("error", "count"):
        with pytest.raises(UserError, match="cannot be told"):
            select(embeddings(*names), keys, on_missing)  # type: ignore[arg-type]


def test_a_missing_frame_never_gets_another_persons_embedding() -> None:
    rows = embeddings("Ann/0/0.1.jpg", "Zed/0/0.2.jpg")
    counted = select(rows, ["Ann/0/0.1.jpg", "Ann/0/0.2.jpg"], "count")
    assert counted.acquired.tolist() == [True, False]
    assert counted.vectors.tolist() == [[0, 1], [0, 0]]
    # Nor where not one name is as the protocol's.
    for names in (("Zed/0/0.2.jpg",), ("/data/Zed/0/0.2.jpg",), (r"D:\Zed\0\0.2.jpg",)):
        with pytest.raises(UserError, match="1 of 1 faces have no embedding"):
            select(embeddings(*names), ["Ann/0/0.2.jpg"], "count")


def test_file_names_without_folders_must_tell_all_faces_apart() -> None:
    keys = ["Ann/0/0.1.jpg", "Ann/0/0.2.jpg", "Zed/0/0.1.jpg"]
    with pytest.raises(UserError, match=r"Ann/0/0.2.jpg cannot be told: '0.1' fits 2 names"):
        select(embeddings("0.2.jpg"), keys, "count")
    counted = select(embeddings("0.2.jpg"), keys[:2], "count")
    assert counted.acquired.tolist() == [False, True]
    flat = select(embeddings("faces/b.jpg", "faces/a.jpg"), ["a.jpg", "b.jpg"])
    assert flat.vectors.tolist() == [[2, 3], [0, 1]]
    longer = select(embeddings("/data/B/0/0.2.jpg", "/data/A/0/0.1.jpg"), ["A/0/0.1.jpg"])
    assert longer.vectors.tolist() == [[2, 3]]


def test_file_names_that_recur_in_every_video_are_told_apart_by_their_folders() -> None:
    keys = [f"{who}/{video}/aligned_detect_0.7.jpg" for who in ("Ann", "Zed") for video in (0, 1)]
    for names in (keys, [key.removesuffix(".jpg") for key in keys]):
        found = select(embeddings(*reversed(names[1:])), keys, "count")
        assert found.acquired.tolist() == [False, True, True, True]
        assert found.vectors[1:].tolist() == [[4, 5], [2, 3], [0, 1]]


def test_faces_without_embedding() -> None:
    known = embeddings("A_0001")
    keys = ["A/A_0001.jpg", *(f"B/B_{number:04d}.jpg" for number in range(9))]
    with pytest.raises(UserError, match=r"9 of 10 faces .*B/B_0000.jpg, .*B_0002.jpg, …; .*A_0001"):
        select(known, keys)
    counted = select(known, keys, "count")
    assert list(counted.acquired) == [True] + [False] * 9
    assert not counted.vectors[1:].any()
    with pytest.raises(UserError, match="9 of 9 faces"):
        select(known, keys[1:], "count")
