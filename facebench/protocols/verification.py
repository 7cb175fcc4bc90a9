"""The kind *verification*: pairs of faces in folds, decided by a threshold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facebench.faces.lists import PairList
from facebench.protocols.cards import VerificationCard
from facebench.protocols.refused import refused
from facebench.statistics.verification import VerificationStatistics, verification_statistics


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Comparisons of single faces, in the order of the protocol's list.

    keys: every face once, sorted. left, right: int64[n], positions in keys. mated: bool[n]. folds:
    int64[n], from 1. subjects: int64[len(keys)], numbers of the people, or None where the list does
    not say who they are.
    """

    keys: tuple[str, ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    mated: NDArray[np.bool_]
    folds: NDArray[np.int64]
    subjects: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.mated)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over the pairs, their labels and their folds."""
        digest = hashlib.sha256("\n".join(self.keys).encode())
        for array in (self.left, self.right, self.mated.astype(np.int64), self.folds):
            digest.update(array.astype("<i8").tobytes())
        return digest.hexdigest()[:16]


def comparisons_of(pairs: PairList) -> Comparisons:
    """The comparisons of a list of pairs.

    A list without names (a ``.bin`` file) gives every image, or mated pair, as a person of its own;
    its people are taken as unknown, not as facts.
    """
    keys = tuple(pairs.keys())
    position = {key: index for index, key in enumerate(keys)}
    people = pairs.people()
    known = any(person not in position for person in people.values())
    subjects = None
    if known:
        names = {name: number for number, name in enumerate(sorted(set(people.values())))}
        subjects = np.array([names[people[key]] for key in keys], dtype=np.int64)
    return Comparisons(
        keys=keys,
        left=np.array([position[pair.left_key] for pair in pairs.pairs], dtype=np.int64),
        right=np.array([position[pair.right_key] for pair in pairs.pairs], dtype=np.int64),
        mated=np.array([pair.mated for pair in pairs.pairs], dtype=np.bool_),
        folds=np.array([pair.fold + 1 for pair in pairs.pairs], dtype=np.int64),
        subjects=subjects,
    )


def verification(
    card: VerificationCard,
    comparisons: Comparisons,
    scores: NDArray[np.floating],
    acquired: NDArray[np.bool_],
    *,
    rule: str = "exact",
    draws: int = 1000,
) -> VerificationStatistics:
    """The card's statistics of scores float[n] of its comparisons.

    acquired: bool[n], False where a face of the comparison was not; draws: of the bands of curves.
    UserError where the list cannot carry them: one fold only, comparisons of one kind only.
    """
    left = right = None
    if comparisons.subjects is not None:
        left = comparisons.subjects[comparisons.left]
        right = comparisons.subjects[comparisons.right]
    try:
        return verification_statistics(
            scores,
            comparisons.mated,
            comparisons.folds,
            left,
            right,
            acquired,
            rule=rule,
            targets=card.targets,
            draws=draws,
        )
    except ValueError as error:
        raise refused(card.name, error) from error
