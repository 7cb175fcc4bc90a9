"""What the doctor may say: mistakes by name, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from facebench.models.doctor.trial import Trial, is_raw, is_shares

Cause = Literal[
    "red and blue exchanged",
    "normalised twice",
    "pixels of 0..255 where 0..1 was meant",
    "wrong normalisation",
    "wrong layout",
    "wrong alignment",
    "wrong crop",
    "wrong size",
    "not the embedding",
    "outputs not normalised",
    "negated outputs",
    "distances for similarities",
    "fixed batch",
    "dropout in training mode",
    "batch normalisation in training mode",
    "ignores its input",
]


@dataclass(frozen=True)
class Mistake:
    """A mistake. cause: its name; text: what was seen; advice: what to do."""

    cause: Cause
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.text}; {self.advice}"


def cause_of(axis: str, given: Trial, best: Trial, own: bool) -> tuple[Cause, str] | None:
    """The mistake that a change for the better on an axis mends, and what to do; None: it is none
    (the flip rule is a choice). own: whether the graph is seen to normalise its input itself.
    """
    says = best.words(axis)
    if axis == "colour":
        return "red and blue exchanged", f"the network takes {best.prepared.colour}"
    if axis == "normalisation":
        before, after = given.value(axis), best.value(axis)
        if is_raw(before) and is_shares(after):
            cause: Cause = "pixels of 0..255 where 0..1 was meant"
        elif own or (is_raw(after) and not is_raw(before)):
            cause = "normalised twice"
        else:
            cause = "wrong normalisation"
        return cause, f"{says} is right"
    named: dict[str, tuple[Cause, str]] = {
        "layout": ("wrong layout", f"the layout is {says}"),
        "output": ("not the embedding", f"its output {says!r} is"),
        "alignment": ("wrong alignment", f"evaluate with --align {says}"),
        "size": ("wrong size", f"the size is {says}"),
        "crop": (
            "wrong crop",
            f"it wants the crop {says!r}: cut such crops into a folder of their own, and evaluate "
            "them with --align none",
        ),
    }
    return named.get(axis)


def counted(findings: Sequence[Mistake]) -> str:
    """``2 mistakes found``."""
    number = len(findings)
    return f"{number} mistake{'s' * (number != 1)} found"
