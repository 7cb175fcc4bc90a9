"""How far groups' means are apart beside what they scatter, people counted: one number of all.

Of groups with means d, and V what these vary and vary together, by the people whom comparisons
share (`facebench.statistics.intervals.dyadic`):

    T = d' W d - (1' W d)^2 / (1' W 1),   W the inverse of V

It asks whether the *means* are equal, whatever each group's spread: with labels in another order
such a ratio has the distribution that it has of the data, in large samples, where the plain
difference of means has not. Small groups tell little of their own spread: theirs is that of
`_BORROWED` comparisons of everybody and their own, and no less than their own alone, and V is in no
direction less than if comparisons were independent. What labels in another order cannot know, how
few people tell a small group's spread, Welch's F does: no p-value is below its.

Sources: Janssen 1997, "Studentized permutation tests for non-iid hypotheses"; Chung and Romano
2013, "Exact and asymptotically robust permutation tests"; James 1951 and Welch 1951 (means of
unequal spread).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.groups.labels import NONE, GroupLabels
from facebench.statistics.intervals.bootstrap import Units

_BORROWED = 10


@dataclass(frozen=True, eq=False)
class ScatteredMeans:
    """Of b labellings and groups: number: int64[b, groups], comparisons; mean: float64[b, groups],
    NaN of an empty group; spread: float64[b, groups], what one comparison varies, the mean squared
    distance; shared: float64[b, groups, groups], V times the numbers of both.
    """

    number: IntArray
    mean: FloatArray
    spread: FloatArray
    shared: FloatArray

    def apart(self, kept: BoolArray) -> FloatArray:
        """float64[b]: T of the groups bool[groups] that take part; NaN where one of them is empty;
        0 where no comparison differs from another, or fewer than two groups take part.
        """
        if np.count_nonzero(kept) < 2:
            return np.zeros(self.mean.shape[0])
        found = np.full(self.mean.shape[0], np.nan)
        whole = np.flatnonzero((self.number[:, kept] > 0).all(axis=1))
        n, d, spread = (x[whole][:, kept] for x in (self.number, self.mean, self.spread))
        square = self._square(kept, whole)
        moved = square.max(axis=1) > 0
        found[whole[~moved]] = 0.0
        whole, n, d, spread, square = (x[moved] for x in (whole, n, d, spread, square))
        # V beside what it would be of independent comparisons; 1 where none differs from another.
        root = np.sqrt(np.where(spread > 0, n * spread, np.inf))
        ratio = self.shared[whole][:, kept][:, :, kept] / (root[:, :, None] * root[:, None, :])
        at = np.arange(n.shape[1])
        ratio[:, at, at] += spread == 0
        weights, axes = np.linalg.eigh(ratio)
        weights = np.maximum(weights, 1.0)
        error = np.sqrt(square / n)
        z = np.einsum("bij,bi->bj", axes, d / error)
        one = np.einsum("bij,bi->bj", axes, 1 / error)
        squares, along = (z * z / weights).sum(axis=1), (z * one / weights).sum(axis=1)
        found[whole] = np.maximum(0.0, squares - along**2 / (one * one / weights).sum(axis=1))
        return found

    def _square(self, kept: BoolArray, whole: IntArray) -> FloatArray:
        """float64[whole, kept]: what one comparison varies, of few also as everybody's do, and
        never less than their own.
        """
        n, d, spread = (x[whole][:, kept] for x in (self.number, self.mean, self.spread))
        total = n.sum(axis=1, keepdims=True)
        centre = (n * d).sum(axis=1, keepdims=True) / total
        everybody = (n * (spread + (d - centre) ** 2)).sum(axis=1, keepdims=True) / total
        borrowed = (n * spread + _BORROWED * everybody) / (n + _BORROWED)
        return np.asarray(np.maximum(borrowed, spread * n / np.maximum(n - 1, 1)))

    def welch(self, kept: BoolArray, apart: float, freedom: FloatArray) -> float:
        """How often Welch's F is beyond T, of the first labelling: each group's own spread is told
        by as many people as it has (`SharedRows.freedom`).
        """
        from scipy.special import fdtrc  # late: slow to import

        if not apart > 0:
            return 1.0
        k = int(np.count_nonzero(kept))
        error = self._square(kept, np.zeros(1, dtype=np.int64))[0] / self.number[0, kept]
        weight = (1 / error) / (1 / error).sum()
        uncertain = float(((1 - weight) ** 2 / np.maximum(freedom[kept], 1)).sum())
        scale = 1 + 2 * (k - 2) / (k * k - 1) * uncertain
        ends = apart / (k - 1) / scale
        return float(fdtrc(k - 1, (k * k - 1) / (3 * max(uncertain, 1e-9)), ends))


def independent_means(number: IntArray, plus: IntArray, minus: IntArray) -> ScatteredMeans:
    """Of groups of int64[groups] comparisons that share nobody, of which so many int64[b, groups]
    are 1 and -1.
    """
    many = np.broadcast_to(number, plus.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (plus - minus) / many
        spread = np.maximum(0.0, (plus + minus) / many - mean * mean)
    k = number.size
    shared = np.zeros((*plus.shape, k))
    shared[:, np.arange(k), np.arange(k)] = np.nan_to_num(many * spread)
    return ScatteredMeans(many, mean, spread, shared)


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Comparisons of one kind, a row for every two label units and their people.

    first, second: int64[m], the units that have labels; number, moved, squares: float64[m], how
    many comparisons, and the sums of their values and of these squared; left, right: int64[m],
    people from 0 to people - 1; dyad: int64[m], the number of the two people, dyads where it is
    one person.
    """

    first: IntArray
    second: IntArray
    number: FloatArray
    moved: FloatArray
    squares: FloatArray
    left: IntArray
    right: IntArray
    people: int
    dyad: IntArray
    dyads: int

    @classmethod
    def of(
        cls, labelled: GroupLabels, units: Units, rows: BoolArray, values: IntArray
    ) -> SharedRows:
        """Of comparisons bool[n] with values int64[n]."""
        low = np.minimum(labelled.first[rows], labelled.second[rows])
        high = np.maximum(labelled.first[rows], labelled.second[rows])
        _, at, numbers = np.unique(
            low * np.int64(max(labelled.count, 1)) + high, return_index=True, return_inverse=True
        )
        own = values[rows].astype(np.float64)
        people, place = np.unique(
            np.concatenate([units.first[rows][at], units.second[rows][at]]), return_inverse=True
        )
        left, right = place[: at.size], place[at.size :]
        keys = np.minimum(left, right) * np.int64(max(people.size, 1)) + np.maximum(left, right)
        two = left != right
        distinct, dyad = np.unique(keys[two], return_inverse=True)
        dyads = np.full(at.size, distinct.size, dtype=np.int64)
        dyads[two] = dyad
        number, moved, squares = (
            np.bincount(numbers, weights, at.size).astype(np.float64)
            for weights in (np.ones(own.size), own, own * own)
        )
        return cls(
            low[at],
            high[at],
            number,
            moved,
            squares,
            left.astype(np.int64),
            right.astype(np.int64),
            people.size,
            dyads,
            distinct.size,
        )

    def cells(self, groups: int) -> int:
        """How many numbers one labelling takes, so that blocks stay small."""
        return max(self.first.size, (groups + 1) * max(self.people, self.dyads))

    def means(self, labels: IntArray, table: IntArray, groups: int) -> ScatteredMeans:
        """Of b labellings int64[b, count] of the units."""
        b, k = labels.shape[0], groups + 1
        place = self._groups(labels, table, groups) + k * np.arange(b)[:, None]
        some = np.flatnonzero(self.squares)  # most comparisons do not change

        def by(
            weights: FloatArray, rows: IntArray | slice, of: IntArray | None, size: int
        ) -> FloatArray:
            keys = place[:, rows] if of is None else place[:, rows] * size + of[rows]
            spread = np.broadcast_to(weights[rows], keys.shape)
            found = np.bincount(keys.ravel(), spread.ravel(), b * k * size).astype(np.float64)
            return found.reshape(b, k, size)[:, :groups]

        everything = slice(None)
        number = by(self.number, everything, None, 1)[..., 0]
        moved, squares = (by(w, some, None, 1)[..., 0] for w in (self.moved, self.squares))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = moved / number
            spread = np.maximum(0.0, squares / number - mean * mean)
        centre = np.nan_to_num(mean)[..., None]
        two = np.flatnonzero(self.left != self.right)
        some_two = some[self.left[some] != self.right[some]]
        of_people = by(self.number, everything, self.left, self.people)
        of_moved = by(self.moved, some, self.left, self.people)
        if two.size:
            of_people += by(self.number, two, self.right, self.people)
            of_moved += by(self.moved, some_two, self.right, self.people)
        off = of_moved - centre * of_people
        shared = off @ off.transpose(0, 2, 1)
        if two.size:
            off = by(self.moved, some_two, self.dyad, self.dyads) - centre * by(
                self.number, two, self.dyad, self.dyads
            )
            shared -= off @ off.transpose(0, 2, 1)
        return ScatteredMeans(np.rint(number).astype(np.int64), mean, spread, shared)

    def freedom(self, labels: IntArray, table: IntArray, groups: int) -> FloatArray:
        """float64[groups]: how many independent people a group's V is worth, of one labelling
        int64[count] of the units; 0 of an empty group.
        """
        group = self._groups(labels[None], table, groups)[0] * self.people
        two = self.left != self.right
        keys = np.concatenate([group + self.left, (group + self.right)[two]])
        weights = np.concatenate([self.number, self.number[two]])
        found = np.bincount(keys, weights, (groups + 1) * self.people)
        of_people = found.reshape(groups + 1, self.people)[:groups]
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = np.einsum("gp,gp->g", of_people, of_people)
            found = of_people.sum(axis=1) ** 2 / squares - 1
        return np.asarray(np.nan_to_num(found))

    def _groups(self, labels: IntArray, table: IntArray, groups: int) -> IntArray:
        """int64[b, m]: the group of every row, ``groups`` where it is of none."""
        bare = np.pad(table, (0, 1), constant_values=NONE)
        group = bare[labels[:, self.first], labels[:, self.second]]
        return np.where(group == NONE, groups, group)
