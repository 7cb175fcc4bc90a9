"""The embeddings of a protocol's faces under one model, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.extract import extract
from facebench.embedding.precomputed import select
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import stream
from facebench.embedding.types import Embeddings, ExtractionProfile
from facebench.evaluation.candidate import Subject
from facebench.protocols.prepared import Embed, PreparedRun
from facebench.protocols.settings import Settings

_PART = 512  # rows of embeddings that were given, handed on at a time


class SubjectFaces:
    """What a protocol asks embeddings of, and how the asking went.

    profile: where the time went; dimension: numbers in an embedding; asked: faces that the protocol
    used, which frames of its choosing may make fewer than it has; failed: those not acquired.
    """

    def __init__(self, subject: Subject, prepared: PreparedRun, settings: Settings) -> None:
        self._subject, self._prepared, self._settings = subject, prepared, settings
        self.profile = ExtractionProfile()
        self.dimension = self.asked = self.failed = 0
        self._first: NDArray[np.float32] | None = None
        self._varied = False

    @property
    def embed(self) -> Embed:
        """For `PreparedRun.run`."""
        return Embed(self._all, self._stream)

    def _all(self, keys: Sequence[str]) -> Embeddings:
        given, missing = self._subject.embeddings, self._settings.on_missing
        if given is not None:
            found = self._counted(select(given, keys, missing))
        else:
            found = self._counted(extract(keys=keys, **self._arguments(keys)))
        self._require_faces()
        return found

    def _stream(self, keys: Sequence[str]) -> Iterator[Embeddings]:
        given, missing = self._subject.embeddings, self._settings.on_missing
        if given is None:
            for part in stream(keys=keys, **self._arguments(keys)):
                yield self._counted(part)
            self._require_faces()
            return
        chosen = select(given, sorted(keys), missing)
        for start in range(0, len(chosen.keys), _PART):
            rows = slice(start, start + _PART)
            part = Embeddings(chosen.keys[rows], chosen.vectors[rows], chosen.acquired[rows])
            yield self._counted(part)
        self._require_faces()

    def _require_faces(self) -> None:
        """UserError where no face was acquired, or where all have the same embedding."""
        acquired = self.asked - self.failed
        if self.asked and not acquired and self._settings.on_missing == "error":
            rule = self._prepared.aligner.signature if self._prepared.aligner else "by their names"
            raise UserError(
                f"none of the {self.asked:,} faces was acquired ({rule}); check the images, and "
                "how faces are found in them (--align, --landmarks, --detector)"
            )
        if acquired > 1 and not self._varied:
            raise UserError(
                f"model {self._subject.facts.id} gave the same embedding for all {acquired:,} "
                "faces; check its weights, its mean and scale, or choose another of its outputs "
                "with --output-name"
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

    def _arguments(self, keys: Sequence[str]) -> dict[str, Any]:
        subject, prepared, settings = self._subject, self._prepared, self._settings
        if subject.embedder is None or prepared.source is None or prepared.aligner is None:
            raise UserError(f"protocol {prepared.card.name}: a model needs images: --data")
        whole = len(keys) == len(prepared.keys)
        return {
            "embedder": subject.embedder,
            "source": prepared.source,
            "aligner": prepared.aligner,
            "on_missing": settings.on_missing,
            "batch": settings.batch,
            "workers": settings.workers,
            "store": EmbeddingStore() if settings.store and subject.embedder.storable else None,
            "progress": settings.progress,
            "profile": self.profile,
            "fingerprint": prepared.contents if whole else None,
        }

    def _counted(self, part: Embeddings) -> Embeddings:
        self._compare(part)
        self.dimension = max(self.dimension, part.vectors.shape[1])
        self.asked += len(part.keys)
        self.failed += int(np.count_nonzero(~part.acquired))
        return part
