"""How often 95% intervals hold the truth, simulated on lists of pairs with people in common.

Scores are normal with variance 1: a part of each person (of his mated comparisons, and one of his
non-mated ones, where both people add theirs) and noise. So every statistic's true value is known in
closed form. Run as a script it prints the table of docs/understand/coverage.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from facebench.records.files import read_record
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.exact import (
    Interval,
    percentile_interval,
    tar_key,
    verification_intervals,
)
from facebench.statistics.verification import (
    accuracy_interval,
    paired_verification,
    roc_statistics,
)
from facebench.statistics.weighted import weighted_accuracy

TARGETS = (0.1, 0.01, 0.001)
NAMES = ("accuracy", "auc", "eer", *map(tar_key, TARGETS))
APART, LESS = 3.4, 0.1  # of the means of mated and non-mated scores, and less for the second model
COMMON = 0.7  # share of the variance that two models have in common
_PHI = NormalDist()


@dataclass(frozen=True, eq=False)
class PairGraph:
    """Who is compared with whom."""

    name: str
    left: np.ndarray
    right: np.ndarray

    @property
    def mated(self) -> np.ndarray:
        return self.left == self.right


def lfw(record: Path) -> PairGraph:
    """LFW's 6,000 pairs, from a record: 4,281 people, most of them in one or two pairs."""
    table = read_record(record).table
    assert table is not None and table.left_subjects is not None
    assert table.right_subjects is not None
    return PairGraph("LFW, 6,000 pairs", table.left_subjects, table.right_subjects)


def balanced(
    groups: int = 8, people: int = 25, mated: int = 30, nonmated: int = 15_000
) -> PairGraph:
    """As BFW: many pairs of each of many people, non-mated ones within a group."""
    rng = np.random.default_rng(0)
    own = np.repeat(np.arange(groups * people), mated)
    first = rng.integers(0, groups * people, nonmated)
    other = (first % people + rng.integers(1, people, nonmated)) % people
    return PairGraph(
        f"like BFW, {groups * people} people",
        np.r_[own, first],
        np.r_[own, first // people * people + other],
    )


def closed(people: int = 20, images: int = 8) -> PairGraph:
    """Everybody against everybody, few people."""
    person = np.repeat(np.arange(people), images)
    i, j = np.triu_indices(person.size, 1)
    return PairGraph(f"closed, {people} people", person[i], person[j])


def models(
    graph: PairGraph, effect: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two models; effect: share of the variance that comes with the people."""
    people = int(max(graph.left.max(), graph.right.max())) + 1
    mated, scores = graph.mated, []
    common = [rng.normal(size=people), rng.normal(size=people), rng.normal(size=mated.size)]
    for apart in (APART, APART - LESS):
        own, other, noise = (
            np.sqrt(COMMON) * part + np.sqrt(1 - COMMON) * rng.normal(size=part.size)
            for part in common
        )
        person = np.where(mated, own[graph.left], (other[graph.left] + other[graph.right]) / 2**0.5)
        scores.append(apart * mated + np.sqrt(effect) * person + np.sqrt(1 - effect) * noise)
    return scores[0], scores[1]


def truth(name: str, apart: float) -> float:
    if name == "auc":
        return _PHI.cdf(apart / 2**0.5)
    if name in ("accuracy", "eer"):
        right = _PHI.cdf(apart / 2)
        return right if name == "accuracy" else 1 - right
    return _PHI.cdf(apart - _PHI.inv_cdf(1 - float(name.rpartition("=")[2])))


def alone(graph: PairGraph, scores: np.ndarray) -> dict[str, Interval]:
    """Intervals of one model; accuracy at the true best threshold, over one fold of each kind, so
    that its true value is known.
    """
    mated = graph.mated
    units = Units.of(mated, graph.left, graph.right, "coverage")
    decided = _decided(graph, scores, APART)
    sharing, right = Sharing.of(units), decided[0] == mated
    of_accuracy = accuracy_interval(decided[1], right, units, mated.astype(int), sharing)
    found = roc_statistics(scores, units, TARGETS, sharing=sharing)
    return {"accuracy": of_accuracy, **found.intervals}


def _decided(graph: PairGraph, scores: np.ndarray, apart: float) -> tuple[np.ndarray, float]:
    mated = graph.mated
    decisions = scores >= apart / 2
    right = decisions == mated
    return decisions, float((right[mated].mean() + right[~mated].mean()) / 2)


def coverage(
    graph: PairGraph, effect: float, lists: int, seed: int = 1, *, bootstrap: int = 0
) -> dict[str, tuple[float, float, float | None]]:
    """By statistic: shares of lists whose interval, and whose paired interval, holds the truth, and
    the mean width as a multiple of the bootstrap's on the first ``bootstrap`` lists. The lists are
    the same whatever ``bootstrap`` is.
    """
    rng, of_bootstrap = (np.random.default_rng([seed, which]) for which in (0, 1))
    found = {name: np.zeros(2) for name in NAMES}
    widths = {name: np.zeros(2) for name in NAMES}
    for number in range(lists):
        one, other = models(graph, effect, rng)
        intervals = alone(graph, one)
        folds = graph.mated.astype(int)
        decisions = [_decided(graph, s, a)[0] for s, a in ((one, APART), (other, APART - LESS))]
        paired = paired_verification(
            (one, decisions[0]), (other, decisions[1]), graph.mated, folds, graph.left,
            graph.right, TARGETS,
        )  # fmt: skip
        for name in NAMES:
            value = truth(name, APART)
            change = truth(name, APART - LESS) - value
            found[name] += (_holds(intervals[name], value), _holds(paired[name].interval, change))
        if number < bootstrap:
            drawn = verification_intervals(
                one, graph.mated, graph.left, graph.right, np.arange(one.size) % 2, TARGETS, 300,
                of_bootstrap,
            )  # fmt: skip
            drawn["accuracy"] = _drawn_accuracy(graph, decisions[0], of_bootstrap)
            for name in NAMES:
                widths[name] += [i.high - i.low for i in (intervals[name], drawn[name])]
    return {
        name: (
            float(found[name][0] / lists),
            float(found[name][1] / lists),
            float(widths[name][0] / widths[name][1]) if bootstrap else None,
        )
        for name in NAMES
    }


def _drawn_accuracy(graph: PairGraph, decisions: np.ndarray, rng: np.random.Generator) -> Interval:
    """The bootstrap's, of the mean of both kinds' accuracies."""
    units = Units.of(graph.mated, graph.left, graph.right, "coverage")
    of_weights = weighted_accuracy(decisions == graph.mated, graph.mated.astype(int))
    values = np.concatenate([of_weights(block) for block in units.draw(300, rng, "coverage")])
    return percentile_interval(values, 0.95, "subjects")


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def main(scores: str, lists: int) -> None:
    """Print the rows of the table."""
    graphs: list[Callable[[], PairGraph]] = [lambda: lfw(Path(scores)), balanced, closed]
    for make in graphs:
        graph = make()
        for effect in (0.2, 0.5):
            for name, (one, two, width) in coverage(graph, effect, lists, bootstrap=10).items():
                print(
                    f"| {graph.name} | {effect:.1f} | {name} | 95 | {100 * one:.1f} "
                    f"| {100 * two:.1f} | {width:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
