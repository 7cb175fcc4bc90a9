"""What evaluations begin with, alone: the faces of protocols under models, kept in the store."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError
from facebench.base.storage import write_together
from facebench.embedding.shards import Filled
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import Extraction
from facebench.embedding.types import Embeddings, joined
from facebench.evaluation.evaluate import candidates_of, prepare_all
from facebench.evaluation.faces import extractions_of
from facebench.evaluation.machine.runtime import in_runtime
from facebench.models.cards.sweep import NamedModel, Weights, swept
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.cards import load_protocol
from facebench.protocols.settings import Settings


@dataclass(frozen=True)
class NamedExtraction:
    """An extraction, and the model and protocol that it is of.

    protocol: the one whose faces they are, which that of the card may be a part of.
    """

    model: str
    protocol: str
    job: Extraction
    card: str


def extractions(
    models: Sequence[str],
    protocols: Sequence[str],
    data: str | Path | None,
    *,
    weights: Weights | None,
    options: ModelOptions,
    settings: Settings,
    known: Mapping[str, str] | None = None,
) -> list[NamedExtraction]:
    """Those of every model on every protocol, protocol by protocol; faces are found once.

    known: of cards by name the fingerprint of all faces, where it was taken elsewhere, of the same
    files. UserError: what is wrong with a model or with the faces of a protocol.
    """
    cards = [load_protocol(name) for name in dict.fromkeys(protocols)]
    candidates = candidates_of(swept([NamedModel(None, one) for one in models], weights), options)
    ready = prepare_all(cards, data, settings, images=True)
    for prepared in ready:
        if known and prepared.card.name in known:
            prepared.faces.take_contents(known[prepared.card.name])
    candidates = [in_runtime(candidate, ready[0], settings) for candidate in candidates]
    return [
        NamedExtraction(candidate.facts.id, protocol, job, prepared.card.name)
        for prepared in ready
        for candidate in candidates
        for protocol, job in extractions_of(candidate, prepared, settings).items()
    ]


def write_embeddings(job: Extraction, store: EmbeddingStore, npy: Path) -> int:
    """The embeddings of a finished extraction as ``.npy``, and the names of its rows as ``.txt``
    beside it; how many there are: faces that were not acquired have none.

    UserError: a name that is no line of text.
    """
    with job.kept(job.entry(store)) as entry:
        shards = job.make(entry, job.numbers, False)
        parts = (
            Embeddings(tuple(job.shard_keys(number)), shard.vectors, shard.acquired)
            for number, shard in zip(job.numbers, shards, strict=True)
        )
        found = joined(parts)
    names = [key for key, there in zip(found.keys, found.acquired, strict=True) if there]
    broken = next((name for name in names if name != name.strip() or "\n" in name), None)
    if broken is not None:
        raise UserError(f"the name {broken!r} is no line of a list; rename the image")
    data = io.BytesIO()
    np.save(data, found.vectors[found.acquired])
    text = "".join(f"{name}\n" for name in names)
    write_together({npy: data.getvalue(), npy.with_suffix(".txt"): text.encode()})
    return len(names)


def words_of(one: NamedExtraction, done: Filled, share: str | None) -> str:
    """What was made, in one line."""
    mine = f"shard {share}: " if share else ""
    line = (
        f"{one.model} on {one.protocol}: {mine}{done.faces:,} faces in {done.shards:,} of "
        f"{done.total:,} files"
    )
    if done.failed:
        line += f", {done.failed:,} not acquired"
    return line + ("; all are there" if done.complete else f"; {done.present:,} are there")
