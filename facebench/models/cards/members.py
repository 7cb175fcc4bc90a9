"""The cards of an ensemble's members."""

from __future__ import annotations

from facebench.base.errors import UserError
from facebench.models.cards.card import Member, ModelCard, card_names, find_card, read_card

SCRIPT = "python -m facebench.lab.regions"


def member_card(ensemble: ModelCard, member: Member) -> ModelCard | None:
    """The card of one member: beside the ensemble's, or of that name; None where there is none.

    UserError where it is an ensemble itself, or its own region is not the ensemble's.
    """
    beside = ensemble.path.parent / f"{member.model}.toml"
    if not beside.is_file() and member.model not in card_names():
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
    cards = [member_card(ensemble, member) for member in ensemble.members]
    missing = untrained_members(ensemble)
    if missing:
        raise UserError(
            f"model {ensemble.name!r}: {len(missing)} of its {len(cards)} members have no trained "
            f"weights yet, the first is {missing[0]!r}; train it with `{SCRIPT} --ensemble "
            f"{ensemble.name} --only {missing[0]}` (--help tells the rest)"
        )
    return [card for card in cards if card is not None]


def untrained_members(ensemble: ModelCard) -> list[str]:
    """Names of the members that have no card or no weights file yet, in order."""
    names = []
    for member in ensemble.members:
        card = member_card(ensemble, member)
        path = None if card is None else card.weights_path
        ready = path is not None and path.is_file()
        if card is None or not (ready or card.architecture == "python"):
            names.append(member.model)
    return names
