"""A protocol's people in two halves: one to choose on, one to decide on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.protocols.kinds.verification import PreparedVerification
from facebench.protocols.outcome import Comparisons
from facebench.protocols.prepared import PreparedProtocol
from facebench.statistics.calibration.people import connected

# People who hang together by more of all comparisons than this are parted, at a loss.
LARGEST = 0.25


@dataclass(frozen=True, eq=False)
class Halves:
    """Two lists of comparisons without a common person. dropped: comparisons of people of both."""

    choosing: PreparedVerification
    deciding: PreparedVerification
    dropped: int

    @property
    def words(self) -> str:
        """How many comparisons and people each half has."""
        one, other = (_size(half.comparisons) for half in (self.choosing, self.deciding))
        lost = f"; {self.dropped:,} between the halves dropped" if self.dropped else ""
        return f"chosen on {one}, decided on {other}{lost}"


def halves_of(prepared: PreparedProtocol, seed: int) -> Halves:
    """A verification protocol cut in two; UserError: another kind, or nobody knows its people."""
    name = prepared.card.name
    if not isinstance(prepared, PreparedVerification):
        raise UserError(
            f"protocol {name}: is of kind {prepared.card.kind}; its people cannot be cut "
            "in two halves here: name a protocol of pairs, such as lfw"
        )
    comparisons = prepared.comparisons
    if comparisons.subjects is None:
        raise UserError(
            f"protocol {name}: its list does not say who is in its images, so that nobody can "
            "be kept from being both chosen and decided on; give a list with names"
        )
    side = sides_of(comparisons, seed)
    left, right = (side[comparisons.subjects[end]] for end in _ends(comparisons))
    parts = [_part(prepared, (left == half) & (right == half)) for half in (0, 1)]
    for part in parts:
        _require_enough(part, name)
    return Halves(parts[0], parts[1], int(np.count_nonzero(left != right)))


def sides_of(comparisons: Comparisons, seed: int) -> NDArray[np.int64]:
    """0 or 1 for every person, int64[people]: people who are compared with each other together.

    Groups of people who hang together go, in random order but large ones first, to the side that
    has fewer comparisons of the folds and kinds that the group brings, or fewer of all where it is
    the whole of its folds. So no comparison is lost, unless a group has more than a quarter of all:
    its people are drawn one by one, and comparisons between the sides belong to neither.
    """
    assert comparisons.subjects is not None
    rng, count = np.random.default_rng(seed), int(comparisons.subjects.max()) + 1
    left, right = (comparisons.subjects[end] for end in _ends(comparisons))
    group_of = connected(left, right, count)
    groups = int(group_of.max()) + 1
    sort = 2 * np.unique(comparisons.folds, return_inverse=True)[1] + comparisons.mated
    brings = np.zeros((groups, int(sort.max()) + 1))
    np.add.at(brings, (group_of[left], sort), 1)
    of_sort = brings.sum(axis=0)
    side, load = np.zeros(count, np.int64), np.zeros((2, brings.shape[1]))
    order = rng.permutation(groups)
    for group in order[np.argsort(-brings[order].sum(1), kind="stable")]:
        people = np.flatnonzero(group_of == group)
        if brings[group].sum() > LARGEST * len(left) and len(people) > 1:
            side[people] = rng.permutation(np.arange(len(people)) % 2)
            load += brings[group] / 2
            continue
        there, totals = load @ brings[group], load.sum(axis=1)
        chosen = int(rng.integers(2)) if there[0] == there[1] else int(there.argmin())
        if brings[group].sum() == of_sort[brings[group] > 0].sum() and totals[0] != totals[1]:
            chosen = int(totals.argmin())  # it is all of its folds, which would be tossed for
        side[people] = chosen
        load[chosen] += brings[group]
    return side


def _ends(comparisons: Comparisons) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return comparisons.left, comparisons.right


def _part(prepared: PreparedVerification, rows: NDArray[np.bool_]) -> PreparedVerification:
    """The protocol with some of its comparisons, and their faces alone."""
    whole = prepared.comparisons
    assert whole.subjects is not None
    used = np.unique(np.concatenate([whole.left[rows], whole.right[rows]]))
    place = np.zeros(len(whole.keys), np.int64)
    place[used] = np.arange(len(used))
    part = Comparisons(
        keys=tuple(whole.keys[i] for i in used),
        left=place[whole.left[rows]],
        right=place[whole.right[rows]],
        mated=whole.mated[rows],
        folds=whole.folds[rows],
        subjects=whole.subjects[used],
        names=whole.names,
    )
    faces = replace(prepared.faces, keys=part.keys)
    return replace(prepared, comparisons=part, faces=faces)


def _require_enough(part: PreparedVerification, name: str) -> None:
    own = part.comparisons
    folds = [len(np.unique(own.folds[own.mated == kind])) for kind in (True, False)]
    if min(folds) < 2:  # the threshold of each fold is chosen on the others
        raise UserError(
            f"protocol {name}: has too few people to be cut in two halves, each with mated "
            "and non-mated pairs in two folds at least"
        )


def _size(comparisons: Comparisons) -> str:
    assert comparisons.subjects is not None
    people = len(np.unique(comparisons.subjects))
    return f"{len(comparisons):,} pairs of {people:,} people"
