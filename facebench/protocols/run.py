"""From a protocol's card to what runs it: one kind, one module, imported when it is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from facebench.faces.types import Progress
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.prepared import PreparedProtocol
from facebench.protocols.settings import DEFAULTS, Settings


def prepare_run(
    card: ProtocolCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedProtocol:
    """Find the faces and lists of a card. images: False where embeddings are given instead.

    progress: told of every synthetic face that is rendered. UserError: what is missing or wrong.
    """
    module = import_module(f"facebench.protocols.kinds.{card.runs_in}")
    prepared: PreparedProtocol = module.prepare(
        card, data, settings, images=images, progress=progress
    )
    return prepared
