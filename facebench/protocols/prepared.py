"""What every kind of protocol offers once its faces are found, and what it is given to run."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.faces.align.rules import make_aligner
from facebench.faces.locate import LocatedData, LocatedImages
from facebench.faces.tables.scores import GivenScores
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


@dataclass(frozen=True, eq=False)
class ProtocolFaces:
    """What was found of a protocol's faces and lists.

    keys: all faces that are used, sorted; name, kind: of the faces, as records say them; source,
    aligner: None where only lists are there (embeddings were given); told: what the user must be
    told of the faces now; list_remarks: what is unusual about the lists, and counts as listed.
    """

    keys: tuple[str, ...]
    name: str
    kind: DataKind
    source: FaceSource | None = None
    aligner: Aligner | None = None
    told: str | None = None
    list_remarks: tuple[str, ...] = ()

    @cached_property
    def contents(self) -> str | None:
        """Fingerprint over the contents of the images, as the embedding store wants it."""
        return self.source.fingerprint(self.keys) if self.source else None

    def take_contents(self, fingerprint: str) -> None:
        """Believe what was found of the same images elsewhere, instead of reading all of them."""
        vars(self)["contents"] = fingerprint

    @cached_property
    def label(self) -> str:
        """What records call the images; of faces that were never seen, a name that says so."""
        if self.source is None:
            return f"{self.name}-unseen" if self.kind == "real" else f"synthetic-{self.name}-unseen"
        return self.source.label(self.keys, self.contents)

    @property
    def notice(self) -> str | None:
        """What records and tables must say of the faces."""
        return SYNTHETIC_NOTICE if self.kind == "synthetic" else None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What records say of the lists, and of what was guessed about the faces."""
        return (*self.list_remarks, *(self.aligner.remarks if self.aligner else ()))


@dataclass(frozen=True, eq=False)
class PreparedProtocol(ABC):
    """A card and its faces, ready for several models; the kinds add their lists."""

    card: ProtocolCard
    faces: ProtocolFaces

    @property
    def published_list(self) -> bool | None:
        """Whether the comparisons are the published ones; None where none can tell."""
        return None

    @property
    def named_people(self) -> frozenset[str]:
        """Who is in the faces, by name: as the list says, else by the folders of the images."""
        return frozenset(key.split("/")[0] for key in self.faces.keys if "/" in key)

    @abstractmethod
    def pooling(self, settings: Settings) -> str:
        """What the record says of pooling, e.g. ``mean-score, all frames``; UserError where what
        was chosen has no use.
        """

    def keys(self, settings: Settings) -> Sequence[str]:
        """The faces that a run takes embeddings of, sorted: all, but where frames are chosen."""
        return self.faces.keys

    def rows_before_probes(self, settings: Settings) -> int:
        """How many rows a probe's embedding comes after that of the same face as it is, where only
        one side is degraded (`CandidateFaces.embeddings`); else 0, as there is one of each face.
        """
        degradation = self.card.degradation
        return len(self.keys(settings)) if degradation and degradation.probe_only else 0

    @abstractmethod
    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> FoldOutcome | Outcome:
        """The statistics of one model; UserError where the lists cannot carry them.

        embeddings: of `keys`, in parts in that order, of which a kind that pools holds one at a
        time; where only one side is degraded they are there twice, see `rows_before_probes`.
        """

    def scored(self, given: GivenScores, settings: Settings) -> FoldOutcome | Outcome:
        """As `run`, of scores that were computed elsewhere; UserError: the kind compares no single
        images, or comparisons have no score.
        """
        require_pairs_of_images(self.card)
        raise NotImplementedError


def chosen_aligner(located: LocatedData | LocatedImages, settings: Settings) -> Aligner:
    """The aligner of the settings; errors as those of `make_aligner`."""
    return make_aligner(
        settings.align,
        located,
        landmarks=settings.landmarks,
        landmarks_order=settings.landmarks_order,
        yunet=settings.detector,
        faces=settings.faces,
        on_missing=settings.on_missing,
    )


def require_pairs_of_images(card: ProtocolCard) -> None:
    """UserError for scores that were given, where a protocol has no pairs of single images."""
    if card.kind != "verification":
        raise UserError(
            f"protocol {card.name} ({card.kind}): --scores are of pairs of images, which the kind "
            "verification compares; choose another protocol"
        )


def refuse_pooling(protocol: str, settings: Settings) -> None:
    """UserError where a pooling or frames were chosen for a protocol of single faces."""
    for option, value in (("--pooling", settings.pooling), ("--frames", settings.frames)):
        if value is not None:
            raise UserError(
                f"protocol {protocol}: {option} {value} has no effect, since it compares single "
                "faces; leave it out"
            )


_FUNCTION = re.compile(r"\A[a-z_][a-z0-9_]*: ")  # statistics begin their errors with their name


def refused(protocol: str, error: ValueError) -> UserError:
    """A statistic's error as ``protocol NAME: ...``, without the function that it came from."""
    return UserError(f"protocol {protocol}: {_FUNCTION.sub('', str(error))}")
