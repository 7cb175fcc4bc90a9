"""Places of models in a ranking, where tests let them lie, and which no other model outdoes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facebench.comparison.among import Among
from facebench.comparison.pareto import pareto_front


@dataclass(frozen=True)
class Place:
    """place: 1 is the best, equal values share it; low, high: the places that the tests leave.

    better, worse: how many others are significantly better and worse.
    """

    place: int
    low: int
    high: int

    @property
    def told(self) -> bool:
        """Whether the tests leave one place only."""
        return self.low == self.high


def ranks_of(found: Among) -> list[Place]:
    """The rank of every record by its headline, with an interval at 95%.

    A record's own tests against all others are one family (Holm): it has no place above those that
    are significantly better, and none below those that are significantly worse. So in 95 of 100
    data sets its true place is in the interval; of one record at a time, not of all at once.
    Source: Mogstad, Romano, Shaikh, Wilhelm 2024, Inference for Ranks (Review of Economic Studies).
    """
    values = [record.statistics.headline.value for record in found.records]
    ranks = []
    for number, value in enumerate(values):
        verdicts = [paired.verdict for _, paired in found.family(number)]
        ranks.append(
            Place(
                place=1 + sum(other > value for other in values),
                low=1 + verdicts.count("better"),
                high=len(values) - verdicts.count("worse"),
            )
        )
    return ranks


def on_front(points: Sequence[tuple[float | None, float]]) -> list[bool]:
    """Of (cost, value) whether no other point costs at most as much and is at least as good, one
    of both strictly; a point without a cost is not on the front.
    """
    at = [n for n, (cost, _) in enumerate(points) if cost is not None]
    costs = [cost for cost, _ in points if cost is not None]
    front = dict(zip(at, pareto_front(costs, [points[n][1] for n in at]), strict=True))
    return [front.get(n, False) for n in range(len(points))]
