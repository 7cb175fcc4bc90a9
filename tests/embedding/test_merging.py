"""Stores of several machines as one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.merging import merge
from facebench.embedding.store import EmbeddingStore, Shard

IDENTITY = {"source": "lfw-0123", "faces": 1030}
SIZES = (512, 512, 6)


def shard(number: int, shift: float = 0.0) -> Shard:
    rng = np.random.default_rng(number)
    vectors = rng.standard_normal((SIZES[number], 8)).astype(np.float32)
    return Shard(vectors * np.float32(1 + shift), np.ones(SIZES[number], np.bool_))


def store_with(folder: Path, *shards: tuple[int, float]) -> EmbeddingStore:
    store = EmbeddingStore(folder / "embeddings")
    entry = store.entry(IDENTITY, "mine")
    with entry.in_use():
        for number, shift in shards:
            entry.write(number, shard(number, shift))
    return store


def test_what_is_lacking_is_taken_and_the_rest_compared(tmp_path: Path) -> None:
    here = store_with(tmp_path / "here", (0, 0.0), (1, 0.0))
    store_with(tmp_path / "there", (0, 0.0), (1, 1e-6), (2, 0.0))
    (found,) = merge(here, tmp_path / "there")
    assert (found.taken, found.same, found.close, found.damaged) == (1, 1, 1, 0)
    assert (found.present, found.total, found.model, found.source) == (3, 3, "mine", "lfw-0123")
    entry = here.entry(IDENTITY, "mine")
    for number, size in enumerate(SIZES):
        stored = entry.read(number, size)
        assert stored is not None
        np.testing.assert_array_equal(stored.vectors, shard(number).vectors)


def test_a_merged_store_has_the_bytes_of_one(tmp_path: Path) -> None:
    whole = store_with(tmp_path / "whole", (0, 0.0), (1, 0.0), (2, 0.0))
    for name, numbers in (("a", (0, 2)), ("b", (1,))):
        store_with(tmp_path / name, *((number, 0.0) for number in numbers))
    new = EmbeddingStore(tmp_path / "new")
    for name in ("a", "b"):
        merge(new, tmp_path / name / "embeddings")  # the store itself may be named, too
    files = [
        {p.relative_to(s.folder): p.read_bytes() for p in s.folder.rglob("*") if p.is_file()}
        for s in (whole, new)
    ]
    assert files[0] == files[1] and len(files[0]) == 4


def test_a_damaged_shard_is_not_taken(tmp_path: Path) -> None:
    there = store_with(tmp_path / "there", (0, 0.0), (1, 0.0))
    path = next(there.folder.rglob("shard-00001*"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    here = EmbeddingStore(tmp_path / "here")
    (found,) = merge(here, there.folder)
    assert (found.taken, found.damaged, found.present) == (1, 1, 1)


def test_a_shard_that_differs_is_refused(tmp_path: Path) -> None:
    here = store_with(tmp_path / "here", (0, 0.0))
    store_with(tmp_path / "there", (0, 1e-3), (1, 0.0))
    with pytest.raises(UserError, match=r"shard 0 of .* differs.*computed it wrongly"):
        merge(here, tmp_path / "there")


def test_an_entry_under_another_name_is_refused(tmp_path: Path) -> None:
    there = store_with(tmp_path / "there", (0, 0.0))
    (folder,) = there.folder.iterdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["faces"] = 512
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="not that of its embeddings"):
        merge(EmbeddingStore(tmp_path / "here"), there.folder)


def test_a_folder_without_embeddings_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no embeddings"):
        merge(EmbeddingStore(tmp_path), tmp_path / "nowhere")
    shutil.rmtree(tmp_path, ignore_errors=True)
