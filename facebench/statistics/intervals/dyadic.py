"""The variance of what is a mean over comparisons that share people, in closed form.

A statistic is written as its value plus the sum of one number per comparison, its *influence*: of a
share, what the comparison is above the mean of its kind, over their number; of others see
`facebench.statistics.intervals.influence`. Comparisons without a common person are independent, all
others may depend on each other in any way. So

    V = sum of u(c) u(c') over all c, c' that have at least one person in common

(c with itself and both orders included), of which each person's sum of influences squared holds
every term, and those of comparisons of the same two people twice. Nothing is drawn, so nothing
hangs on a seed.

Influences are taken about means that they are part of, which makes V too small where people are
few: an interval takes V (1 + 1/f)^2, and the quantile of Student's t, with f degrees of freedom
(`Sharing.degrees_of_freedom`). docs/understand/coverage.md says what these intervals cover.

Sources: Fafchamps and Gubert 2007, "The formation of risk sharing networks" (the estimator);
Aronow, Samii, Assenova 2015, "Cluster-robust variance estimation for dyadic data" (that it holds in
large samples, and the sums per person).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np

from facebench.base.storage import kept
from facebench.statistics.checks import BoolArray, FloatArray, IntArray, checked_level
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.exact import Interval, exact_binomial, wilson_ends
from facebench.statistics.paired import (
    Difference,
    Noise,
    no_change_interval,
    no_change_p_value,
    widened,
)

# Where fewer people than this changed, a difference is no surer than an exact sign test of them;
# of fewer than the second number no sign test calls anything different at 5%.
FEW_CHANGED, FEWEST_CHANGED = 30, 6
FEW_CARRIERS = 4
# Of fewer who carry the non-mated side of a rate a difference is still found a little too often.
FEW_ACCEPTING, FEW_ACCEPTED = 10, ", false accepts of few people"
MANY = 1000.0  # degrees of freedom from which on the normal distribution is Student's
_TINY = 1e-12  # rounding of sums of influences


@dataclass(frozen=True, eq=False)
class Sharing:
    """Which of n comparisons have a person in common.

    first: int[n], positions of people in 0..count-1; two: int[m], the comparisons of two people,
    and second: int[m], the other one of each; pairs: int[m], the number of the two people, or None
    where no two meet twice. kind: as of `Units`.
    """

    first: IntArray
    two: IntArray
    second: IntArray
    pairs: IntArray | None
    count: int
    kind: str

    @classmethod
    @kept
    def of(cls, units: Units) -> Sharing:
        """Of comparisons whose people are numbered."""
        two = np.flatnonzero(units.first != units.second)
        one, other = units.first[two], units.second[two]
        keys = np.minimum(one, other) * np.int64(units.count) + np.maximum(one, other)
        distinct, numbers = np.unique(keys, return_inverse=True)
        pairs = numbers if distinct.size < two.size else None
        return cls(units.first, two, other, pairs, units.count, units.kind)

    @classmethod
    def of_one_person(cls, people: IntArray, kind: str = "subjects") -> Sharing:
        """Of comparisons or searches that have one person each, people: int[n]."""
        names, first = np.unique(people, return_inverse=True)
        nothing = np.zeros(0, dtype=np.int64)
        return cls(first.astype(np.int64), nothing, nothing, None, names.size, kind)

    @cached_property
    def numbers(self) -> FloatArray:
        """float64[count]: how many comparisons each person is in."""
        return self.by_person(np.ones(self.first.size))

    def by_person(self, influence: FloatArray) -> FloatArray:
        """float64[count]: the sum of each person's influences float[n]."""
        found: FloatArray = np.bincount(self.first, influence, self.count).astype(np.float64)
        if self.two.size:
            found += np.bincount(self.second, influence[self.two], self.count)
        return found

    def variance(self, influence: FloatArray, people: FloatArray | None = None) -> float:
        """V of influences float[n] (see the module). people: `by_person` of them, where it is known
        already, here and below.

        Chance may make it zero or less, since it is a difference; then it is that of independent
        comparisons.
        """
        people = self.by_person(influence) if people is None else people
        shared: FloatArray = influence[self.two]
        if self.pairs is not None:
            shared = np.bincount(self.pairs, shared).astype(np.float64)
        found = float(people @ people - shared @ shared)
        independent = float(influence @ influence)
        return found if found > 1e-12 * independent else independent

    def degrees_of_freedom(
        self, influence: FloatArray, people: FloatArray | None = None, *, by_weight: bool = False
    ) -> float:
        """How many independent squares a V is worth, at least 1, and infinite where comparisons are
        the units.

        (sum m)^2 / sum m^2 - 1 of the numbers m of comparisons of each person, those without
        influence left out; by_weight: at most 2 V^2 / sum of each person's sum of influences to the
        fourth, which is less where few people carry V. Source: Satterthwaite 1946, 2 V^2 over the
        variance of V, by design and by what was seen.
        """
        if self.kind == "comparisons":
            return float("inf")
        moved = influence != 0
        number = self.numbers if moved.all() else self.by_person(moved.astype(np.float64))
        total = number.sum()
        freedom = float(total * total / (number @ number)) - 1 if total else 1.0
        if by_weight:
            freedom = min(freedom, 2 * self.carriers(influence, people))
        return max(1.0, freedom)

    def carriers(self, influence: FloatArray, people: FloatArray | None = None) -> float:
        """How many people carry V: as many of equal weight would have the same ratio of squared
        sum of squares and sum of fourth powers.
        """
        squares = (self.by_person(influence) if people is None else people) ** 2
        fourth = float(squares @ squares)
        return float(squares.sum()) ** 2 / fourth if fourth else float("inf")


