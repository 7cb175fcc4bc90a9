from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.bin import source as binfile
from facebench.faces.bin.source import BinSource
from facebench.faces.types import ImageError

LABELS = [True, False, True, True, False, True, False, True, False, True, True, False]


@pytest.fixture
def images(encode) -> list[bytes]:
    return [encode(seed, 112, 112) for seed in range(2 * len(LABELS))]


def write(folder: Path, value: object, protocol: int = 4) -> Path:
    path = folder / "cfp_fp.bin"
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["bytes", "arrays", "columns", "rows", "an array of objects"])
@pytest.mark.parametrize(
    "labels", ["bools", "numpy bools", "array", "ints", "floats", "column of floats", "signs",
               "signs as int8", "objects"],
)  # fmt: skip
def test_every_variant_reads_the_same(
    tmp_path: Path, images: list[bytes], protocol: int, kind: str, labels: str
) -> None:
    stored: list[Any] = list(images)
    shape = {"columns": (-1, 1), "rows": (1, -1)}.get(kind, (-1,))  # as OpenCV's encoder gives
    if kind != "bytes":
        stored = [np.frombuffer(image, np.uint8).copy().reshape(shape) for image in images]
    if kind == "an array of objects":
        stored = np.array([*stored, None], object)[:-1]
    marks: Any = {"bools": LABELS, "numpy bools": [np.bool_(x) for x in LABELS],
                  "array": np.array(LABELS), "ints": [int(x) for x in LABELS],
                  "floats": np.array(LABELS, float), "signs": [2 * x - 1 for x in LABELS],
                  "column of floats": np.array(LABELS, np.float32).reshape(-1, 1),
                  "signs as int8": np.where(LABELS, 1, -1).astype(np.int8),
                  "objects": np.array(LABELS, object)}[labels]  # fmt: skip
    source = BinSource(write(tmp_path, (stored, marks), protocol))
    assert source.name == "cfp-fp" and source.kind == "real" and source.labels == LABELS
    assert source.keys() == [f"{i:06d}" for i in range(24)]
    bgr = cv2.imdecode(np.frombuffer(images[5], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(source.read("000005"), bgr[:, :, ::-1])
    reference = BinSource(write(tmp_path, (images, LABELS)))
    assert source.fingerprint(source.keys()) == reference.fingerprint(reference.keys())


def test_pairs_are_neighbours_in_contiguous_folds(tmp_path: Path, images: list[bytes]) -> None:
    listed = BinSource(write(tmp_path, (images, LABELS))).pairs()
    assert [(p.left_key, p.right_key) for p in listed.pairs][:2] == [
        ("000000", "000001"),
        ("000002", "000003"),
    ]
    assert [p.mated for p in listed.pairs] == LABELS
    # KFold(10).split of 12: the first two folds have one more
    assert [p.fold for p in listed.pairs] == [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    for pair in listed.pairs:
        assert (pair.left_person == pair.right_person) == pair.mated
    assert len(set(listed.people().values())) == 24 - sum(LABELS)


def test_folds_are_scikit_learns(tmp_path: Path, encode) -> None:
    from sklearn.model_selection import KFold

    labels = [i % 2 == 0 for i in range(37)]
    tiny = [encode(0, 8, 8)] * 74
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(([bytes(bytearray(t)) for t in tiny], labels), 2))
    folds = np.array([p.fold for p in BinSource(path).pairs().pairs])
    for fold, (_, test) in enumerate(KFold(10, shuffle=False).split(np.zeros(37))):
        np.testing.assert_array_equal(np.flatnonzero(folds == fold), test)


def test_absent_and_truncated_images_are_named(tmp_path: Path, images: list[bytes]) -> None:
    images[3] = images[3][:-50]
    source = BinSource(write(tmp_path, (images, LABELS)))
    with pytest.raises(ImageError, match="000003: is truncated"):
        source.read("000003")
    for key in ("000024", "x", "-00001", "5"):
        with pytest.raises(ImageError, match="is not in"):
            source.read(key)
    assert source.missing(["000000", "000099"]) == ["000099"]


def test_it_travels_without_its_images(tmp_path: Path, images: list[bytes]) -> None:
    source = BinSource(write(tmp_path, (images, LABELS)))
    sent = pickle.dumps(source)
    assert len(sent) < 2000
    copy = pickle.loads(sent)
    np.testing.assert_array_equal(copy.read("000007"), source.read("000007"))
    assert copy.keys() == source.keys()


class Hostile:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_a_hostile_file_is_an_error_and_runs_nothing(tmp_path: Path, images: list[bytes]) -> None:
    canary = tmp_path / "ran"
    hostile = Hostile(f"touch {canary}")
    for value in (hostile, (images, [*LABELS, hostile]), ([*images, hostile], LABELS),
                  (np.array([hostile], object), LABELS)):  # fmt: skip
        with pytest.raises(UserError, match="nothing of it was executed") as caught:
            BinSource(write(tmp_path, value))
        assert "\n" not in str(caught.value)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2, 3], "not a pair of images and labels"),
        (([b"a"] * 24, "x"), "not a list"),
        (([b"a"] * 24, [True, 2] * 6), "label 1 is 2, neither true nor false"),
        (([b"a"] * 24, [np.nan] * 12), "label 0 is nan, neither true nor false"),
        (([b"a"] * 24, [None] * 12), "label 0 is no number, neither true nor false"),
        (([b"a"] * 24, [0, 1, -1] * 4), "labels are −1, 0 and 1"),
        (([5] * 24, [True] * 12), "image 0 is int, neither a byte string"),
        (([b"a", np.zeros((4, 2, 3), np.uint8)] * 12, [True] * 12), "image 1 is an array 4×2×3 of"),
        (([np.zeros(4)] * 24, [True] * 12), "image 0 is an array 4 of float64, neither"),
        ((np.array([[1, "x"], [b"", None]], object), [True] * 12), "array of objects that is no"),
        (([b"a"] * 23, [True] * 12), "23 images and 12 labels"),
        (([b"a"] * 8, [True] * 4), "at least 10 labels"),
    ],
)
def test_wrong_contents_are_named(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        BinSource(write(tmp_path, value))


def test_files_that_are_no_pickles(
    tmp_path: Path, images: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pickle.dumps((images, LABELS))
    path = tmp_path / "x.bin"
    for data in (b"", b"hello", images[0], whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"x\.bin is no \.bin file of face pairs"):
            BinSource(path)
    with pytest.raises(UserError, match="cannot read"):
        BinSource(tmp_path / "absent.bin")
    monkeypatch.setattr(binfile, "MAX_BYTES", 10)
    with pytest.raises(UserError, match="it is longer than 10 bytes"):
        BinSource(path)


@pytest.mark.parametrize("as_array", [False, True])
def test_an_image_of_several_pairs_is_kept_once(tmp_path: Path, as_array: bool) -> None:
    """Writers that read every image once give pickles that refer back to it."""
    files = [bytes([n]) * 100_000 for n in range(8)]
    own = [np.frombuffer(file, np.uint8) for file in files] if as_array else files
    path = write(tmp_path, ([own[n % 8] for n in range(24)], LABELS))
    assert path.stat().st_size < 9 * 100_000
    source = BinSource(path)
    found = [source.encoded(key) for key in sorted(source.keys())]
    assert found == [files[n % 8] for n in range(24)]
    assert len({id(file) for file in found}) == 8


def _labels_and(images: bytes, count: int) -> bytes:
    """A pickle of (images, labels): two parts, each a list written out."""
    return b"\x80\x02((" + images + b"l(" + b"K\x01" * count + b"lt."


def test_an_array_named_many_times_is_refused_before_it_is_copied(tmp_path: Path) -> None:
    row = 1 << 20
    array = pickle.dumps(np.zeros(row, np.uint8), 2)[2:-1]
    path = tmp_path / "x.bin"
    again = 4_000  # 4 GB, if every one were copied
    path.write_bytes(
        _labels_and(array + b"r\xff\xff\0\0" + b"j\xff\xff\0\0" * (again - 1), again // 2)
    )
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="repeats images"):
            BinSource(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * row
    finally:
        tracemalloc.stop()


def test_a_text_encoded_again_and_again_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    long = b"a" * (1 << 20)
    call = (
        b"c_codecs\nencode\nq\x00(X" + struct.pack("<I", len(long)) + long + b"U\x06latin1tq\x01R"
    )
    path = tmp_path / "x.bin"
    path.write_bytes(_labels_and(call + b"h\x00h\x01R" * 3_999, 2_000))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="outgrow the file"):
            BinSource(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(long)
    finally:
        tracemalloc.stop()
