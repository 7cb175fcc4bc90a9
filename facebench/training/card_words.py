"""Words that every training writes into the cards of what it learned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from facebench.training.data import TrainingData
from facebench.training.precision import AUTO, chosen_precision
from facebench.training.work_folder import write_unseen

NO_LICENCE = "The weights inherit the terms of the training data: "
EVALUATED = "Evaluation: "


def training_fields(
    *, data: str, recipe: str, faces: int, device: str, precision: str, log: Path | None,
    fingerprint: str, learned_from: TrainingData, without: str = "",
) -> dict[str, Any]:  # fmt: skip
    """The fields of a training in a card; data: in words; faces: in all; log, without: see
    `duration_words`; fingerprint: of all that the network depends on.
    """
    return {
        "data": data,
        "recipe": recipe,
        "images": faces,
        "device": machine_words(device),
        "precision": precision_words(precision, log),
        "duration": duration_words(log, faces, without),
        "fingerprint": fingerprint,
        "faces": learned_from.real,
    }


def name_unseen(models: Path, name: str, data: TrainingData) -> None:
    """Write ``weights/NAME.unseen.txt`` beside a card: the people that its network has not seen."""
    write_unseen(models / unseen_beside(name), data.unseen)


def unseen_beside(name: str) -> str:
    """Where a card's people are named that its network has not seen, relative to the card."""
    return f"weights/{name}.unseen.txt"


def own_notes(notes: str) -> str:
    """A card's notes without the evaluation of an earlier training."""
    return notes.partition(EVALUATED)[0].strip()


def machine_words(device: str) -> str:
    """Where a training ran: the device, and how many threads torch has."""
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' * (threads > 1)}"


def precision_words(precision: str, log: Path | None = None) -> str:
    """The precision of a training: bfloat16 is always that of autocast.

    log: of the training, beside which lies what ``auto`` came to.
    """
    if precision == AUTO and log is not None:
        precision = chosen_precision(log.parent) or precision
    return f"{precision} autocast" if precision == "bfloat16" else precision


def duration_words(log: Path | None, faces: int, without: str = "") -> str:
    """How long ``faces`` faces took, from the speed that the end of a training's log states.

    without: what is not counted, such as ``its ancestors``. Empty where there is no log.
    """
    speed = None if log is None else last_speed(log)
    if speed is None:
        return ""
    seconds = faces / max(speed, 0.1)
    words = f"about {seconds / 60:.0f} minutes" if seconds >= 90 else f"about {seconds:.0f} seconds"
    return f"{words} without {without}" if without else words


def last_speed(log: Path) -> float | None:
    """Faces per second as the last line of a training's log states them; None: it does not."""
    try:
        speed = float(log.read_text("utf-8").splitlines()[-1].rsplit(",", 1)[1])
    except (OSError, ValueError, IndexError):
        return None
    return speed if math.isfinite(speed) else None