def share_interval(
    value: float,
    influence: FloatArray,
    sharing: Sharing,
    *,
    comparisons: int | None,
    independent: int,
    level: float = 0.95,
) -> Interval:
    """Interval of a statistic in 0..1 with influences float64[n].

    Wilson's, of as many independent comparisons as would have the same variance, and never narrower
    than the exact binomial one of the ``comparisons`` that the value is a share of (None: none).
    Of 0 and 1, of which no variance tells anything, the exact one of ``independent`` units, none of
    which share a person; no end lies within it where fewer than `FEW_CHANGED` comparisons err and
    `FEW_CARRIERS` people or fewer carry V.
    ValueError: level outside (0, 1).
    Sources: Wilson 1927; Clopper and Pearson 1934; effective numbers as in Kish 1965.
    """
    checked_level(level, "share_interval")
    kind = "dyadic over subjects" if sharing.kind == "subjects" else "wilson over comparisons"
    if value <= _TINY or value >= 1 - _TINY:
        low, high = exact_binomial(float(round(value)), independent, level)
        return Interval(low, high, level, kind)
    freedom = sharing.degrees_of_freedom(influence)
    error = standard_error(sharing.variance(influence), freedom)
    z = quantile(freedom, level)
    least = independent if comparisons is None else comparisons
    effective = value * (1 - value) / (error * error) if error > 0 else float(least)
    number = effective if comparisons is None else min(effective, comparisons)
    low, high = wilson_ends(value, number, z)
    if comparisons is not None:
        exact = exact_binomial(value, comparisons, level)
        low, high = min(low, exact[0]), max(high, exact[1])
    few = min(value, 1 - value) * influence.size < FEW_CHANGED
    if few and sharing.carriers(influence) <= FEW_CARRIERS:
        # Chance may soon have left them out: no surer than where all, or none, were right.
        low = min(low, exact_binomial(1.0, independent, level)[0])
        high = max(high, exact_binomial(0.0, independent, level)[1])
    return Interval(low, high, level, kind)


