"""Blocks of pairs: faces, sorted by their people, with others that come after them."""

from __future__ import annotations

import numpy as np

from facebench.statistics.all_pairs.highest import Highest
from facebench.statistics.checks import IntArray

Block = tuple[IntArray, IntArray]  # of one array with itself: its pairs, each once
BlockResult = tuple[Highest, Highest]  # mated scores with their people; others with their pairs
_NONE = np.zeros(0, dtype=np.int64)


def pairs_of(block: Block) -> int:
    """How many pairs a block has."""
    left, right = block
    return left.size * (left.size - 1) // 2 if left is right else left.size * right.size


def own_pairs(block: Block, person: IntArray) -> tuple[IntArray, IntArray]:
    """The mated pairs of a block: rows and columns, int64[m] each."""
    left, right = block
    if left is not right and person[left[-1]] < person[right[0]]:
        return _NONE, _NONE
    last = np.searchsorted(person[right], person[left], side="right")
    if left is right:
        first = np.arange(1, left.size + 1)  # those after it
    else:
        first = np.searchsorted(person[right], person[left], side="left")
    counts = last - first
    row = np.repeat(np.arange(left.size), counts)
    return row, np.arange(row.size) - np.repeat(np.cumsum(counts) - counts - first, counts)


def numbers_of(block: Block, at: IntArray, faces: int) -> IntArray:
    """int64: numbers of the pairs at positions in a block: lower face · all faces + other face."""
    left, right = block
    row, column = np.divmod(at, right.size)
    one, other = left[row], right[column]
    return np.minimum(one, other) * faces + np.maximum(one, other)
