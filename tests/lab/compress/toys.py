"""Records of pairs that are decided rightly or wrongly as said, without a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.evaluation.build import build_record
from facebench.protocols.cards import load_protocol
from facebench.protocols.kinds.verification import verification
from facebench.protocols.outcome import Comparisons, FoldOutcome
from facebench.records.record import Record
from tests.helpers.records import drawn_facts


def record_of(model: str, right: NDArray[np.bool_]) -> Record:
    """A record of pairs of which nobody is in two: ten folds, every second pair mated."""
    count = len(right)
    mated = np.arange(count) % 2 == 0
    left = np.arange(0, 2 * count, 2)
    people = np.arange(2 * count)
    people[1::2] = np.where(mated, people[::2], people[1::2])
    keys = tuple(f"P{n:05d}/P{n:05d}_0001.jpg" for n in range(2 * count))
    people = np.unique(people, return_inverse=True)[1]
    pairs = Comparisons(keys, left, left + 1, mated, np.arange(count) // 2 % 10 + 1, people)
    scores = np.where(right == mated, 0.9, 0.1)
    card = load_protocol("lfw")
    found = verification(card, pairs, scores, np.ones(count, bool), draws=0)
    assert (found.accuracy.decisions == (scores > 0.5)).all()
    facts = drawn_facts(len(keys), model, weights=model.encode().hex().ljust(64, "0"))
    return build_record(card, FoldOutcome(pairs, scores, found, card.spread), facts)
