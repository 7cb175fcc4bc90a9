"""Files that a protocol's card names: lists that lie beside it."""

from __future__ import annotations

from pathlib import Path

from facebench.base.storage import workspace_folders
from facebench.models.cards.places import require_inside
from facebench.protocols.cards import ProtocolCard, VerificationCard
from facebench.protocols.settings import Settings


def folders_of(card: ProtocolCard) -> list[Path]:
    """Where the files of a card may lie: its own folder, then those of all cards."""
    own = [] if card.folder is None else [card.folder]
    return [*own, *workspace_folders("protocols")]


def file_beside(card: ProtocolCard, field: str, name: str) -> Path | None:
    """The file that a card's field names, None: it lies with no cards.

    UserError: it leads out of the folder.
    """
    for folder in folders_of(card):
        if (folder / name).is_file():
            require_inside(folder / f"{card.name}.toml", field, name, kind="protocols")
            return folder / name
    return None


def list_beside(card: ProtocolCard) -> Path | None:
    """The list of pairs that lies with a card."""
    named = card.pair_list if isinstance(card, VerificationCard) else ""
    return file_beside(card, "pair_list", named) if named else None


def chosen_list(card: ProtocolCard, settings: Settings) -> str | Path | None:
    """The list of pairs that was named, or lies with the card; None: it is with the data."""
    return settings.pairs if settings.pairs is not None else list_beside(card)
