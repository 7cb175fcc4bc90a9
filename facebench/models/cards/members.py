"""The cards of an ensemble's members, and what they sum to."""

from __future__ import annotations

from dataclasses import dataclass

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import Member, ModelCard, card_names, find_card, read_card
from facebench.models.cards.trained import packed_weights
from facebench.models.sparsity.savings import sparsity_report

SCRIPT = "python -m facebench.lab.regions"


@dataclass(frozen=True)
class EnsembleFacts:
    """Sums over an ensemble's members.

    bytes: of the weight files; parameters, kept: None where a member is not a ConvNet of ours.
    """

    bytes: int
    parameters: int | None
    kept: int | None


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


def ensemble_facts(ensemble: ModelCard) -> EnsembleFacts:
    """Bytes and parameters of all members; UserError where one has no weights yet."""
    size, parameters, kept, counted = 0, 0, 0, True
    for card in trained_members(ensemble):
        path = card.weights_path
        size += path.stat().st_size if path else 0
        if card.architecture != "convnet" or card.width is None or card.preprocessing.size is None:
            counted = False
            continue
        net = ConvNet(card.width, card.preprocessing.size)
        report = sparsity_report(net, packed_weights(card).masks)
        parameters, kept = parameters + report.total, kept + report.kept
    return EnsembleFacts(size, parameters if counted else None, kept if counted else None)
