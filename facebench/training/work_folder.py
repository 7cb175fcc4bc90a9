"""A network's folder of work: what it was begun with, so that nothing else continues there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from facebench.errors import UserError
from facebench.nets.cards import read_card
from facebench.storage import write_atomically

FINAL, SETTINGS, DONE = "final.pt", "settings.json", "published.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Evaluated(NamedTuple):
    """One record: its protocol, with the kind of data where these are not photographs, a sentence
    for the card, its accuracy (None: it has none) and the 95% interval of that, over people where
    the record has one (None: not asked for).
    """

    protocol: str
    sentence: str
    accuracy: float | None
    interval: tuple[float, float] | None = None


# (model card's path, names of the protocols) → one result per protocol
Evaluate = Callable[[Path, tuple[str, ...]], list[Evaluated]]


def check_name(option: str, name: str) -> None:
    """UserError, naming the option, where a card and its folder of work cannot be called so."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{option} {name}: a name of letters, digits, '_', '-' and '.', at most 64, of which "
            "the first is a letter or a digit"
        )


def check_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """UserError where a folder holds what was learned with other settings."""
    path = folder / SETTINGS
    if path.exists() and json.loads(path.read_text()) != as_json(settings):
        before = json.loads(path.read_text())
        other = [key for key, value in as_json(settings).items() if before.get(key) != value]
        raise UserError(
            f"{folder} holds a network learned in another way ({', '.join(other)}); give another "
            "--work, or remove it"
        )


def check_card(path: Path, folder: Path, overwrite: bool) -> None:
    """UserError where a card with weights would be overwritten that this folder did not learn."""
    if path.exists() and not overwrite and not (folder / SETTINGS).exists():
        weights = read_card(path).weights_path
        if weights is not None and weights.is_file():
            raise UserError(
                f"{path}: there are trained weights already; add --overwrite, or give the new "
                "model another name"
            )


def begin_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write down what a folder's work depends on, unless it was begun already."""
    if not (folder / SETTINGS).exists():
        text = json.dumps(as_json(settings), indent=1)
        write_atomically(folder / SETTINGS, text.encode())


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON gives them back: tuples as lists."""
    answer: dict[str, Any] = json.loads(json.dumps(values))
    return answer


def published_hash(folder: Path) -> str | None:
    """Hash of the weights that were published from a folder, None: none were."""
    path = folder / DONE
    return str(json.loads(path.read_text())["sha256"]) if path.exists() else None


def is_published(folder: Path, path: Path) -> bool:
    """Whether a card is that of the weights that were published from a folder, and they are there.

    path: of the card.
    """
    sha256 = published_hash(folder)
    if sha256 is None or not path.is_file():
        return False
    card = read_card(path)
    weights = card.weights_path
    return card.sha256 == sha256 and weights is not None and weights.is_file()
