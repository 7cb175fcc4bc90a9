"""What a record says about a model: its hash, its size, and what of it was kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.embedding.precomputed import GivenEmbeddings, open_embeddings
from facebench.faces.tables.scores import GivenScores, read_scores
from facebench.models.cards.card import ModelCard
from facebench.models.cards.names import card_for
from facebench.models.cards.sweep import NamedModel
from facebench.models.counting.cost import Cost
from facebench.models.embedders.base import UNPINNED, Embedder
from facebench.models.embedders.deferred import known_or_loaded
from facebench.models.embedders.options import ModelOptions
from facebench.records.sections import UNKNOWN, UNSEEN, ModelSection
from facebench.similarity import Cosine, Similarity

if TYPE_CHECKING:
    from facebench.models.zoo import AnyModel

_UNHASHED = (
    "no hash covers what the model's numbers depend on: its embeddings are not kept, and each "
    "other result is a record of its own (a torch module with weights is hashed)"
)


@dataclass(frozen=True)
class Candidate:
    """What is evaluated: an embedder, or the embeddings or scores that one gave elsewhere.

    facts: all but the dimension, which is known when there are embeddings; card, spec: where the
    model has a card, and what both are loaded by; cost: what it takes.
    """

    facts: ModelSection
    embedder: Embedder | None
    embeddings: GivenEmbeddings | None = None
    card: ModelCard | None = None
    cost: Cost = field(default_factory=Cost)
    scores: GivenScores | None = None
    spec: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of it."""
        unhashed = (_UNHASHED,) if self.facts.weights_hash == UNPINNED else ()
        return (*unhashed, *(self.embedder.remarks if self.embedder else ()), *self.cost.remarks)

    def called(self, name: str) -> Candidate:
        """The same under another name."""
        if name == self.facts.id:
            return self
        return replace(self, facts=self.facts.model_copy(update={"id": name}))

    def similarity(self, name: str, metric: Path | None = None) -> Similarity:
        """A similarity by name; metric: its file, None: the card's. UserError: it cannot be."""
        if name == "cosine":
            return Cosine()
        if self.embeddings is not None and self.embeddings.vectors.whole:
            raise UserError(
                f"{self.facts.id}: embeddings in int8 have no scale, which the similarity {name} "
                "needs; compare them by cosine, or give floats"
            )
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


def with_ratios(candidates: Sequence[Candidate], parent: Candidate | None) -> list[Candidate]:
    """The candidates with their ratios: kept parameters to all of a parent, of those that say none.

    parent: of all of them; None: the one that a card names, or else the first candidate. UserError:
    a parent that no candidate can have, or whose parameters are not known.
    """
    if parent is not None and parent.facts.parameters is None:
        raise UserError(f"--parent {parent.facts.id}: its parameters are not known")
    if parent is not None and not any(map(_takes_ratio, candidates)):
        raise UserError(
            "--parent has no effect: the ratio of these models is to their own dense network, or "
            "their weights are not counted; leave it out"
        )
    reference = parent or candidates[0]
    return [
        _with_ratio(candidate, reference, parent is None) if _takes_ratio(candidate) else candidate
        for candidate in candidates
    ]


def _takes_ratio(candidate: Candidate) -> bool:
    cost, card = candidate.cost, candidate.card
    whole = card is None or card.architecture != "ensemble"
    return whole and cost.ratio is None and cost.kept is not None


def _with_ratio(candidate: Candidate, reference: Candidate, named: bool) -> Candidate:
    """named: whether the parent that its card names comes first."""
    from facebench.models.counting.model import parent_parameters

    own = parent_parameters(candidate.card) if named else None
    whole, kept = own or reference.facts.parameters, candidate.cost.kept
    if whole is None or kept is None:
        return candidate
    facts = candidate.facts.model_copy(update={"compression_ratio": kept / whole})
    return replace(candidate, facts=facts)


def candidate_of(
    model: AnyModel,
    options: ModelOptions | None = None,
    name: str | None = None,
    weights: Path | None = None,
) -> Candidate:
    """A model, loaded; UserError where it cannot be. options: override its card; weights: for a
    network that takes them.
    """

    def load() -> Embedder:
        # Late: torch, which takes seconds and is not needed where all embeddings are stored.
        from facebench.models.zoo import load_model

        return load_model(model, options, name=name, weights=weights)

    if not isinstance(model, (str, PathLike)):
        embedder = load()
        cost = _counted(embedder)
        return Candidate(_facts(embedder, cost), embedder, cost=cost)
    spec = NamedModel(name, model, weights).spec
    card = card_for(spec)

    def count(model: Embedder) -> Cost:
        return _counted(model, card)

    embedder = known_or_loaded(card, options, load, count) if name is None else load()
    cost = embedder.cost or count(embedder)
    return Candidate(_facts(embedder, cost), embedder, card=card, cost=cost, spec=spec)


def candidate_of_embeddings(path: Path, names: Path | None = None) -> Candidate:
    """Embeddings as a model, called as their file or folder is; UserError where they are wrong.

    path, names: as of `open_embeddings`.
    """
    given = open_embeddings(path, names)
    hashes = " ".join(map(sha256_file, given.files))
    facts = _given(path.stem, hashlib.sha256(hashes.encode()).hexdigest(), UNKNOWN)
    precision = "int8" if given.vectors.whole else facts.precision
    told = {"dimension": given.vectors.shape[1], "precision": precision}
    return Candidate(facts.model_copy(update=told), None, given)


def candidate_of_scores(table: Path) -> Candidate:
    """Scores as a model, called as their file is; UserError where the table is wrong."""
    scores = read_scores(table)
    return Candidate(_given(table.stem, sha256_file(table), UNSEEN), None, scores=scores)


def _given(name: str, sha256: str, preprocessing: str) -> ModelSection:
    """The facts of a model that nobody here has seen."""
    return ModelSection(
        id=name,
        weights_hash=sha256,
        parameters=None,
        kept_parameters=None,
        compression_ratio=None,
        bytes=None,
        dimension=0,
        precision="float32" if preprocessing == UNKNOWN else "unknown",
        preprocessing=preprocessing,
        flip="unknown",
    )


def _counted(embedder: Embedder, card: ModelCard | None = None) -> Cost:
    from facebench.models.counting.model import count_model  # late, as of `load`

    return count_model(embedder, card)


def _facts(embedder: Embedder, cost: Cost) -> ModelSection:
    preprocessing = embedder.preprocessing
    return ModelSection(
        id=embedder.id,
        weights_hash=embedder.weights_hash if embedder.storable else UNPINNED,
        parameters=cost.parameters,
        kept_parameters=cost.kept,
        compression_ratio=cost.ratio,
        bytes=cost.bytes,
        packed_bytes=cost.packed_bytes,
        packed_int8_bytes=cost.packed_int8_bytes,
        multiply_adds=cost.multiply_adds,
        kept_multiply_adds=cost.kept_multiply_adds,
        dimension=0,
        precision=embedder.precision,
        preprocessing=preprocessing.signature.replace(f" flip={preprocessing.flip}", ""),
        variant=embedder.variant,
        guessed=embedder.guessed,
        flip=preprocessing.flip,
    )
