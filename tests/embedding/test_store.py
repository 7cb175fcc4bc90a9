"""The store: found again, never trusted when damaged, honest about the disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facebench.base.errors import UserError
from facebench.base.locks import path_lock
from facebench.embedding.extract import extract
from facebench.embedding.store import EmbeddingStore, Shard
from facebench.models.embedders.base import UNPINNED, Preprocessing
from tests.helpers.embedding_toys import SIZE, Crop, FolderFaces, Linear

Faces = tuple[FolderFaces, list[str]]


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


def embedded(
    faces: Faces,
    store: EmbeddingStore,
    crop: Crop | None = None,
    batch: int = 8,
    **attributes: object,
) -> int:
    """Faces that went through the network for the answer (which is checked)."""
    source, keys = faces
    model, crop = Linear(), crop or Crop()
    for name, value in attributes.items():
        setattr(model, name, value)
    result = extract(model, source, keys, crop, batch=batch, workers=0, store=store, progress=False)
    plain = extract(Linear(), source, keys, crop, batch=batch, workers=0, progress=False)
    np.testing.assert_array_equal(result.vectors, plain.vectors)
    np.testing.assert_array_equal(result.acquired, plain.acquired)
    return sum(model.batches)


def test_a_second_run_asks_the_model_nothing(faces: Faces, store: EmbeddingStore) -> None:
    assert embedded(faces, store, Crop(frozenset(faces[1][:2]))) == 38
    assert embedded(faces, store, Crop(frozenset(faces[1][:2]))) == 0


def test_what_the_numbers_depend_on_is_the_key(faces: Faces, store: EmbeddingStore) -> None:
    source, keys = faces
    assert embedded(faces, store) == 40
    assert embedded((source, keys[::-1]), store) == 0  # the order is not
    assert embedded(faces, store, batch=9) == 40
    assert embedded(faces, store, Crop(frozenset({"nobody"}))) == 40
    assert embedded((source, keys[:-1]), store) == 39
    shutil.copy(source.folder / keys[0], source.folder / keys[1])
    assert embedded(faces, store) == 40
    assert len(store.entries()) == 5


def test_what_was_chosen_of_a_model_is_in_the_key(faces: Faces, store: EmbeddingStore) -> None:
    """The same file may give several embeddings: by output, by layout, by its preparation."""
    close = Preprocessing(size=SIZE, mean=(127.500004,) * 3)
    for choice in (
        {},
        {"variant": "output=a"},
        {"variant": "output=b"},
        {"runtime": "onnxruntime 1.20.0"},
        {"runtime": "onnxruntime 1.21.0"},
        {"preprocessing": close},
    ):
        assert embedded(faces, store, **choice) == 40
        assert embedded(faces, store, **choice) == 0


def test_libraries_are_in_the_key(
    faces: Faces, store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert embedded(faces, store) == 40
    for number, library in enumerate((torch, cv2)):
        monkeypatch.setattr(library, "__version__", "0.1")
        assert embedded(faces, store) == 40
        assert len(store.entries()) == 2 + number
        monkeypatch.undo()
    assert embedded(faces, store) == 0


@pytest.mark.parametrize("wish", [{"storable": False}, {"weights_hash": UNPINNED}])
def test_what_is_not_pinned_is_not_kept(
    faces: Faces, store: EmbeddingStore, wish: dict[str, object]
) -> None:
    assert embedded(faces, store, **wish) == 40
    assert embedded(faces, store, **wish) == 40
    assert store.entries() == []


def shard_of(store: EmbeddingStore) -> Path:
    (path,) = store.folder.glob("*/shard-*.safetensors")
    return path


@pytest.mark.parametrize("place", [3, 40, 0.3, 0.6, -1, "short", "empty", "junk"])
def test_a_damaged_shard_is_made_again(
    faces: Faces,
    store: EmbeddingStore,
    caplog: pytest.LogCaptureFixture,
    place: float | str,
) -> None:
    embedded(faces, store)
    path = shard_of(store)
    good = path.read_bytes()
    if isinstance(place, str):
        path.write_bytes({"short": good[:-9], "empty": b"", "junk": b"\x80" * 99}[place])
    else:
        bad = bytearray(good)
        bad[int(place * len(good)) if isinstance(place, float) else place] ^= 4
        path.write_bytes(bad)
    assert embedded(faces, store) == 40
    assert f"{path} is damaged" in caplog.text
    assert path.read_bytes() == good


def test_a_flipped_bit_never_changes_a_number(store: EmbeddingStore) -> None:
    entry = store.entry({"faces": 2}, "m")
    with entry.in_use():
        shard = Shard(np.arange(4, dtype=np.float32).reshape(2, 2), np.array([True, False]))
        entry.write(0, shard)
        path = shard_of(store)
        good = path.read_bytes()
        for bit in range(0, 8 * len(good), 3):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            path.write_bytes(bad)
            read = entry.read(0, 2)
            if read is not None:  # a bit of the header's padding, say
                np.testing.assert_array_equal(read.vectors, shard.vectors)
                np.testing.assert_array_equal(read.acquired, shard.acquired)


def test_a_shard_in_a_wrong_place_is_not_trusted(store: EmbeddingStore) -> None:
    entry = store.entry({"faces": 2}, "m")
    entry.write(0, Shard(np.ones((2, 3), np.float32), np.array([True, True])))
    shard_of(store).rename(shard_of(store).with_name("shard-00001.safetensors"))
    assert entry.read(0, 2) is None
    assert entry.read(1, 2) is None


def test_a_damaged_manifest_is_replaced(faces: Faces, store: EmbeddingStore) -> None:
    embedded(faces, store)
    (manifest,) = store.folder.glob("*/manifest.json")
    good = manifest.read_bytes()
    manifest.write_bytes(good[: len(good) // 2])
    assert store.entries()[0].model == "?"
    assert embedded(faces, store) == 0
    assert manifest.read_bytes() == good
    assert json.loads(good)["fingerprint"].startswith("toy-")


def test_listing_and_clearing(faces: Faces, store: EmbeddingStore) -> None:
    assert store.entries() == [] and store.size() == 0 and store.clear().freed == 0
    embedded(faces, store)
    (run,) = store.entries()
    assert (run.model, run.source, run.faces, run.stored) == ("linear", "toy", 40, 40)
    assert run.bytes == store.size() > 40 * 8 * 4
    assert store.clear().freed == run.bytes
    assert store.entries() == []


def test_clear_leaves_what_is_in_use(store: EmbeddingStore) -> None:
    entry = store.entry({"faces": 1}, "m")
    with entry.in_use():
        with path_lock(entry.folder) as lock:
            assert not lock.alone()
        assert store.clear().freed == 0
        assert entry.folder.is_dir()
    assert store.clear().freed > 0


@pytest.mark.parametrize("function", ["fsync", "replace", "write"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    faces: Faces, store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    embedded((faces[0], faces[1][:8]), store)  # an earlier run's, which stays
    before = sorted(store.folder.rglob("*"))
    if function == "write":
        monkeypatch.setattr("facebench.embedding.store.write_atomically", full)
    else:
        monkeypatch.setattr(os, function, full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        embedded(faces, store)
    assert "\n" not in str(caught.value) and str(store.folder) in str(caught.value)
    assert [path for path in sorted(store.folder.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]
    monkeypatch.undo()
    assert embedded(faces, store) == 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(many_faces: Faces, small_disk: Path) -> None:
    (small_disk / "other").write_bytes(b"x" * 36_000)
    store = EmbeddingStore(small_disk / "store")
    with pytest.raises(UserError, match="No space left on device"):
        embedded(many_faces, store)
    assert not list(small_disk.rglob("*.part"))
    (small_disk / "other").unlink()
    assert embedded(many_faces, store) < 1100  # what fitted was kept


def test_a_store_that_is_no_folder(faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(UserError, match=r"the embedding store .* cannot be used"):
        embedded(faces, EmbeddingStore(tmp_path / "store"))
