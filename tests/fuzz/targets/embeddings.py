"""Embeddings that were computed elsewhere, the names of their rows, and the store's own files."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path
from random import Random

import numpy as np

from facebench.base.errors import UserError
from facebench.embedding.precomputed import load_embeddings, select
from facebench.embedding.store import EmbeddingStore, Shard
from facebench.lab.metrics.joint_bayesian import read_labelled
from tests.fuzz.mutations import bytes_changed, json_changed, lines_changed, tensors_changed
from tests.fuzz.target import Files, Target

_TYPES = (
    *("'<f4'", "'<f8'", "'|O'", "'<f2'", "[('a','<f4')]", "'<i4'", "'<c8'", "('<f4',(2,))"),
    *("'<f4,<f4'", "None", "1", "'<M8[s]'", "'<U9'", "'|V4'", "'<f16'", "b'<f4'", "'<f0'"),
)
_SHAPES = (
    *("(2, 3)", "(2,)", "()", "(2, 3, 1)", "(-1, 3)", "(0, 3)", "(2**3, 1)", "(1e3, 2)", "'x'"),
    *("(9999999999, 9999999999)", "(600000000, 1)", "[2, 3]", "(2L, 3L)", "None", "(2, 3"),
    *("(True, 3)", "(2, None)", "(" + "9" * 5000 + ", 3)"),
)


def array_bytes(kind: str = "<f4") -> bytes:
    """Two vectors of three numbers."""
    out = io.BytesIO()
    np.save(out, np.arange(6, dtype=kind).reshape(2, 3))
    return out.getvalue()


def _array(rng: Random) -> bytes:
    drawn = rng.random()
    if drawn < 0.45:
        return bytes_changed(rng, array_bytes(rng.choice(("<f4", "<f8", "<f2", ">f4"))))
    if drawn < 0.5:
        out = io.BytesIO()
        np.savez(out, np.ones((2, 3), np.float32))
        return bytes_changed(rng, out.getvalue()) if rng.random() < 0.8 else out.getvalue()
    order = rng.choice(("False", "True", "0", "None"))
    told = f"{{'descr': {rng.choice(_TYPES)}, 'fortran_order': {order}, "
    head = f"{told}'shape': {rng.choice(_SHAPES)}, }}".encode()
    if rng.random() < 0.4:
        head = lines_changed(rng, head, " ")
    version = rng.choice((1, 1, 2, 3, 4))
    length = struct.pack("<H", min(65535, len(head)))
    if version > 1:
        length = struct.pack("<I", len(head))
    marked = b"\x93NUMPY" + bytes([version, rng.choice((0, 0, 1))])
    return marked + length + head + b"\0" * rng.choice((0, 24, 48, 100))


def _vectors(rng: Random) -> Files:
    return {"faces.npy": _array(rng), "names.txt": b"A/a.jpg\nB/b.jpg\n"}


def _names(rng: Random) -> Files:
    files: Files = {"faces.npy": array_bytes()}
    match rng.randrange(3):
        case 0:
            files["names.json"] = json_changed(rng, ["A/a.jpg", "B/b.jpg"])
        case 1:
            text = b'name,x\n"A/a.jpg",1\nB/b.jpg,2\n'
            files["names.csv"] = lines_changed(rng, text, ",")
        case _:
            files["names.txt"] = lines_changed(rng, b"A/a.jpg\nB/b.jpg\n", "/")
    if rng.random() < 0.5:
        files["identities.txt"] = lines_changed(rng, b"A\nB\n", " ")
    return files


def _read(folder: Path) -> None:
    names = next(folder.glob("names.*"))
    found = load_embeddings(folder / "faces.npy", names)
    assert np.isfinite(found.vectors).all()
    identities = folder / "identities.txt"
    if identities.exists():
        read_labelled(folder / "faces.npy", names, identities)
    with contextlib.suppress(UserError):  # of the rows, whatever file they are from
        select(found, ["A/a.jpg", "B/b.jpg"], "count")


def _entry(folder: Path) -> tuple[EmbeddingStore, str]:
    store = EmbeddingStore(folder / "store")
    return store, store.entry({"a": 1, "faces": 4}, "m").folder.name


def _stored(rng: Random) -> Files:
    name = _entry(Path())[1]
    shard = Shard(np.ones((4, 3), np.float32), np.ones(4, bool))
    manifest = {"model": "m", "faces": 4, "source": "lfw"}
    return {
        f"store/{name}/shard-00000.safetensors": tensors_changed(rng, _shard_bytes(shard), None),
        f"store/{name}/manifest.json": json_changed(rng, manifest),
    }


def _shard_bytes(shard: Shard) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        entry = EmbeddingStore(Path(folder)).entry({"a": 1, "faces": 4}, "m")
        entry.folder.mkdir(parents=True)
        entry.write(0, shard)
        return entry._path(0).read_bytes()


def _read_store(folder: Path) -> None:
    store, _ = _entry(folder)
    store.entries()
    assert store.size() >= 0
    entry = store.entry({"a": 1, "faces": 4}, "m")
    found = entry.read(0, 4)
    assert found is None or (found.vectors == 1).all(), "a damaged shard is believed"
    with entry.in_use():
        pass


TARGETS = (
    Target("embeddings (.npy)", _vectors, _read),
    Target("names of embeddings", _names, _read),
    Target("stored embeddings", _stored, _read_store),
)
