"""Faces in, embeddings out, all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import OnMissing, stream
from facebench.embedding.types import Embeddings, ExtractionProfile, joined
from facebench.faces.types import Aligner, FaceSource
from facebench.models.embedders.base import Embedder


def extract(
    embedder: Embedder,
    source: FaceSource,
    keys: Sequence[str],
    aligner: Aligner,
    *,
    on_missing: OnMissing = "error",
    batch: int = 32,
    workers: int = 1,
    store: EmbeddingStore | None = None,
    progress: bool = True,
    profile: ExtractionProfile | None = None,
    fingerprint: str | None = None,
) -> Embeddings:
    """Embeddings of distinct keys of a source, in the order asked for.

    on_missing: ``error`` refuses absent or unreadable images, ``count`` makes them failures to
    acquire; a face that the aligner does not find is one in both. batch: faces per pass of the
    network; workers: processes that read and warp (0: none); store: where finished shards are kept
    and looked up (never those of an embedder that is not storable); progress: bar and summary on
    standard error; profile: receives the timings.
    fingerprint: the source's over these keys where the caller has just taken it (it reads every
    file).

    Where there are too many to hold, `facebench.embedding.stream.stream` gives them in parts.
    The numbers do not depend on the order of keys, on workers, or on what was stored before: keys
    are sorted, cut into shards of 512, and every shard is batched from its own start.

    UserError: unreadable images (the first few and their number), an embedding with NaN or infinity
    or of another width than the others (in these cases nothing stays in the store), a model that
    fails, a disk that refuses. ValueError: repeated keys.
    """
    parts = stream(
        embedder,
        source,
        keys,
        aligner,
        on_missing=on_missing,
        batch=batch,
        workers=workers,
        store=store,
        progress=progress,
        profile=profile,
        fingerprint=fingerprint,
    )
    return _in_order(joined(parts), keys)


def _in_order(found: Embeddings, asked: Sequence[str]) -> Embeddings:
    """Rows in the order asked for."""
    if found.keys == tuple(asked):
        return found
    place = {key: row for row, key in enumerate(found.keys)}
    rows = np.array([place[key] for key in asked], dtype=np.int64)
    return Embeddings(tuple(asked), found.vectors[rows], found.acquired[rows])
