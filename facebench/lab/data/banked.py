"""Training data whose faces come from a bank, which is written where it is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from facebench.lab.data.bank import learned_from_bank, write_bank
from facebench.lab.data.crops import Teacher
from facebench.lab.data.sources import TrainingData, joined

if TYPE_CHECKING:
    from facebench.lab.learning.recipes import BankFields

_WORDS = {
    "all": "views and morphs with the teacher's embedding of each",
    "views": "views alone, with the teacher's embedding of each",
    "clean": "views alone, with the teacher's embedding of the crop before",
}


def with_bank(
    data: TrainingData,
    fields: BankFields,
    folder: Path,
    make_teacher: Callable[[], Teacher],
    told: Callable[[int], None] | None = None,
) -> tuple[TrainingData, str]:
    """The same data, learned from a bank of its crops, and the bank in words for cards.

    Whatever is held out or left out of ``data`` is in no face of the bank. Written by as many
    workers as torch has threads. Other arguments and errors: `bank.write_bank`.
    """
    crops = joined([crops for crops, _ in data.sources])
    bank = write_bank(folder, crops, fields.plan, make_teacher, torch.get_num_threads(), told)
    batch = sum(count for _, count in data.sources)
    learned = learned_from_bank(bank, crops, fields.learn)
    words = (
        f"bank of {fields.faces:,} faces ({fields.morphs:.0%} morphs, seed {fields.seed}, "
        f"fingerprint {bank.fingerprint}): {_WORDS[fields.learn]}"
    )
    return replace(data, sources=[(learned, batch)]), words
