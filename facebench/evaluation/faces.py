"""The embeddings of a protocol's faces under one model, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.precomputed import GivenEmbeddings, rows_of
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import Extraction, stream
from facebench.embedding.types import Embeddings, ExtractionProfile
from facebench.evaluation.candidate import Candidate
from facebench.faces.degrade.aligner import DegradedAligner
from facebench.faces.degrade.names import JOIN
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.prepared import PreparedProtocol
from facebench.protocols.settings import Settings

_PART = 512  # rows of embeddings that were given, handed on at a time


_OF_A_MODEL = (
    "check its weights, its mean and scale, or choose another of its outputs with --output-name"
)
_OF_A_FILE = "check what wrote the file: every face must have a row of its own"


class CandidateFaces:
    """What a protocol asks embeddings of, and how the asking went.

    profile: where the time went; dimension: numbers in an embedding; asked: faces that the protocol
    used, which frames of its choosing may make fewer than it has; failed: those not acquired.
    """

    def __init__(
        self, candidate: Candidate, prepared: PreparedProtocol, settings: Settings
    ) -> None:
        self._candidate, self._prepared, self._settings = candidate, prepared, settings
        self.profile = ExtractionProfile()
        self.dimension = self.asked = self.failed = 0
        self._first: NDArray[np.float32] | None = None
        self._varied = False

    def embeddings(self) -> Iterator[Embeddings]:
        """Of the faces that the protocol uses, in parts, for `PreparedProtocol.run`; where only one
        side is degraded, of all faces as they are, and then of all degraded, so that both are those
        that the store has of a protocol without degradation and of one with it.

        UserError, after the last part: no face was acquired, or all have the same embedding.
        """
        keys = self._prepared.keys(self._settings)
        given = self._candidate.embeddings
        if given is not None:
            parts = self._given(given, keys)
        else:
            parts = self._made(keys, degraded=_cuts(self._prepared)[0])
        for part in parts:
            self._count(part)
            yield part
        self._require_faces()
        for degraded in [] if given is not None else _cuts(self._prepared)[1:]:
            yield from self._made(keys, degraded=degraded)

    def _made(self, keys: Sequence[str], *, degraded: bool) -> Iterator[Embeddings]:
        settings, kept = self._settings, self._candidate.embedder
        return stream(
            keys=keys,
            **_arguments(self._candidate, self._prepared, settings, keys, degraded=degraded),
            store=EmbeddingStore() if settings.store and kept and kept.storable else None,
            progress=settings.progress,
            profile=self.profile,
        )

    def _given(self, given: GivenEmbeddings, keys: Sequence[str]) -> Iterator[Embeddings]:
        rows = rows_of(given.keys, keys, self._settings.on_missing)
        for start in range(0, len(keys), _PART):
            some = rows[start : start + _PART]
            acquired = some >= 0
            vectors = np.zeros((len(some), given.vectors.shape[1]), dtype=np.float32)
            vectors[acquired] = given.vectors[some[acquired]]
            yield Embeddings(tuple(keys[start : start + _PART]), vectors, acquired)

    def _require_faces(self) -> None:
        acquired = self.asked - self.failed
        if self.asked and not acquired and self._settings.on_missing == "error":
            aligner = self._prepared.faces.aligner
            rule = aligner.signature if aligner else "by their names"
            raise UserError(
                f"none of the {self.asked:,} faces was acquired ({rule}); check the images, and "
                "how faces are found in them (--align, --landmarks, --detector)"
            )
        if acquired > 1 and not self._varied:
            raise UserError(
                f"model {self._candidate.facts.id} gave the same embedding for all {acquired:,} "
                f"faces; {_OF_A_MODEL if self._candidate.embedder else _OF_A_FILE}"
            )

    @property
    def remarks(self) -> tuple[str, ...]:
        """Of faces that were not acquired where nobody said that they may be."""
        if not self.failed or self._settings.on_missing == "count":
            return ()
        return (
            f"{self.failed:,} of {self.asked:,} faces were not acquired, as no face could be cut "
            "out; their comparisons count as failures",
        )

    def _compare(self, part: Embeddings) -> None:
        rows = part.vectors[part.acquired]
        if self._varied or not len(rows):
            return
        if self._first is None:
            self._first = rows[0].copy()
        self._varied = bool((rows != self._first).any())

    def _count(self, part: Embeddings) -> None:
        self._compare(part)
        self.dimension = max(self.dimension, part.vectors.shape[1])
        self.asked += len(part.keys)
        self.failed += int(np.count_nonzero(~part.acquired))


def require_degradable(candidate: Candidate, card: ProtocolCard) -> None:
    """UserError where a protocol degrades crops and there are none, or none as large."""
    if card.degradation is None:
        return
    if candidate.embedder is None:
        given = "scores" if candidate.scores else "embeddings"
        raise UserError(
            f"protocol {card.name}: {given} were given ({candidate.facts.id}), and only images can "
            f"be degraded; name a --model, or choose -p {card.plain.name}"
        )
    height, _ = candidate.embedder.preprocessing.size
    card.degradation.require_fits(height, f"protocol {card.name}", candidate.facts.id)


def extractions_of(
    candidate: Candidate, prepared: PreparedProtocol, settings: Settings
) -> dict[str, Extraction]:
    """What an evaluation of this model on this protocol begins with, by the protocol whose faces
    they are: one extraction, or two where only one side is degraded.

    UserError: there is no model, or there are no images, or none that could be degraded.
    """
    require_degradable(candidate, prepared.card)
    keys = prepared.keys(settings)
    plain, how = prepared.card.plain.name, prepared.card.degradation
    found = {}
    for degraded in _cuts(prepared):
        given = _arguments(candidate, prepared, settings, keys, degraded=degraded)
        name = f"{plain}{JOIN}{how.crop_name}" if how and degraded else plain
        found[name] = Extraction(keys=sorted(keys), known=given.pop("fingerprint"), **given)
    return found


def _cuts(prepared: PreparedProtocol) -> list[bool]:
    """Whether crops are degraded, once for each time that all faces are embedded."""
    degradation = prepared.card.degradation
    if degradation is None:
        return [False]
    return [False, True] if degradation.probe_only else [True]


def _arguments(
    candidate: Candidate,
    prepared: PreparedProtocol,
    settings: Settings,
    keys: Sequence[str],
    *,
    degraded: bool,
) -> dict[str, Any]:
    embedder, faces, how = candidate.embedder, prepared.faces, prepared.card.degradation
    if embedder is None or faces.source is None or faces.aligner is None:
        raise UserError(f"protocol {prepared.card.name}: a model needs images: --data")
    return {
        "embedder": embedder,
        "source": faces.source,
        "aligner": DegradedAligner(faces.aligner, how) if how and degraded else faces.aligner,
        "on_missing": settings.on_missing,
        "batch": settings.batch,
        "workers": settings.workers,
        "fingerprint": faces.contents if len(keys) == len(faces.keys) else None,
    }
