"""What every kind of protocol offers once its faces are found, and what it is given to run."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.faces.types import Aligner, DataKind, FaceSource
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.outcome import FoldOutcome, Outcome
from facebench.protocols.settings import Settings
from facebench.similarity.base import Similarity

# In records: the same wherever the faces lie, since a record does not depend on that.
SYNTHETIC_NOTICE = (
    "SYNTHETIC FACES: rendered, not photographs; these numbers say nothing about real photographs "
    "and are never compared with them."
)


@dataclass(frozen=True)
class Embed:
    """Embeddings of named faces of the protocol's source.

    all: of keys, in their order; stream: of keys, in parts of some hundred, sorted by key, so that
    memory does not grow with their number.
    """

    all: Callable[[Sequence[str]], Embeddings]
    stream: Callable[[Sequence[str]], Iterator[Embeddings]]


def refuse_pooling(protocol: str, settings: Settings) -> None:
    """UserError where a pooling or frames were chosen for a protocol of single faces."""
    for option, value in (("--pooling", settings.pooling), ("--frames", settings.frames)):
        if value is not None:
            raise UserError(
                f"protocol {protocol}: {option} {value} has no effect, since it compares single "
                "faces; leave it out"
            )


class PreparedRun(ABC):
    """A card and its faces, ready for several models.

    source, aligner: None where only lists are there (embeddings were given); name, kind: of the
    faces, as records say them; told: what the user must be told of them now; keys: all faces that
    are used, sorted; contents: the source's fingerprint over keys, or None; label: what records
    call the images; published_list: whether the comparisons are the published ones, None: unknown.
    """

    # Dataclass fields or properties of the kinds; declared as properties so that both will do.
    if TYPE_CHECKING:

        @property
        def card(self) -> ProtocolCard: ...
        @property
        def source(self) -> FaceSource | None: ...
        @property
        def aligner(self) -> Aligner | None: ...
        @property
        def name(self) -> str: ...
        @property
        def kind(self) -> DataKind: ...
        @property
        def told(self) -> str | None: ...
        @property
        def keys(self) -> tuple[str, ...]: ...
        @property
        def published_list(self) -> bool | None: ...
        @property
        def contents(self) -> str | None: ...
        @property
        def label(self) -> str: ...

    @property
    def notice(self) -> str | None:
        """What records and tables must say of the faces."""
        return SYNTHETIC_NOTICE if self.kind == "synthetic" else None

    @property
    def list_remarks(self) -> tuple[str, ...]:
        """What is unusual about the lists, and counts as listed."""
        return ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What records say of the lists, and of what was guessed about the faces."""
        return (*self.list_remarks, *(self.aligner.remarks if self.aligner else ()))

    @abstractmethod
    def run(
        self, embed: Embed, similarity: Similarity, settings: Settings
    ) -> FoldOutcome | Outcome:
        """The statistics of one model; UserError where the lists cannot carry them."""

    @abstractmethod
    def pooling(self, settings: Settings) -> str:
        """What the record says of pooling, e.g. ``mean-score, all frames``."""


_FUNCTION = re.compile(r"\A[a-z_][a-z0-9_]*: ")  # statistics begin their errors with their name


def refused(protocol: str, error: ValueError) -> UserError:
    """A statistic's error as ``protocol NAME: ...``, without the function that it came from."""
    return UserError(f"protocol {protocol}: {_FUNCTION.sub('', str(error))}")
