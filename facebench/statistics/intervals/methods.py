"""The difference of two methods, each trained with several seeds, over people and seeds.

A method's value is the mean over its seeds. It would be another one with other people, and with
other seeds; people are the same for all seeds, and the seeds of two methods have nothing in common.
With u the influences of the difference of the two means and, of each method with k seeds, s the
variance of its values and u_j - u the influences of seed j less their mean,

    V = V(u) + sum over methods of (s - i) / k,  i = sum over seeds of V(u_j - u) / (k - 1)

V(u) holds what people do and what people and seeds do together; s holds that together with what
seeds do alone, so that i, which is in both, is taken out once. This is what a bootstrap of people
and seeds would give of endless draws, less what such a bootstrap has too much (product weights of
people: Owen 2007) or too little (k seeds drawn of k: (k - 1) / k). A difference s - i below zero is
none. Student's t has Satterthwaite's degrees of freedom.
Sources: Cameron, Gelbach, Miller 2011, Robust inference with multiway clustering (the three terms);
Satterthwaite 1946.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from facebench.statistics.checks import FloatArray, checked_level
from facebench.statistics.intervals.dyadic import (
    Sharing,
    influenced_difference,
    quantile,
    standard_error,
    two_sided,
)
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.paired import WIDENED
from facebench.statistics.power import POWER, errors_for

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Seeds:
    """One method's. count: how many; own: the variance of a value by the seed alone, shared: by
    seed and people together; None of one seed, which tells nothing of them.
    """

    count: int
    own: float | None
    shared: float | None

    @classmethod
    def of(cls, values: FloatArray, influences: FloatArray, sharing: Sharing) -> Seeds:
        """values: float64[k], of the seeds; influences: float64[k, n], of comparisons on each."""
        count = values.size
        if count < 2:
            return cls(count, None, None)
        apart = influences - influences.mean(axis=0)
        moved = [row for row in apart if np.abs(row).max() > 1e-15]
        shared = sum(sharing.variance(row) for row in moved) / (count - 1)
        return cls(count, max(0.0, float(values.var(ddof=1)) - shared), shared)


@dataclass(frozen=True)
class MethodDifference:
    """estimate: candidate minus base; interval, p_value: over people and seeds, of one seed over
    people alone; people: the variance by people alone, freedom: of what rests on people; base,
    candidate: their seeds.
    """

    estimate: float
    interval: Interval
    p_value: float
    people: float
    freedom: float
    base: Seeds
    candidate: Seeds

    @property
    def both_known(self) -> bool:
        """Whether each method has two seeds or more."""
        return self.base.count > 1 and self.candidate.count > 1

    @property
    def shares(self) -> tuple[float, float, float] | None:
        """Of the variance: by people alone, by seeds alone, by both together; None: not known."""
        methods = (self.base, self.candidate)
        seeds = sum((m.own or 0.0) / m.count for m in methods)
        shared = sum((m.shared or 0.0) / m.count for m in methods)
        whole = self.people + seeds + shared
        if not self.both_known or whole <= 0:
            return None
        return self.people / whole, seeds / whole, shared / whole

    def seeds_for(self, level: float = 0.95, power: float = POWER) -> int | None:
        """The fewest seeds of each method with which a true difference as large as the one found is
        told apart in the share ``power`` of all repetitions; None: no number would do, or unknown.
        """
        if not self.both_known or not self.estimate:
            return None
        for count in range(2, MOST_SEEDS + 1):
            variance, freedom = _whole(
                self.people, self.freedom, self.base, self.candidate, count=count
            )
            if errors_for(freedom, level, power) * sqrt(variance) <= abs(self.estimate):
                return count
        return None


def method_difference(
    base: tuple[FloatArray, FloatArray],
    candidate: tuple[FloatArray, FloatArray],
    sharing: Sharing,
    level: float = 0.95,
    *,
    independent: int | None = None,
    gains: FloatArray | None = None,
) -> MethodDifference:
    """Of two methods: (values float64[k], influences float64[k, n]) of their seeds.

    independent, gains: as of `influenced_difference`, None: everybody is a unit; of the means over
    seeds. Other seeds make nothing surer: interval and p-value are at least as uncertain as the
    difference of the means is over people alone, and those of one seed each are its own.
    ValueError: level outside (0, 1).
    """
    checked_level(level, "method_difference")
    one, other = (Seeds.of(*method, sharing) for method in (base, candidate))
    estimate = float(candidate[0].mean() - base[0].mean())
    influence = candidate[1].mean(axis=0) - base[1].mean(axis=0)
    freedom = sharing.degrees_of_freedom(influence, by_weight=True)
    of_people = standard_error(sharing.variance(influence), freedom) ** 2
    people = max(0.0, of_people - sum((m.shared or 0.0) / m.count for m in (one, other)))
    variance, whole = _whole(people, freedom, one, other)
    least = influenced_difference(
        estimate, influence, sharing, independent=independent or sharing.count, gains=gains,
        level=level,
    )  # fmt: skip
    low, high, p_value = least.interval.low, least.interval.high, least.p_value
    error, kind = sqrt(variance), f"over {sharing.kind}"
    kind += " and seeds" if one.count > 1 and other.count > 1 else ", of these seeds"
    if error > 1e-15 and (one.count > 1 or other.count > 1):
        half = quantile(whole, level) * error
        low, high = min(low, max(-1.0, estimate - half)), max(high, min(1.0, estimate + half))
        p_value = max(p_value, two_sided(abs(estimate) / error, whole))
    exact = least.interval.kind.partition(WIDENED)
    kind += "".join(exact[1:]) or f", {exact[0]}" * exact[0].startswith("exact")
    interval = Interval(low, high, level, kind)
    return MethodDifference(estimate, interval, p_value, people, freedom, one, other)


def _whole(
    people: float, freedom: float, *methods: Seeds, count: int | None = None
) -> tuple[float, float]:
    """The variance of the difference and its degrees of freedom; count: of seeds, of each method,
    None: as many as there are.
    """
    k = [count or m.count for m in methods]
    own = [(m.own or 0.0) / n for m, n in zip(methods, k, strict=True)]
    shared = [(m.shared or 0.0) / n for m, n in zip(methods, k, strict=True)]
    of_people = people + sum(shared)
    variance = of_people + sum(own)
    spread = of_people**2 / freedom + sum(
        (a + b) ** 2 / (n - 1) for a, b, n in zip(own, shared, k, strict=True) if n > 1 and a > 0
    )
    return variance, max(1.0, variance**2 / spread) if spread else float("inf")
