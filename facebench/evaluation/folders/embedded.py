"""The faces of a folder through a model, as one array of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import stream
from facebench.faces.types import Aligner, FaceSource
from facebench.models.embedders.base import Embedder, unit
from facebench.protocols.settings import Settings


@dataclass(frozen=True, eq=False)
class UnitFaces:
    """keys: of the faces that were acquired, sorted; vectors: float32 N×D of unit length, 4 bytes a
    number: 200 MB for 100,000 faces of 512; people: int64[N], positions in names; names: sorted.
    """

    keys: tuple[str, ...]
    vectors: NDArray[np.float32]
    people: NDArray[np.int64]
    names: tuple[str, ...]


def unit_faces(
    embedder: Embedder,
    source: FaceSource,
    aligner: Aligner,
    keys: Sequence[str],
    settings: Settings,
    *,
    kept: bool = True,
    owners: Sequence[str] | None = None,
) -> UnitFaces:
    """The faces of these images; one that cannot be read or found is left out.

    kept: in the store, if the settings say so; owners: who is in each image; None: its folder says.
    UserError: none was acquired.
    """
    store = EmbeddingStore() if kept and settings.store and embedder.storable else None
    found = list[str]()
    rows: NDArray[np.float32] | None = None
    for part in stream(
        embedder,
        source,
        keys,
        aligner,
        on_missing="count",
        batch=settings.batch,
        workers=settings.workers,
        store=store,
        progress=settings.progress,
    ):
        own = unit(part.vectors[part.acquired])
        if len(own):
            if rows is None:
                rows = np.empty((len(keys), own.shape[1]), dtype=np.float32)
            rows[len(found) : len(found) + len(own)] = own
            found += [key for key, there in zip(part.keys, part.acquired, strict=True) if there]
    if rows is None:
        raise UserError(
            f"none of the {len(keys):,} faces of {source.name} was acquired ({aligner.signature}); "
            "check how faces are found (--align, --landmarks, --detector)"
        )
    owner = dict(zip(keys, owners, strict=True)) if owners is not None else {}
    named = [owner.get(key) or key.split("/")[0] for key in found]
    names, people = np.unique(named, return_inverse=True)
    return UnitFaces(
        tuple(found), rows[: len(found)], people.astype(np.int64), tuple(map(str, names))
    )
