"""Sums over comparisons by group, in few rows: of two units that are compared often, one row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facebench.statistics.checks import BoolArray, IntArray
from facebench.statistics.groups.labels import NONE, GroupLabels
from facebench.statistics.intervals.bootstrap import BLOCK


@dataclass(frozen=True, eq=False)
class UnitRows:
    """One kind of comparison, a row for every two units.

    first, second: int64[m], the units; number: int64[m], comparisons; values: int64[m, c], sums of
    what is counted (errors, or changes of decisions), a column each; group: int64[m], of a row that
    has one of its own, None: its units' labels say it.
    """

    first: IntArray
    second: IntArray
    number: IntArray
    values: IntArray

    @classmethod
    def of(cls, first: IntArray, second: IntArray, values: IntArray) -> UnitRows:
        """Of comparisons: their units int64[n] and values int64[n, c]."""
        low, high = np.minimum(first, second), np.maximum(first, second)
        keys = low * np.int64(max(int(high.max(initial=0)) + 1, 1)) + high
        _, at, numbers = np.unique(keys, return_index=True, return_inverse=True)
        sums = [np.bincount(numbers, column, at.size) for column in values.T]
        columns = np.rint(np.array(sums).reshape(values.shape[1], at.size)).astype(np.int64)
        return cls(low[at], high[at], np.bincount(numbers, minlength=at.size), columns.T)

    def by_group(self, labels: IntArray, table: IntArray, groups: int) -> tuple[IntArray, IntArray]:
        """Of b labellings of the units, int64[b, count]: how many comparisons each group has,
        int64[b, groups], and the sums of their values, int64[b, groups, c].
        """
        bare = np.pad(table, (0, 1), constant_values=NONE)  # a label of -1 is the last row, column
        b = labels.shape[0]
        numbers = _sums(bare, labels, self.first, self.second, self.number, groups)
        sums = np.zeros((b, groups, self.values.shape[1]), dtype=np.int64)
        for at, column in enumerate(self.values.T):
            own = np.flatnonzero(column)
            sums[:, :, at] = _sums(
                bare, labels, self.first[own], self.second[own], column[own], groups
            )
        return numbers, sums


def _sums(
    table: IntArray,
    labels: IntArray,
    first: IntArray,
    second: IntArray,
    weights: IntArray,
    groups: int,
) -> IntArray:
    """int64[b, groups]: weights int64[m] by the group of each row in each labelling."""
    b = labels.shape[0]
    group = table[labels[:, first], labels[:, second]]
    place = np.where(group == NONE, groups, group) + (groups + 1) * np.arange(b)[:, None]
    all_weights = np.broadcast_to(weights, place.shape).ravel()
    found = np.bincount(place.ravel(), all_weights, b * (groups + 1))
    return np.rint(found).astype(np.int64).reshape(b, groups + 1)[:, :groups]


def shuffled(
    labelled: GroupLabels, draws: int, rng: np.random.Generator, most: int = 1
) -> Iterator[IntArray]:
    """Blocks int64[b, count], ``draws`` rows in all: the units' labels in another order, units
    without a label staying so. most: how many numbers are made of a row, so that blocks stay small.
    """
    own = labelled.of_units
    known = np.flatnonzero(own != NONE)
    rows = max(1, BLOCK // max(most, labelled.first.size, labelled.count))
    for start in range(0, draws, rows):
        block = np.tile(own, (min(rows, draws - start), 1))
        block[:, known] = rng.permuted(block[:, known], axis=1)
        yield block


def of_kind(labelled: GroupLabels, rows: BoolArray, values: IntArray) -> UnitRows:
    """Comparisons of a kind, bool[n], with values int64[n, c]."""
    return UnitRows.of(labelled.first[rows], labelled.second[rows], values[rows])
