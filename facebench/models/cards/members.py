"""The cards of an ensemble's members."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.models.cards.card import (
    Member,
    ModelCard,
    card_names,
    find_card,
    is_code,
    is_compact,
    read_card,
)
from facebench.models.embedders.base import Preprocessing
from facebench.models.embedders.ensemble import ensemble_hash, region_variant

SCRIPT = "python -m facebench.lab.regions"


def member_cards(ensemble: ModelCard) -> list[ModelCard | None]:
    """The members' cards in order: beside the ensemble's, or of their names; None where there is
    none.

    UserError where one is an ensemble itself, or its own region is not the ensemble's.
    """
    known = card_names()
    return [_member_card(ensemble, member, known) for member in ensemble.members]


def _member_card(ensemble: ModelCard, member: Member, known: Sequence[str]) -> ModelCard | None:
    beside = ensemble.path.parent / f"{member.model}.toml"
    if not beside.is_file() and member.model not in known:
        return None
    card = read_card(beside) if beside.is_file() else find_card(member.model)
    if card.architecture == "ensemble":
        raise UserError(f"{ensemble.path}: its member {card.name!r} is an ensemble itself")
    region = ensemble.regions[member.region]
    if card.region is not None and card.region != region:
        raise UserError(
            f"{ensemble.path}: region {member.region!r} is {region.signature}, but its member "
            f"{card.name!r} has learned {card.region.signature}"
        )
    return card


def trained_members(ensemble: ModelCard) -> list[ModelCard]:
    """The members' cards in order; UserError naming the first that has no weights yet."""
    cards = member_cards(ensemble)
    missing = _untrained(ensemble, cards)
    if missing:
        raise UserError(
            f"model {ensemble.name!r}: {len(missing)} of its {len(cards)} members have no trained "
            f"weights yet, the first is {missing[0]!r}; train it with `{SCRIPT} --ensemble "
            f"{ensemble.name} --only {missing[0]}` (--help tells the rest)"
        )
    return [card for card in cards if card is not None]


def trained_hash(ensemble: ModelCard) -> str | None:
    """The ``weights_hash`` of an ensemble of networks of ours, from cards and files alone; None:
    only loading tells, as a member is of another kind or its file is not what its card says.

    UserError as `trained_members`.
    """
    told = []
    for member, card in zip(ensemble.members, trained_members(ensemble), strict=True):
        path = card.weights_path
        ours = card.architecture == "convnet" or is_compact(card)
        if not ours or path is None or card.sha256 != sha256_file(path):
            return None
        region, fields = card.region or ensemble.regions[member.region], card.preprocessing
        prepared = Preprocessing(
            region.canvas, fields.colour, fields.mean, fields.scale, fields.flip
        )
        told.append((card.sha256, region_variant("", region), prepared))
    return ensemble_hash(told)


def untrained_members(ensemble: ModelCard) -> list[str]:
    """Names of the members that have no card or no weights file yet, in order."""
    return _untrained(ensemble, member_cards(ensemble))


def trained_bytes(ensemble: ModelCard) -> int | None:
    """Bytes of all members' weights files; None where one has none yet."""
    cards = member_cards(ensemble)
    if _untrained(ensemble, cards):
        return None
    paths = [card.weights_path for card in cards if card is not None]
    return sum(path.stat().st_size for path in paths if path is not None)


def _untrained(ensemble: ModelCard, cards: Sequence[ModelCard | None]) -> list[str]:
    members = zip(ensemble.members, cards, strict=True)
    return [member.model for member, card in members if card is None or not _ready(card)]


def _ready(card: ModelCard) -> bool:
    path = card.weights_path
    return is_code(card) or (path is not None and path.is_file())
