"""Identification by its definitions: loops over probes and images, nothing from facebench."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

INF = math.inf
SCORES = [-2.0, -1.0, 0.0, 0.25, 0.5, math.nextafter(0.5, INF), 1.0, 2.0]


@dataclass
class Case:
    """matrix[g][p]; people by number; False where a face was not acquired."""

    matrix: list[list[float]]
    gallery: list[int]
    probes: list[int]
    gallery_acquired: list[bool]
    probes_acquired: list[bool]

    def score(self, g: int, p: int) -> float:
        there = self.gallery_acquired[g] and self.probes_acquired[p]
        return self.matrix[g][p] if there else -INF

    def best_of(self, person: int, p: int) -> float:
        """The best score of any image of a person."""
        return max(self.score(g, p) for g, who in enumerate(self.gallery) if who == person)

    @property
    def mated(self) -> list[bool]:
        return [person in self.gallery for person in self.probes]

    def block(self, g, p):
        return np.array(self.matrix)[np.ix_(g, p)]

    def arguments(self):
        return {
            "gallery": self.gallery,
            "probes": self.probes,
            "gallery_acquired": np.array(self.gallery_acquired),
            "probes_acquired": np.array(self.probes_acquired),
        }


def rank(case: Case, p: int) -> float:
    """Of the own identity: one plus the others at or above it; infinite where it is not scored."""
    own = case.best_of(case.probes[p], p)
    if own == -INF:
        return INF
    others = set(case.gallery) - {case.probes[p]}
    return 1 + sum(case.best_of(other, p) >= own for other in others)


def cmc(case: Case) -> list[float]:
    mated = [p for p, is_mated in enumerate(case.mated) if is_mated]
    ranks = [rank(case, p) for p in mated]
    last = len(set(case.gallery))
    return [sum(found <= r for found in ranks) / len(mated) for r in range(1, last + 1)]


def alarms(case: Case, threshold: float) -> int:
    """Non-mated probes with any gallery score at or above the threshold."""
    return sum(
        any(case.score(g, p) >= threshold for g in range(len(case.gallery)))
        for p, is_mated in enumerate(case.mated)
        if not is_mated
    )


def detections(case: Case, threshold: float, within: int = 1) -> int:
    """Mated probes ranked within, with an own score at or above the threshold."""
    return sum(
        case.best_of(case.probes[p], p) >= threshold and rank(case, p) <= within
        for p, is_mated in enumerate(case.mated)
        if is_mated
    )


def dir_at_far(case: Case, target: float, within: int = 1) -> tuple[int, int]:
    """(false alarms, detections) at the smallest number that is a threshold for the target.

    The number of alarms changes only just above a score, so the floats after the scores, and the
    lowest float of all, are all the thresholds that there are.
    """
    n_nonmated = case.mated.count(False)
    scores = {case.score(g, p) for g in range(len(case.gallery)) for p in range(len(case.probes))}
    thresholds = sorted({math.nextafter(s, INF) for s in scores} | {-1.7976931348623157e308})
    for threshold in thresholds:
        false = alarms(case, threshold)
        if Fraction(false, n_nonmated) <= Fraction(str(target)):
            return false, detections(case, threshold, within)
    raise AssertionError("nothing is at or above the float after the highest score")


def numbers(draw, count: int, below: int) -> list[int]:
    """Drawn as bytes, which is several times faster than as a list."""
    return [byte % below for byte in draw(st.binary(min_size=count, max_size=count))]


@st.composite
def cases(draw, need_nonmated: bool = True):
    """Few people, few scores: ties everywhere; at least one mated and one non-mated probe."""
    people, g, p = draw(st.integers(1, 4)), draw(st.integers(1, 7)), draw(st.integers(0, 6))
    gallery = numbers(draw, g, people)
    probes = [*numbers(draw, p, people + 3), gallery[0]]
    if need_nonmated:
        probes.insert(draw(st.integers(0, p)), people + 1)
    p = len(probes)
    values = [SCORES[i] for i in numbers(draw, g * p, len(SCORES))]
    return Case(
        [values[row * p : (row + 1) * p] for row in range(g)],
        gallery,
        probes,
        [i > 0 for i in numbers(draw, g, 6)],
        [i > 0 for i in numbers(draw, p, 6)],
    )
