"""What a record says about a model: its hash, its size, and what of it was kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.storage import sha256_file
from facebench.embedding.precomputed import load_embeddings
from facebench.embedding.types import Embeddings
from facebench.models.cards.card import ModelCard
from facebench.models.cards.names import card_for
from facebench.models.embedders.base import UNPINNED, Embedder
from facebench.models.embedders.deferred import known_or_loaded
from facebench.models.embedders.options import ModelOptions
from facebench.models.sizes import Cost, cost_of
from facebench.records.sections import UNKNOWN, ModelSection
from facebench.similarity import Cosine, Similarity

if TYPE_CHECKING:
    from facebench.models.zoo import AnyModel

_UNHASHED = (
    "no hash covers what the model's numbers depend on: its embeddings are not kept, and each "
    "other result is a record of its own (a torch module with weights is hashed)"
)


@dataclass(frozen=True)
class Candidate:
    """What is evaluated: an embedder, or the embeddings that one gave elsewhere.

    facts: all but the dimension, which is known when there are embeddings; card: where the model
    has one.
    """

    facts: ModelSection
    embedder: Embedder | None
    embeddings: Embeddings | None = None
    card: ModelCard | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of it."""
        unhashed = (_UNHASHED,) if self.facts.weights_hash == UNPINNED else ()
        return (*unhashed, *(self.embedder.remarks if self.embedder else ()))

    def similarity(self, name: str, metric: Path | None = None) -> Similarity:
        """A similarity by name; metric: its file, None: the card's. UserError: it cannot be."""
        if name == "cosine":
            return Cosine()
        from facebench.similarity.learned import similarity_for

        attached = self.card.metric_fields(name) if self.card else None
        return similarity_for(
            name,
            metric=metric,
            card_metric=self.card.path.parent / attached.file if self.card and attached else None,
            card_sha256=attached.sha256 if attached else None,
            weights_hash=self.embedder.weights_hash if self.embedder else "",
            preprocessing=self.embedder.preprocessing.signature if self.embedder else "",
        )


def candidate_of(
    model: AnyModel, options: ModelOptions | None = None, name: str | None = None
) -> Candidate:
    """A model, loaded; UserError where it cannot be. options: override its card."""

    def load() -> Embedder:
        # Late: torch, which takes seconds and is not needed where all embeddings are stored.
        from facebench.models.zoo import load_model

        return load_model(model, options, name=name)

    if not isinstance(model, (str, PathLike)):
        embedder = load()
        return Candidate(_facts(embedder), embedder)
    card = card_for(str(model))
    embedder = known_or_loaded(card, options, load) if name is None else load()
    return Candidate(_facts(embedder, card), embedder, card=card)


def candidate_of_embeddings(npy: Path, names: Path) -> Candidate:
    """Embeddings as a model, called as their file is; UserError where the files are wrong."""
    embeddings = load_embeddings(npy, names)
    both = f"{sha256_file(npy)} {sha256_file(names)}"
    facts = ModelSection(
        id=npy.stem,
        weights_hash=hashlib.sha256(both.encode()).hexdigest(),
        parameters=None,
        kept_parameters=None,
        compression_ratio=None,
        bytes=None,
        dimension=embeddings.vectors.shape[1],
        precision="float32",
        preprocessing=UNKNOWN,
        flip="unknown",
    )
    return Candidate(facts, None, embeddings)


def _facts(embedder: Embedder, card: ModelCard | None = None) -> ModelSection:
    cost = cost_of(card) if card else Cost()
    preprocessing = embedder.preprocessing
    return ModelSection(
        id=embedder.id,
        weights_hash=embedder.weights_hash if embedder.storable else UNPINNED,
        parameters=cost.parameters,
        kept_parameters=cost.kept,
        compression_ratio=cost.ratio,
        bytes=cost.bytes,
        dimension=0,
        precision=embedder.precision,
        preprocessing=preprocessing.signature.replace(f" flip={preprocessing.flip}", ""),
        variant=embedder.variant,
        guessed=embedder.guessed,
        flip=preprocessing.flip,
    )
