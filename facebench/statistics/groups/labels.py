"""Which group a comparison is of, by the labels of its two people or images, or its own.

Of *people* a comparison within a group has two people of one label; one across groups is in no
group, only in the matrix. Of *images* (with glasses, without) a comparison has the labels of both:
none, one or both. Of *pairs* it has a label itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import BoolArray, IntArray

Of = Literal["people", "images", "pairs"]
NONE = -1  # no label
_NO = ("0", "false", "no", "none", "without")


@dataclass(frozen=True, eq=False)
class GroupLabels:
    """The labels of n comparisons.

    values: the labels there are; left, right: int64[n], positions in them, -1 where there is none;
    first, second: int64[n], numbers of the units that have them (people, images, or the comparisons
    themselves) from 0 to count - 1; table: int64[k, k], the group of two labels, -1: they are in
    none together; names: of the groups.
    """

    of: Of
    values: tuple[str, ...]
    left: IntArray
    right: IntArray
    first: IntArray
    second: IntArray
    count: int
    table: IntArray
    names: tuple[str, ...]

    @classmethod
    def make(
        cls,
        of: Of,
        values: Sequence[str],
        left: ArrayLike,
        right: ArrayLike,
        first: ArrayLike | None = None,
        second: ArrayLike | None = None,
    ) -> GroupLabels:
        """Of positions in values, -1 for none; first, second: of the units, None: comparisons."""
        one, other = np.asarray(left, np.int64), np.asarray(right, np.int64)
        if first is None or second is None:
            units = np.arange(one.size), np.arange(one.size)
            count = one.size
        else:
            numbered, place = np.unique([first, second], return_inverse=True)
            place = place.reshape(2, -1)
            units, count = (place[0], place[1]), numbered.size
        k = len(values)
        if of == "images":
            table, names = _unordered(values)
        else:
            table, names = np.where(np.eye(k, dtype=np.bool_), np.arange(k), NONE), tuple(values)
        return cls(of, tuple(values), one, other, *units, count, table, names)

    @cached_property
    def known(self) -> BoolArray:
        """bool[n]: whether both sides have a label."""
        return np.asarray((self.left != NONE) & (self.right != NONE))

    @cached_property
    def group(self) -> IntArray:
        """int64[n]: the group, -1 where a comparison is in none."""
        found = np.full(self.left.size, NONE, dtype=np.int64)
        found[self.known] = self.table[self.left[self.known], self.right[self.known]]
        return found

    @cached_property
    def of_units(self) -> IntArray:
        """int64[count]: the label of every unit."""
        found = np.full(self.count, NONE, dtype=np.int64)
        found[self.first], found[self.second] = self.left, self.right
        return found

    @property
    def units(self) -> tuple[int, ...]:
        """How many people, images or pairs have each label."""
        own = self.of_units
        return tuple(np.bincount(own[own != NONE], minlength=len(self.values)).tolist())

    @property
    def unlabelled(self) -> int:
        """How many comparisons have a side without a label."""
        return int(np.count_nonzero(~self.known))

    @property
    def across(self) -> int:
        """How many comparisons have labels that are in no group together."""
        return int(np.count_nonzero(self.known & (self.group == NONE)))


def _unordered(values: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """The groups of two labels in either order; none, one and both of a label and its absence."""
    k = len(values)
    low, high = np.triu_indices(k)
    table = np.empty((k, k), dtype=np.int64)
    table[low, high] = table[high, low] = np.arange(low.size)
    absent = [at for at, value in enumerate(values) if value.lower() in _NO]
    if k == 2 and len(absent) == 1:
        names = ["one"] * 3
        names[table[absent[0], absent[0]]] = "none"
        names[table[1 - absent[0], 1 - absent[0]]] = "both"
        return table, tuple(names)
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return table, tuple(f"{values[a]} + {values[b]}" for a, b in pairs)
