"""Whether a model was trained on the people that a metric is to be learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facebench.errors import UserError
from facebench.nets.cards import ModelCard, find_card, read_card
from facebench.training.card_words import unseen_beside
from facebench.training.crops import indexed_files
from facebench.training.identity_folders import people_files
from facebench.training.labelled_faces import LabelledFaces, read_identities


def refuse_seen(card: ModelCard, given: Sequence[str], parts: Sequence[LabelledFaces]) -> list[str]:
    """UserError where a model, or one whose weights it started from, was trained on some of the
    people; a line for each of the data of which that cannot be known.

    given: the data as the user named them; parts: the faces of each. Faces are known by their
    contents (`Training.faces`), and of these all people were learned that no list holds out.
    """
    ancestors = list(_lineage(card))
    unknown = []
    silent = [one.name for one in ancestors if not one.training.fingerprint]
    for name, part in zip(given, parts, strict=True):
        if part.source.kind != "real":
            continue
        key = _key(Path(name)) if len(silent) < len(ancestors) else ""
        learned = [one for one in ancestors if key in one.training.faces]
        for one in learned:
            _require_unseen(card, one, name, part)
        if silent or not learned:
            why = (
                f"the card of {silent[0]} does not say whom" if silent else "it learned other files"
            )
            unknown.append(
                f"whether {card.name} was trained on people of {name} cannot be known: {why}"
            )
    return unknown


def _require_unseen(card: ModelCard, learned: ModelCard, name: str, part: LabelledFaces) -> None:
    path = learned.path.parent / unseen_beside(learned.name)
    held_out = set(read_identities(path)) if path.is_file() else set()
    seen = sorted(set(part.identities) - held_out)
    if not seen:
        return
    what = f"{card.name} was" if learned is card else f"{card.name} started from {learned.name},"
    way = f"give --identities {path}" if held_out else "train with --hold-out, or bring others"
    raise UserError(
        f"{what} trained on {len(seen):,} of the {len(set(part.identities)):,} identities of "
        f"{name} (first: {seen[0]!r}), whom a metric would take for easier than others: {way}"
    )


def _lineage(card: ModelCard) -> Iterator[ModelCard]:
    """A card, the members of an ensemble, and all that they started from, as far as they are there.

    Every card once, though a card may name itself as its ancestor.
    """
    waiting, seen = [card], set()
    while waiting:
        one = waiting.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        names = [*([one.parent] if one.parent else []), *(member.model for member in one.members)]
        for name in names:
            beside = one.path.parent / f"{name}.toml"
            try:
                waiting.append(read_card(beside) if beside.is_file() else find_card(name))
            except UserError:  # it is not there any more
                continue


def _key(place: Path) -> str:
    """The short name of faces by content, as their training took it."""
    if place.is_file():
        return indexed_files(place.parent).key if place.name == "index.csv" else ""
    if (place / "index.csv").is_file():
        return indexed_files(place).key
    return people_files(place).key