def influenced_difference(
    estimate: float,
    influence: FloatArray,
    sharing: Sharing,
    *,
    independent: int,
    gains: FloatArray | None = None,
    mated: BoolArray | None = None,
    level: float = 0.95,
) -> Difference:
    """Difference of two models, candidate minus baseline, from the difference of the influences.

    gains: float64[n], what each comparison adds to the estimate (of a share, its weight where only
    the candidate was right, minus that where only the baseline was), or None where a statistic is
    no such sum. mated: bool[n], of a rate whose thresholds hang on the non-mated comparisons: it
    has no more degrees of freedom than people carry these, since a handful of false accepts hardly
    tells its own variance; None: of others. Where fewer than `FEW_CHANGED` people gained or lost,
    interval and p-value are at least those of the exact sign test of these people (a comparison of
    two counts for its first).
    Where nothing has any influence they are those of `no_change_interval` for ``independent``
    units. The interval excludes zero where p is below 1 - level. ValueError: level outside (0, 1).
    """
    checked_level(level, "influenced_difference")
    kind = f"{'dyadic' if sharing.kind == 'subjects' else 'normal'} over {sharing.kind}"
    if not np.abs(influence).max(initial=0.0) > _TINY:
        # Rounding may take a difference of two shares beyond 1.
        shown = float(np.clip(estimate, -1, 1))
        bound = no_change_interval(independent, level, shown, sharing.kind)
        return Difference(estimate, bound, no_change_p_value(independent, shown))
    people = sharing.by_person(influence)
    freedom = sharing.degrees_of_freedom(influence, people, by_weight=True)
    if mated is not None and sharing.kind == "subjects":
        carriers = sharing.carriers(np.where(mated, 0.0, influence))
        freedom = max(1.0, min(freedom, carriers))
        kind += FEW_ACCEPTED * (carriers < FEW_ACCEPTING)
    variance = sharing.variance(influence, people)
    error, z = standard_error(variance, freedom), quantile(freedom, level)
    p_value = two_sided(abs(estimate) / error, freedom)
    low, high = max(-1.0, estimate - z * error), min(1.0, estimate + z * error)
    changed = None if gains is None else float(np.abs(gains).sum())
    apart = float(influence @ influence)
    noise = Noise(variance, apart, freedom, changed, sharing.count)
    found = Difference(estimate, Interval(low, high, level, kind), p_value, noise)
    return found if gains is None else _no_surer_than_signs(found, gains, sharing, independent)


def _no_surer_than_signs(
    found: Difference, gains: FloatArray, sharing: Sharing, independent: int
) -> Difference:
    """The difference, at least as uncertain as the exact sign test of the people who changed."""
    people = np.bincount(sharing.first, gains, minlength=sharing.count)
    better = int(np.count_nonzero(people > _TINY))
    changed = better + int(np.count_nonzero(people < -_TINY))
    if found.noise is not None:
        found = replace(found, noise=replace(found.noise, changed_units=changed))
    if changed >= FEW_CHANGED:
        return found
    from scipy.special import bdtr  # late: slow to import

    interval, p_value = found.interval, found.p_value
    low, high = interval.low, interval.high
    if changed < FEWEST_CHANGED:
        none = no_change_interval(independent, interval.level)
        low, high = min(low, none.low), max(high, none.high)
    if changed:
        scale = float(np.abs(people).sum())
        ends = exact_binomial(better / changed, changed, interval.level)
        low = min(low, scale * (2 * ends[0] - 1))
        high = max(high, scale * (2 * ends[1] - 1))
        tail = float(bdtr(min(better, changed - better), changed, 0.5))
        p_value = max(p_value, min(1.0, 2 * tail))
    else:
        p_value = 1.0
    bound = f"the exact bound for the {changed:,} {sharing.kind} that changed"
    return replace(found, interval=widened(interval, (low, high), bound), p_value=p_value)


def standard_error(variance: float, freedom: float) -> float:
    """The standard error, with the correction for few people."""
    return sqrt(variance) * (1 + 1 / freedom)


@lru_cache(maxsize=256)
def quantile(freedom: float, level: float) -> float:
    """Student's t that is exceeded to either side in 1 - level of all cases."""
    if freedom >= MANY:
        return NormalDist().inv_cdf((1 + level) / 2)
    from scipy.special import stdtrit  # late: slow to import

    return float(stdtrit(freedom, (1 + level) / 2))


def two_sided(ratio: float, freedom: float) -> float:
    """How often Student's t is beyond a ratio, to either side."""
    if freedom >= MANY:
        return 2 * NormalDist().cdf(-ratio)
    from scipy.special import stdtr  # late: slow to import

    return 2 * float(stdtr(freedom, -ratio))
