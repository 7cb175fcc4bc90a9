"""Folds of pairs that have none: cut by people, so that nobody is in two."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from facebench.statistics.calibration.people import connected

_EVEN = 2  # a fold has between half and twice its share of the pairs
_DROPPED = -1


@dataclass(frozen=True, eq=False)
class PeopleCut:
    """folds: int64[n], the fold of every pair from 0, or -1 where it is dropped; parts: how many
    folds there are.
    """

    folds: NDArray[np.int64]
    parts: int

    @property
    def dropped(self) -> int:
        """How many pairs are in no fold."""
        return int(np.count_nonzero(self.folds == _DROPPED))


def cut_by_people(
    left: Sequence[str],
    right: Sequence[str],
    mated: Sequence[bool],
    folds: int = 10,
    seed: int = 0,
) -> PeopleCut:
    """Folds of n pairs of people (names) with labels, so that no person is in two folds.

    People whom pairs connect stay together: where their groups are small enough for folds of about
    one size with pairs of both kinds, no pair is dropped, and there are as many folds as that
    allows, ``folds`` at most. Otherwise people are parted in two folds, a person to where more of
    the partners are, and non-mated pairs across are dropped. Ties are broken by lot: SHA-256 of
    seed and name. ValueError: no cut leaves pairs of both kinds in two folds.
    """
    names, numbers = np.unique([*left, *right], return_inverse=True)
    one, two = numbers[: len(left)], numbers[len(left) :]
    flags = np.asarray(mated, dtype=np.bool_)
    lots = np.argsort([_lot(seed, str(name)) for name in names])
    order = np.empty(names.size, dtype=np.int64)
    order[lots] = np.arange(names.size)
    for parts in range(folds, 1, -1):
        found = _by_groups(one, two, order, parts)
        if _carries(found, flags, parts, even=True):
            return PeopleCut(found, parts)
    found = _across(one, two, lots)
    if not _carries(found, flags, 2, even=False):
        raise ValueError("no cut by people leaves mated and non-mated pairs in two folds")
    return PeopleCut(found, 2)


def _by_groups(
    one: NDArray[np.int64], two: NDArray[np.int64], order: NDArray[np.int64], parts: int
) -> NDArray[np.int64]:
    """Whole groups of connected people, the largest first, to the fold with the fewest pairs."""
    group = connected(one, two, order.size)
    count = int(group.max()) + 1
    sizes = np.bincount(group[one], minlength=count)
    first = np.full(count, order.size)
    np.minimum.at(first, group, order)  # a group's lot is the lowest of its people's
    fold_of, load = np.zeros(count, dtype=np.int64), np.zeros(parts, dtype=np.int64)
    for number in np.lexsort((first, -sizes)):
        fold_of[number] = load.argmin()
        load[fold_of[number]] += sizes[number]
    folds: NDArray[np.int64] = fold_of[group[one]]
    return folds


def _across(
    one: NDArray[np.int64], two: NDArray[np.int64], lots: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Each person in turn to the half with more partners, times its room (Stanton and Kliot 2012);
    pairs across are in none.
    """
    between = one != two
    weights = np.ones(2 * np.count_nonzero(between))
    ends = (np.r_[one[between], two[between]], np.r_[two[between], one[between]])
    partners = coo_array((weights, ends), shape=(lots.size, lots.size)).tocsr()
    side, load, room = np.full(lots.size, _DROPPED), np.zeros(2), lots.size / 2
    for person in lots:
        row = slice(partners.indptr[person], partners.indptr[person + 1])
        near, counts = side[partners.indices[row]], partners.data[row]
        there = np.array([counts[near == half].sum() for half in (0, 1)])
        half = int(np.argmax((there + 1) * (1 - load / (room + 0.5))))
        side[person] = half
        load[half] += 1
    return np.where(side[one] == side[two], side[one], _DROPPED)


def _carries(folds: NDArray[np.int64], mated: NDArray[np.bool_], parts: int, *, even: bool) -> bool:
    """Whether every fold has pairs of both kinds and, where asked, about its share of all."""
    there = [folds[(folds >= 0) & (mated == kind)] for kind in (True, False)]
    kinds = [np.bincount(found, minlength=parts) for found in there]
    sizes = kinds[0] + kinds[1]
    share = folds.size / parts
    balanced = sizes.min() * _EVEN >= share and sizes.max() <= _EVEN * share
    return bool(min(kind.min() for kind in kinds) > 0 and (balanced or not even))


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()
