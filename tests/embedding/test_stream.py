"""Extraction in parts: the same numbers and files as all at once, in the memory of one part."""

from __future__ import annotations

import gc
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.extract import extract
from facebench.embedding.store import SHARD, EmbeddingStore
from facebench.embedding.stream import stream
from facebench.embedding.types import ExtractionProfile
from tests.helpers.embedding_toys import Crop, FolderFaces, Linear, LookingFaces, write_faces

Faces = tuple[FolderFaces, list[str]]


def stored_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_parts_are_sorted_and_are_what_extract_gives(many_faces: Faces, tmp_path: Path) -> None:
    source, keys = many_faces
    whole = EmbeddingStore(tmp_path / "whole")
    expected = extract(Linear(), source, keys, Crop(), workers=0, store=whole, progress=False)
    profile, store = ExtractionProfile(), EmbeddingStore(tmp_path / "parts")
    parts = list(
        stream(
            Linear(),
            source,
            keys[::-1],
            Crop(),
            workers=0,
            store=store,
            progress=False,
            profile=profile,
        )
    )
    assert [key for part in parts for key in part.keys] == sorted(keys)
    assert {len(part.keys) for part in parts[:-1]} == {SHARD}
    np.testing.assert_array_equal(np.concatenate([p.vectors for p in parts]), expected.vectors)
    assert stored_bytes(tmp_path / "parts") == stored_bytes(tmp_path / "whole")
    assert profile.embedded == len(keys)


def test_one_interface_reads_what_the_other_stored(many_faces: Faces, tmp_path: Path) -> None:
    source, keys = many_faces
    store = EmbeddingStore(tmp_path)
    list(stream(Linear(), source, keys, Crop(), workers=0, store=store, progress=False))
    profile, model = ExtractionProfile(), Linear()
    extract(model, source, keys, Crop(), workers=0, store=store, progress=False, profile=profile)
    assert model.batches == []
    assert (profile.embedded, profile.from_store) == (0, len(keys))


def test_what_is_left_unfinished_is_continued(many_faces: Faces, tmp_path: Path) -> None:
    source, keys = many_faces
    store = EmbeddingStore(tmp_path)
    parts = stream(Linear(), source, keys, Crop(), workers=0, store=store, progress=False)
    next(parts)
    parts.close()
    assert [run.stored for run in store.entries()] == [SHARD]
    profile = ExtractionProfile()
    rest = stream(
        Linear(), source, keys, Crop(), workers=0, store=store, progress=False, profile=profile
    )
    assert sum(len(part.keys) for part in rest) == len(keys)
    assert profile.from_store == SHARD


def test_a_damaged_shard_between_good_ones_is_embedded_again(
    many_faces: Faces, tmp_path: Path
) -> None:
    source, keys = many_faces
    store = EmbeddingStore(tmp_path)
    expected = extract(Linear(), source, keys, Crop(), workers=0, store=store, progress=False)
    shard = next(tmp_path.rglob("shard-00001*"))
    good = shard.read_bytes()
    shard.write_bytes(good[:-5])
    parts = list(stream(Linear(), source, keys, Crop(), workers=0, store=store, progress=False))
    np.testing.assert_array_equal(np.concatenate([p.vectors for p in parts]), expected.vectors)
    assert shard.read_bytes() == good


def test_the_callers_time_between_parts_is_not_the_extractions(many_faces: Faces) -> None:
    source, keys = many_faces
    profile, slept = ExtractionProfile(), 0.0
    started = time.perf_counter()
    for _ in stream(Linear(), source, keys, Crop(), workers=0, progress=False, profile=profile):
        time.sleep(0.2)
        slept += 0.2
    assert 0 < profile.total < time.perf_counter() - started - 0.99 * slept


def test_memory_is_that_of_one_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings of earlier parts are gone when the next one is there, from network or store."""
    monkeypatch.setattr("facebench.embedding.stream.SHARD", 16)
    keys = write_faces(tmp_path / "faces", 160)
    source, store = FolderFaces(tmp_path / "faces"), EmbeddingStore(tmp_path / "store")
    for _ in range(2):
        alive: list[weakref.ref[np.ndarray]] = []
        most = 0
        for part in stream(
            Linear(), source, keys, Crop(), batch=8, workers=0, store=store, progress=False
        ):
            alive.append(weakref.ref(part.vectors))
            del part
            gc.collect()
            most = max(most, sum(ref() is not None for ref in alive))
        assert len(alive) == 10
        assert most <= 2


def test_absent_images_are_refused_before_the_first_part(many_faces: Faces) -> None:
    source, keys = many_faces
    asked = [*keys, "Z/absent.jpg"]
    parts = stream(Linear(), LookingFaces(source.folder), asked, Crop(), workers=0, progress=False)
    with pytest.raises(UserError, match=r"Z/absent\.jpg"):
        next(parts)


def test_an_unreadable_image_may_be_refused_after_parts_were_given(
    many_faces: Faces, tmp_path: Path
) -> None:
    source, keys = many_faces
    file = source.folder / sorted(keys)[-1]
    good = file.read_bytes()
    file.write_bytes(good[:-9])
    store = EmbeddingStore(tmp_path)
    try:
        parts = stream(Linear(), source, keys, Crop(), workers=0, store=store, progress=False)
        assert len(next(parts).keys) == SHARD
        with pytest.raises(UserError, match=r"1 of .* truncated"):
            list(parts)
        assert store.entries() == []  # as extract: nothing stays that cannot become a result
    finally:
        file.write_bytes(good)


def test_wrong_choices_are_told_at_the_call(faces: Faces) -> None:
    source, keys = faces
    with pytest.raises(ValueError, match="distinct"):
        stream(Linear(), source, [*keys, keys[0]], Crop())
    with pytest.raises(UserError, match="batch must be"):
        stream(Linear(), source, keys, Crop(), batch=0)
