"""From a protocol's card to what runs it: one kind, one module, imported when it is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from facebench.base.errors import UserError
from facebench.faces.locate import Progress
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.prepared import PreparedRun
from facebench.protocols.settings import DEFAULTS, Settings

_MODULES: MappingProxyType[str, str] = MappingProxyType(
    {
        "verification": "verification",
        "video": "video",
        "identification": "identification",
        "all-pairs": "all_pairs",
        "template": "templates.verification",
        "template-search": "templates.search",
    }
)


def prepare_run(
    card: ProtocolCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedRun:
    """Find the faces and lists of a card. images: False where embeddings are given instead.

    progress: told of every synthetic face that is rendered. UserError: what is missing or wrong.
    """
    if card.kind not in _MODULES:
        raise UserError(f"protocol {card.name}: nothing runs the kind {card.kind!r}")
    module = import_module(f"facebench.protocols.{_MODULES[card.kind]}")
    prepared: PreparedRun = module.prepare(card, data, settings, images=images, progress=progress)
    return prepared
