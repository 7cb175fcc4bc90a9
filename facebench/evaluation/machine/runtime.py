"""Candidates whose faces are embedded in the runtime that the settings say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.progress import error_console, lines_on
from facebench.base.text import printable
from facebench.embedding.loading import FaceBatches
from facebench.evaluation.candidate import Candidate
from facebench.protocols.prepared import PreparedProtocol
from facebench.protocols.settings import Settings


def in_runtime(candidate: Candidate, prepared: PreparedProtocol, settings: Settings) -> Candidate:
    """The same model, embedding where `Settings.runtime` says; what it says of itself is in its
    records.

    UserError: it cannot be run there, or does not agree with the model's own runtime.
    """
    embedder = candidate.embedder
    wanted = settings.runtime
    if embedder is None or wanted == "own":
        return candidate
    if candidate.card is None:
        if wanted == "auto":
            return candidate
        raise UserError(
            f"model {candidate.facts.id}: --runtime {wanted} needs a model that can be "
            "loaded there: a name, a card or a file; leave it out"
        )
    from facebench.costs.fastest import RuntimeChoice  # late: torch

    keys = prepared.keys(settings)
    choice = RuntimeChoice(
        candidate.spec,
        candidate.card,
        embedder,
        settings.batch,
        len(keys),
        lambda: _first_faces(candidate, prepared, list(keys[: settings.batch])),
    )
    if wanted == "auto":
        chosen = choice.fastest()
        console = error_console()
        if settings.progress and lines_on(console):
            console.print(printable(chosen.told), markup=False)
    else:
        chosen = choice.named(wanted)
    return replace(candidate, embedder=chosen.embedder)


def _first_faces(
    candidate: Candidate, prepared: PreparedProtocol, keys: list[str]
) -> NDArray[np.uint8]:
    """The first faces that are there, uint8 N×h×w×3; rendered ones where none is."""
    embedder, faces = candidate.embedder, prepared.faces
    assert embedder is not None
    size = embedder.preprocessing.size
    if faces.source is not None and faces.aligner is not None:
        found = FaceBatches(faces.source, faces.aligner, size, [keys])[0].faces
        if len(found):
            return found
    from facebench.models.export import twin_faces

    return twin_faces(size)
