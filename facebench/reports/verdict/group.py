"""What a group of cards comes to: how many findings of a paper hold here."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.base.text import numbered
from facebench.comparison.verdict.words import names_text
from facebench.reports.cells import FilledCard
from facebench.reports.verdict.card import card_verdict


def group_verdict(filled: Sequence[FilledCard]) -> tuple[str, ...]:
    """Sentences on all cards of photographs, or of no faces: how they stand beside the paper, the
    first of them with models against a reference, and what is not measured; two are the verdict.
    """
    first: dict[str, FilledCard] = {}  # of each card, on the data that covers most of it
    for one in filled:
        if one.kind != "synthetic":
            first.setdefault(one.card.name, one)
    cards = list(first.values())
    verdicts = [(one.card.name, card_verdict(one)) for one in cards]
    told = [(name, verdict.same) for name, verdict in verdicts if verdict.same]
    lead = next(
        (
            [f"{card.card.name}: {sentence}" for sentence in verdict.sentences[:2]]
            for card, (_, verdict) in zip(cards, verdicts, strict=True)
            if verdict.same and card.card.plot
        ),
        [],
    )
    said = []
    if told:
        parts = []
        for words, same in (
            ("as there", "yes"),
            ("in part", "in part"),
            ("not shown", "not shown"),
            ("the opposite way", "opposite"),
        ):
            names = [name for name, found in told if found.partition(":")[0] == same]
            if names:
                parts.append(f"{len(names)} {words} ({names_text(names)})")
        comparisons = numbered(len(told), "comparison")
        said.append(f"Of {comparisons} of the paper, measured again: {', '.join(parts)}.")
    nothing = [card.card.name for card in cards if _empty(card)]
    lacking = f"Not measured yet: {names_text(nothing)}." if nothing else ""
    # What one would ship comes before how all stand.
    return tuple(filter(None, [*said, *lead[::-1], lacking]))


def _empty(filled: FilledCard) -> bool:
    """Whether nothing of a card's protocols is measured."""
    cells = [cell for row in filled.rows for cell in row.cells if cell.column.protocol]
    return bool(cells) and not any(cell.value is not None for cell in cells)
