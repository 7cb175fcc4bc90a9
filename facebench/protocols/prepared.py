"""A protocol with its faces at hand: what several models are then evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from facebench.embedding.unreadable import absent_faces, faces_refused
from facebench.errors import UserError
from facebench.faces.align_rules import make_aligner
from facebench.faces.binfile import BinSource
from facebench.faces.lists import PairList, read_pairs
from facebench.faces.locate import LocatedData, Progress, installed_at, locate
from facebench.faces.rendered import kind_of
from facebench.faces.types import Aligner, DataKind, FaceSource
from facebench.protocols.cards import VerificationCard
from facebench.protocols.verification import Comparisons, comparisons_of

_UNSEEN = "unseen"
# In records: the same wherever the faces lie, since a record does not depend on that.
SYNTHETIC_NOTICE = (
    "SYNTHETIC FACES: rendered, not photographs; these numbers say nothing about real photographs "
    "and are never compared with them."
)


@dataclass(frozen=True)
class FaceFiles:
    """Where the user says that things are; None: what is installed, or beside the images."""

    data: str | Path | None = None
    pairs: str | Path | None = None
    landmarks: str | Path | None = None
    align: str = "auto"
    detector: str | Path | None = None
    on_missing: Literal["error", "count"] = "error"


@dataclass(frozen=True)
class Prepared:
    """A card, its comparisons, and their faces; source, aligner: None where only lists are there.

    name, kind: of the faces, as records say them; told: what the user must be told of them now.
    """

    card: VerificationCard
    comparisons: Comparisons
    source: FaceSource | None
    aligner: Aligner | None
    name: str
    kind: DataKind
    told: str | None

    @property
    def notice(self) -> str | None:
        """What records and tables must say of the faces."""
        return SYNTHETIC_NOTICE if self.kind == "synthetic" else None

    @property
    def published_list(self) -> bool | None:
        """Whether the comparisons are the protocol's published ones; None where none can tell.

        That is so for rendered faces, whose notice says enough, for a ``.bin`` file, which numbers
        its images, and for a card of one's own without ``pairs``.
        """
        if self.kind == "synthetic" or isinstance(self.source, BinSource):
            return None
        if self.card.pairs is not None:
            return self.comparisons.fingerprint == self.card.pairs
        return None if self.card.dataset == "lfw" else False  # the others are published as .bin

    @cached_property
    def contents(self) -> str | None:
        """Fingerprint over the contents of the images, as the embedding store wants it."""
        return self.source.fingerprint(self.comparisons.keys) if self.source else None

    @cached_property
    def fingerprint(self) -> str:
        """What records call the images; of faces that were never seen, a name that says so."""
        if self.source is None:
            real = self.kind == "real"
            return f"{self.name}-{_UNSEEN}" if real else f"synthetic-{self.name}-{_UNSEEN}"
        return self.source.label(self.comparisons.keys, self.contents)


def prepare(
    card: VerificationCard, files: FaceFiles, *, images: bool, progress: Progress | None = None
) -> Prepared:
    """Find a protocol's faces and pairs. images: False where embeddings are given instead of them.

    progress: told of every synthetic face that is rendered. UserError: what is missing or wrong.
    """
    if not images and files.data is None:
        if files.pairs is not None:
            return _unseen(card, read_pairs(files.pairs), str(files.pairs))
        if installed_at(card.dataset) is None:
            raise UserError(
                f"protocol {card.name}: embeddings need the list of pairs: name it with --pairs, "
                "or the images with --data"
            )
    located = locate(card.dataset, files.data, pairs=files.pairs, progress=progress)
    source = located.source
    comparisons = comparisons_of(located.pairs)
    if images and files.on_missing == "error":  # before the aligner misses their landmarks
        _require_faces(source, comparisons.keys)
    aligner = _aligner(located, files) if images else None
    return Prepared(card, comparisons, source, aligner, source.name, source.kind, located.notice)


def _require_faces(source: FaceSource, keys: Sequence[str]) -> None:
    if absent := absent_faces(source, keys):
        raise faces_refused(source, absent, len(keys))


def _aligner(located: LocatedData, files: FaceFiles) -> Aligner:
    return make_aligner(
        files.align,
        located,
        landmarks=files.landmarks,
        yunet=files.detector,
        on_missing=files.on_missing,
    )


def _unseen(card: VerificationCard, pairs: PairList, where: str) -> Prepared:
    """Lists alone. Rendered faces are known by their names, and are never taken for photographs."""
    kind = kind_of(pairs, where)
    told = SYNTHETIC_NOTICE if kind == "synthetic" else None
    return Prepared(card, comparisons_of(pairs), None, None, card.dataset, kind, told)
