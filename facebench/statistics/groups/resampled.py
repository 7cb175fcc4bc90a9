"""Rates of groups when other people are drawn: a bootstrap over people at thresholds that stay."""

from __future__ import annotations

import numpy as np

from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.groups.labels import NONE
from facebench.statistics.groups.rates import Compared
from facebench.statistics.intervals.bootstrap import Units, draw_units


def resampled(
    compared: Compared,
    values: IntArray,
    needed: tuple[BoolArray, BoolArray],
    draws: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """FMR and FNMR, float64[draws, groups, c], of values int64[n, c]; see `Units` for the weights.

    needed: bool[groups], of which groups a draw must have non-mated, and mated, comparisons; else
    it is drawn again. ValueError: too few people to be drawn.
    """
    units, groups = compared.units, len(compared.labelled.names)
    kinds = [_Kind(compared, mated, values, groups) for mated in (False, True)]

    def weighed(drawn: IntArray) -> tuple[BoolArray, IntArray]:
        sums = np.stack([kind.sums(drawn) for kind in kinds], axis=1)  # [b, 2, groups, 1 + c]
        there = [(sums[:, at, :, 0] > 0)[:, own].all(axis=1) for at, own in enumerate(needed)]
        return np.asarray(there[0] & there[1]), sums

    most = max(kind.size for kind in kinds)
    blocks = draw_units(units.count, units.kind, most, draws, rng, "groups", weighed)
    sums = np.concatenate(list(blocks))
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = sums[..., 1:] / sums[..., :1]
    return rates[:, 0], rates[:, 1]


class _Kind:
    """Comparisons of a kind that are in a group, a row for every two people and group."""

    def __init__(self, compared: Compared, mated: bool, values: IntArray, groups: int) -> None:
        units, group = compared.units, compared.labelled.group
        rows = (compared.mated == mated) & (group != NONE)
        first, second = _ordered(units, rows)
        keys = (group[rows] * np.int64(units.count) + first) * np.int64(units.count) + second
        _, at, numbers = np.unique(keys, return_index=True, return_inverse=True)
        columns = [np.ones(first.size), *values[rows].T]
        self.values = np.array([np.bincount(numbers, c, at.size) for c in columns]).T
        self.first, self.second = first[at], second[at]
        self.ends = np.searchsorted(group[rows][at], np.arange(groups + 1))
        self.size = at.size

    def sums(self, drawn: IntArray) -> IntArray:
        """int64[b, groups, 1 + c]: how many comparisons, and the sums of their values."""
        found = []
        for start, end in zip(self.ends[:-1], self.ends[1:], strict=True):
            first, second = self.first[start:end], self.second[start:end]
            weights = np.take(drawn, first, axis=1)
            two = np.flatnonzero(first != second)
            weights[:, two] *= np.take(drawn, second[two], axis=1)
            found.append(weights @ self.values[start:end])
        sums: IntArray = np.rint(np.stack(found, axis=1)).astype(np.int64)
        return sums


def _ordered(units: Units, rows: BoolArray) -> tuple[IntArray, IntArray]:
    one, other = units.first[rows], units.second[rows]
    return np.minimum(one, other), np.maximum(one, other)
