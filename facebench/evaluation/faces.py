"""The embeddings of a protocol's faces under one model, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.precomputed import select
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import Extraction, stream
from facebench.embedding.types import Embeddings, ExtractionProfile
from facebench.evaluation.candidate import Candidate
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
        """Of the faces that the protocol uses, in parts, for `PreparedProtocol.run`.

        UserError, after the last part: no face was acquired, or all have the same embedding.
        """
        keys = self._prepared.keys(self._settings)
        given = self._candidate.embeddings
        if given is not None:
            parts = self._given(given, keys)
        else:
            settings, kept = self._settings, self._candidate.embedder
            parts = stream(
                keys=keys,
                **_arguments(self._candidate, self._prepared, settings, keys),
                store=EmbeddingStore() if settings.store and kept and kept.storable else None,
                progress=settings.progress,
                profile=self.profile,
            )
        for part in parts:
            self._count(part)
            yield part
        self._require_faces()

    def _given(self, given: Embeddings, keys: Sequence[str]) -> Iterator[Embeddings]:
        chosen = select(given, keys, self._settings.on_missing)
        for start in range(0, len(keys), _PART):
            rows = slice(start, start + _PART)
            yield Embeddings(chosen.keys[rows], chosen.vectors[rows], chosen.acquired[rows])

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


def extraction_of(
    candidate: Candidate, prepared: PreparedProtocol, settings: Settings
) -> Extraction:
    """The extraction that an evaluation of this model on this protocol begins with.

    UserError: there is no model, or there are no images.
    """
    keys = prepared.keys(settings)
    given = _arguments(candidate, prepared, settings, keys)
    return Extraction(keys=sorted(keys), known=given.pop("fingerprint"), **given)


def _arguments(
    candidate: Candidate, prepared: PreparedProtocol, settings: Settings, keys: Sequence[str]
) -> dict[str, Any]:
    embedder, faces = candidate.embedder, prepared.faces
    if embedder is None or faces.source is None or faces.aligner is None:
        raise UserError(f"protocol {prepared.card.name}: a model needs images: --data")
    return {
        "embedder": embedder,
        "source": faces.source,
        "aligner": faces.aligner,
        "on_missing": settings.on_missing,
        "batch": settings.batch,
        "workers": settings.workers,
        "fingerprint": faces.contents if len(keys) == len(faces.keys) else None,
    }
