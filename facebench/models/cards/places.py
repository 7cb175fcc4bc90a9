"""Where the files that a card names may lie: a card of others is no way to files of one's own."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from facebench.base.errors import UserError
from facebench.base.storage import Workspace, workspace_folders


def require_inside(
    card: Path, field: str, file: str, named: Path | None = None, kind: Workspace = "models"
) -> None:
    """UserError where a card's file is not below its folder, or a link leads out of its workspace.

    The workspace is the folder that holds the folder ``models/`` (or ``protocols/``, by kind) with
    the card in it; of a card elsewhere, its own folder. named: a file that the user named himself,
    wherever it leads.
    """
    if "\0" in file:
        raise UserError(f"{card}: field {field!r}: {file!r} is the name of no file")
    path = card.parent / file
    if named is not None and _real(path) == _real(named):
        return
    written, root = PurePath(file), _workspace_of(card, kind)
    if written.is_absolute() or ".." in written.parts or not _real(path).is_relative_to(root):
        raise UserError(
            f"{card}: field {field!r}: {file!r} leads out of {root}; put the file there, or name "
            "it yourself in place of the card"
        )


def _workspace_of(card: Path, kind: Workspace) -> Path:
    folder = _real(card.parent)
    for cards in map(_real, workspace_folders(kind)):
        if folder.is_relative_to(cards):
            return cards.parent
    return folder


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises where links go round
