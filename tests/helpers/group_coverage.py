"""How often intervals of groups' rates hold the truth, and how often equal groups are told apart.

Scores are those of `tests.helpers.coverage` with a shift for each group, so that every group's true
rates at the true threshold are known in closed form. Run as a script it prints the tables of
docs/understand/coverage.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.points import group_statistics
from facebench.statistics.groups.rates import Accepts, Compared, group_rates
from facebench.statistics.groups.summaries import SUMMARIES, summaries
from facebench.statistics.intervals.bootstrap import Units

APART = 3.4
_PHI = NormalDist()


@dataclass(frozen=True, eq=False)
class GroupList:
    """Who is compared with whom, and everybody's group."""

    name: str
    left: np.ndarray
    right: np.ndarray
    label: np.ndarray

    @property
    def mated(self) -> np.ndarray:
        return self.left == self.right

    @property
    def labelled(self) -> GroupLabels:
        names = [f"g{n}" for n in range(int(self.label.max()) + 1)]
        one, other = self.label[self.left], self.label[self.right]
        return GroupLabels.make("people", names, one, other, self.left, self.right)

    @property
    def units(self) -> Units:
        return Units.of(self.mated, self.left, self.right, "coverage")


def across(people: int = 1200, each: int = 6000, shares=(0.5, 0.3, 0.2)) -> GroupList:
    """Pairs that know nothing of groups, which are of unequal size."""
    rng = np.random.default_rng(0)
    own = rng.integers(0, people, each)
    first = rng.integers(0, people, each)
    other = (first + rng.integers(1, people, each)) % people
    label = np.repeat(np.arange(len(shares)), np.round(np.array(shares) * people).astype(int))
    name = f"pairs of {people:,} people, 3 unequal groups"
    return GroupList(name, np.r_[own, first], np.r_[own, other], rng.permutation(label))


def within(people: int = 400, groups: int = 4, each: int = 3000) -> GroupList:
    """As RFW: pairs of two people are of one group."""
    rng = np.random.default_rng(0)
    n = people * groups
    own = rng.integers(0, n, each * groups)
    first = rng.integers(0, n, each * groups)
    other = (first % people + rng.integers(1, people, first.size)) % people
    second = first // people * people + other
    label = np.arange(n) // people
    return GroupList(
        f"pairs within {groups} groups of {people}", np.r_[own, first], np.r_[own, second], label
    )


def scores(graph: GroupList, effect: float, shift: np.ndarray, rng) -> np.ndarray:
    """effect: the share of variance that comes with people; shift: of both kinds, by group."""
    people, mated = graph.label.size, graph.mated
    own, other = rng.normal(size=people), rng.normal(size=people)
    person = np.where(mated, own[graph.left], (other[graph.left] + other[graph.right]) / 2**0.5)
    noise = rng.normal(size=mated.size)
    return _means(graph, shift) + np.sqrt(effect) * person + np.sqrt(1 - effect) * noise


def _means(graph: GroupList, shift: np.ndarray) -> np.ndarray:
    one, other = graph.label[graph.left], graph.label[graph.right]
    return np.where(graph.mated, APART - shift[one], np.where(one == other, shift[one], 0.0))


def truth(graph: GroupList, shift: np.ndarray, far: float) -> tuple[np.ndarray, np.ndarray]:
    """Every group's FMR and FNMR at the threshold whose FMR is true of all."""
    means = _means(graph, shift)[~graph.mated]
    values, counts = np.unique(means, return_counts=True)
    at = brentq(lambda t: np.average(norm.sf(t - values), weights=counts) - far, -5, 12)
    return norm.sf(at - shift), norm.cdf(at - APART + shift)


def coverage(
    graph: GroupList, effect: float, far: float, lists: int, *, apart: float = 0.3, seed: int = 1
) -> dict[str, list[float]]:
    """Shares of lists whose interval holds the truth, of every group, smallest number first."""
    rng = np.random.default_rng(seed)
    shift = apart * np.linspace(-0.5, 0.5, int(graph.label.max()) + 1)
    true = dict(zip(("fmr", "fnmr"), truth(graph, shift, far), strict=True))
    compared = Compared.of(graph.units, graph.labelled)
    found = {kind: np.zeros(shift.size) for kind in true}
    for _ in range(lists):
        drawn = scores(graph, effect, shift, rng)
        accepts = Accepts.fitted(drawn, graph.mated, far, compared.sharing)
        rates = group_rates(compared, accepts)
        for kind, own in (("fmr", rates.fmr_of), ("fnmr", rates.fnmr_of)):
            found[kind] += [
                one.interval.low <= value <= one.interval.high
                for one, value in zip(own, true[kind], strict=True)
            ]
    return {kind: (held / lists).tolist() for kind, held in found.items()}


def of_summaries(
    graph: GroupList, effect: float, far: float, lists: int, *, apart: float, draws: int = 400
) -> dict[str, tuple[float, float]]:
    """By summary: the share of lists whose interval holds the truth, and of those with p < 5%."""
    rng = np.random.default_rng(2)
    shift = apart * np.linspace(-0.5, 0.5, int(graph.label.max()) + 1)
    true = summaries(*truth(graph, shift, far), *([np.full(shift.size, 1e-12)] * 2))
    labelled, units = graph.labelled, graph.units
    held = {name: np.zeros(2) for name in SUMMARIES}
    for number in range(lists):
        drawn = scores(graph, effect, shift, rng)
        found = group_statistics(drawn, units, labelled, [far], draws=draws, seed=number)
        for one in found.points[0].summaries:
            low, high = one.interval.low, one.interval.high
            holds = low - 1e-9 <= true[one.name] <= high + 1e-9
            held[one.name] += (holds, one.p_value < 0.05)
    return {name: tuple((both / lists).tolist()) for name, both in held.items()}


def main(lists: int) -> None:
    for make in (across, within):
        graph = make()
        for effect in (0.2, 0.5):
            for far in (0.1, 0.01, 0.001):
                for kind, shares in coverage(graph, effect, far, lists).items():
                    told = ", ".join(f"{100 * share:.1f}" for share in shares)
                    print(
                        f"| {graph.name} | {effect} | {kind.upper()} | {far:g} | {told} |",
                        flush=True,
                    )
    for make in (across, within):
        graph = make()
        for apart in (0.0, 0.3):
            for name, (hold, told) in of_summaries(
                graph, 0.2, 0.01, lists // 2, apart=apart
            ).items():
                print(
                    f"| {graph.name} | {apart} | {name} | {100 * hold:.1f} | {100 * told:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]))
