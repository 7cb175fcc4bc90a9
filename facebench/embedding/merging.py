"""Stores of several machines as one: every shard is checked before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError
from facebench.embedding.store import SHARD, EmbeddingStore, Shard, StoreEntry

# Sums of products in another number of threads differ by some 2e-6 of a face's own length.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Merged:
    """What became of one entry. taken: shards copied; same, close: that were here already, to the
    bit or within `TOLERANCE`; damaged: not intact there; present, total: shards here now.
    """

    model: str
    source: str
    taken: int
    same: int
    close: int
    damaged: int
    present: int
    total: int


def merge(store: EmbeddingStore, other: Path, required: bool = True) -> list[Merged]:
    """Take over what another store has and this one lacks; nothing is removed anywhere.

    other: its folder, or that of the cache that holds it. UserError: there is none, where required;
    an entry whose name does not belong to what it says of itself; a shard that differs by more than
    `TOLERANCE` from the one here, of which nothing is taken, as one of the two is wrong.
    """
    inside = other / "embeddings"
    there = EmbeddingStore(inside if inside.is_dir() else other)
    found = there.manifests()
    if not found and required:
        raise UserError(f"{there.folder} holds no embeddings; name a folder of FACEBENCH_CACHE")
    return [_merge_entry(store, folder, manifest) for folder, manifest in found]


def _merge_entry(store: EmbeddingStore, folder: Path, manifest: Mapping[str, object]) -> Merged:
    said = {name: value for name, value in manifest.items() if name != "model"}
    identity = {name: v for name, v in said.items() if isinstance(v, (str, int))}
    model, faces = str(manifest.get("model", "?")), identity.get("faces")
    theirs, ours = (StoreEntry(place, identity, model) for place in (folder.parent, store.folder))
    if theirs.folder != folder or not isinstance(faces, int) or faces < 0:
        raise UserError(
            f"{folder}: its manifest is not that of its embeddings; remove it, and make them again"
        )
    counts = dict.fromkeys(("taken", "same", "close", "damaged"), 0)
    numbers = range(-(-faces // SHARD))
    with ours.in_use():
        for number in numbers:
            size = min(SHARD, faces - number * SHARD)
            if not theirs.has(number):
                continue
            shard = theirs.read(number, size)
            own = ours.read(number, size) if ours.has(number) else None
            what = "damaged" if shard is None else _compared(shard, own, folder, number)
            counts[what] += 1
            if shard is not None and what == "taken":
                ours.write(number, shard)
        present = sum(ours.has(number) for number in numbers)
    source = str(identity.get("source", "?"))
    return Merged(model, source, **counts, present=present, total=len(numbers))


def _compared(shard: Shard, own: Shard | None, folder: Path, number: int) -> str:
    """``taken``, ``same`` or ``close``. UserError: neither."""
    if own is None:
        return "taken"
    if np.array_equal(shard.acquired, own.acquired) and shard.vectors.shape == own.vectors.shape:
        if np.array_equal(shard.vectors.view(np.uint32), own.vectors.view(np.uint32)):
            return "same"
        apart = np.linalg.norm(shard.vectors.astype(np.float64) - own.vectors, axis=1)
        lengths = np.linalg.norm(own.vectors.astype(np.float64), axis=1)
        if (apart <= TOLERANCE * lengths).all():
            return "close"
    raise UserError(
        f"shard {number} of {folder} differs from the one here by more than other threads explain; "
        "one of the two machines computed it wrongly: make it again on both, and remove the other"
    )
