"""Words that every training writes into the cards of what it learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

NO_LICENCE = "The weights inherit the terms of the training data: "
EVALUATED = "Evaluation: "


def training_fields(
    *, data: str, recipe: str, faces: int, device: str, precision: str, log: Path | None,
    without: str = "",
) -> dict[str, Any]:  # fmt: skip
    """The fields of a training in a card; faces: in all; log, without: see `duration_words`."""
    return {
        "data": data,
        "recipe": recipe,
        "images": faces,
        "device": machine_words(device),
        "precision": precision_words(precision),
        "duration": duration_words(log, faces, without),
    }


def own_notes(notes: str) -> str:
    """A card's notes without the evaluation of an earlier training."""
    return notes.partition(EVALUATED)[0].strip()


def machine_words(device: str) -> str:
    """Where a training ran: the device, and how many threads torch has."""
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' * (threads > 1)}"


def precision_words(precision: str) -> str:
    """The precision of a training: bfloat16 is always that of autocast."""
    return f"{precision} autocast" if precision == "bfloat16" else precision


def duration_words(log: Path | None, faces: int, without: str = "") -> str:
    """How long ``faces`` faces took, from the speed that the end of a training's log states.

    without: what is not counted, such as ``its ancestors``. Empty where there is no log.
    """
    if log is None or not log.is_file():
        return ""
    speed = float(log.read_text().splitlines()[-1].rsplit(",", 1)[1])
    seconds = faces / max(speed, 0.1)
    words = f"about {seconds / 60:.0f} minutes" if seconds >= 90 else f"about {seconds:.0f} seconds"
    return f"{words} without {without}" if without else words
