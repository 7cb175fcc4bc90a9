"""Small lists of pairs with groups, and what is told of them by its definition."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.intervals.bootstrap import Units


@dataclass(frozen=True, eq=False)
class Toy:
    """left, right: people; label: of people, -1 none; scores: float64[n]."""

    left: np.ndarray
    right: np.ndarray
    label: np.ndarray
    scores: np.ndarray
    names: tuple[str, ...]

    @property
    def mated(self) -> np.ndarray:
        return self.left == self.right

    @property
    def units(self) -> Units:
        return Units.of(self.mated, self.left, self.right, "toy")

    @property
    def labelled(self) -> GroupLabels:
        one, other = self.label[self.left], self.label[self.right]
        return GroupLabels.make("people", self.names, one, other, self.left, self.right)


def toy(
    rng: np.random.Generator,
    people: int = 12,
    each: int = 40,
    groups: int = 3,
    *,
    unlabelled: bool = False,
    ties: bool = True,
) -> Toy:
    """Pairs of people who know nothing of groups, and stand in several of them."""
    own, first = rng.integers(0, people, each), rng.integers(0, people, each)
    other = (first + rng.integers(1, people, each)) % people
    label = rng.integers(-1 if unlabelled else 0, groups, people)
    label[:groups] = np.arange(groups)
    scores = rng.normal(size=2 * each) + np.repeat([1.5, 0.0], each)
    names = tuple(f"g{number}" for number in range(groups))
    left, right = np.r_[own, first], np.r_[own, other]
    return Toy(left, right, label, np.round(scores, 1) if ties else scores, names)


def rates_by_hand(
    toy: Toy, threshold: float
) -> tuple[list[float | None], list[float | None], list[list[float | None]]]:
    """FMR and FNMR of every group, and the matrix, one comparison at a time."""
    k = len(toy.names)
    fmr, fnmr = [[] for _ in range(k)], [[] for _ in range(k)]
    cells: dict[tuple[int, int], list[bool]] = {}
    for a, b, score in zip(toy.left, toy.right, toy.scores, strict=True):
        one, other = int(toy.label[a]), int(toy.label[b])
        if one < 0 or other < 0:
            continue
        accepted = bool(score >= threshold)
        if a == b:
            fnmr[one].append(not accepted)
            continue
        cells.setdefault((min(one, other), max(one, other)), []).append(accepted)
        if one == other:
            fmr[one].append(accepted)

    def mean(values: list[bool] | None) -> float | None:
        return sum(values) / len(values) if values else None

    matrix = [[mean(cells.get((min(a, b), max(a, b)))) for b in range(k)] for a in range(k)]
    return [mean(one) for one in fmr], [mean(one) for one in fnmr], matrix


def gini_by_hand(rates: list[float]) -> float:
    n, mean = len(rates), sum(rates) / len(rates)
    if not mean:
        return 0.0
    total = sum(abs(a - b) for a in rates for b in rates)
    return n / (n - 1) * total / (2 * n * n * mean)


def difference_by_hand(rates: list[float]) -> float:
    return max(abs(a - b) for a, b in combinations(rates, 2))
