"""The embeddings of a protocol's faces as their template keeps them, on axes of other faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.extract import extract
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.types import Embeddings
from facebench.evaluation.candidate import Candidate
from facebench.evaluation.others import OtherFaces
from facebench.protocols.settings import Settings
from facebench.similarity.templates import PrincipalAxes, Template, kept, principal_axes

_SAME = 1 - 1e-6  # cosine of two embeddings of one image, in passes of different faces
_BLOCK = 4096


class FitFaces(OtherFaces):
    """The faces that principal axes are fitted on."""

    @classmethod
    def of(cls, settings: Settings) -> FitFaces | None:
        """Those that ``template_fit`` names, or None. UserError: what is wrong with them."""
        if settings.template_fit is None:
            return None
        return cls.named("--template-fit", Path(settings.template_fit), settings.on_missing)

    def embedded(self, candidate: Candidate, settings: Settings) -> NDArray[np.float32]:
        """Their embeddings by a model, float32 N×D. UserError: there is no model."""
        embedder = candidate.embedder
        if embedder is None:
            raise UserError(
                f"{candidate.facts.id}: pca needs a model to embed the faces of --template-fit; of "
                "embeddings alone choose fp16, int8 or binary"
            )
        found = extract(
            embedder,
            self.source,
            self.keys,
            self.aligner,
            on_missing=settings.on_missing,
            batch=settings.batch,
            workers=settings.workers,
            store=EmbeddingStore() if settings.store and embedder.storable else None,
            progress=settings.progress,
        )
        return found.vectors[found.acquired]


@dataclass(frozen=True, eq=False)
class FittedTemplate:
    """A template for one model. axes, fitted_on, others: where it has principal axes the axes, the
    name of the faces that they were fitted on, and these faces' embeddings at unit length.
    """

    template: Template
    axes: PrincipalAxes | None = None
    fitted_on: str = ""
    others: NDArray[np.float32] | None = None

    @property
    def recorded(self) -> str:
        """As records say it: nothing for whole embeddings, ``int8``, ``pca-64(LABEL)+int8``."""
        if self.template.plain:
            return ""
        axes, plus, code = self.template.name.partition("+")
        return f"{axes}({self.fitted_on}){plus}{code}" if self.axes else axes

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the axes were fitted on."""
        if self.others is None:
            return ()
        return (
            f"template {self.template.name}: its axes were fitted on {len(self.others):,} faces of "
            f"{self.fitted_on}, none of which is a face of the test",
        )

    def kept(self, parts: Iterable[Embeddings]) -> Iterator[Embeddings]:
        """Parts of embeddings, each face as it comes back from its bytes.

        UserError: a number that the template cannot hold, a face that the axes were fitted on;
        after the last part, that all faces were kept alike, of which no threshold tells anything.
        """
        first, varied, acquired = None, False, 0
        for part in parts:
            rows = part.vectors
            if self.axes is not None:
                self._require_others(part)
                rows = self.axes.project(rows)
            rows = kept(rows, self.template.code)
            there = rows[part.acquired]
            acquired += len(there)
            if first is None and len(there):
                first = there[0].copy()
            varied = varied or bool((there != first).any())
            yield replace(part, vectors=rows)
        if acquired > 1 and not varied:
            why = ": no number is on either side of zero" * (self.template.code == "binary")
            raise UserError(
                f"template {self.template.name} keeps all {acquired:,} faces alike{why}; choose "
                "another"
            )

    def _require_others(self, part: Embeddings) -> None:
        assert self.others is not None
        rows = _unit(part.vectors)
        for start in range(0, len(self.others), _BLOCK):
            same = (rows @ self.others[start : start + _BLOCK].T >= _SAME).any(axis=1)
            if same.any():
                key = part.keys[int(np.argmax(same))]
                raise UserError(
                    f"template {self.template.name}: {key} of the test is among the faces of "
                    "--template-fit, whatever it is called there; name faces of others"
                )


def fitted(
    template: Template, candidate: Candidate, faces: FitFaces | None, settings: Settings
) -> FittedTemplate:
    """A template for one model; UserError: its axes cannot be fitted on the faces."""
    if template.axes is None or faces is None:
        return FittedTemplate(template)
    vectors = faces.embedded(candidate, settings)
    try:
        axes = principal_axes(vectors, template.axes)
    except ValueError as error:
        raise UserError(
            f"{candidate.facts.id}: {error}; choose fewer, or name more faces"
        ) from None
    return FittedTemplate(template, axes, faces.label, _unit(vectors))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)
