"""What every kind of protocol offers once its faces are found, and what it is given to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from facebench.embedding.types import Embeddings
from facebench.faces.types import Aligner, DataKind, FaceSource
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.outcome import FoldOutcome, Outcome
from facebench.similarity.base import Similarity


@dataclass(frozen=True)
class Choices:
    """What the user chose; None: what the card says. draws, seed: of the bootstrap."""

    pooling: str | None = None
    frames: str | None = None
    rule: str = "exact"
    draws: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Embed:
    """Embeddings of named faces of the protocol's source.

    all: of keys, in their order; stream: of keys, in parts of some hundred, sorted by key, so that
    memory does not grow with their number.
    """

    all: Callable[[Sequence[str]], Embeddings]
    stream: Callable[[Sequence[str]], Iterator[Embeddings]]


class PreparedRun(ABC):
    """A card and its faces, ready for several models.

    source, aligner: None where only lists are there (embeddings were given); name, kind: of the
    faces, as records say them; told: what the user must be told of them now; keys: all faces that
    are used, sorted; contents: the source's fingerprint over keys, or None; label: what records
    call the images; published_list: whether the comparisons are the published ones, None: unknown.
    """

    card: ProtocolCard
    source: FaceSource | None
    aligner: Aligner | None
    name: str
    kind: DataKind
    told: str | None
    keys: tuple[str, ...]
    published_list: bool | None
    contents: str | None
    label: str

    @abstractmethod
    def run(self, embed: Embed, similarity: Similarity, choices: Choices) -> FoldOutcome | Outcome:
        """The statistics of one model; UserError where the lists cannot carry them."""

    @abstractmethod
    def pooling(self, choices: Choices) -> str:
        """What the record says of pooling, e.g. ``mean-score, all frames``."""
