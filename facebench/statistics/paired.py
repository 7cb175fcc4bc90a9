"""The difference of two models on the same comparisons: from draws, and by McNemar's exact test.

Draws are of records that keep no scores (all pairs); other differences are in closed form
(`facebench.statistics.intervals.dyadic`). McNemar's test does not know that comparisons share
people, and calls equal models different too often where they do (16 of 100 instead of 5 on some
lists): it decides nothing, and is told beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.base.storage import kept
from facebench.statistics.checks import FloatArray, IntArray, checked_flags, checked_level
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.exact import Interval, exact_binomial, percentile_interval


@dataclass(frozen=True)
class McNemar:
    """only_a, only_b: comparisons that only that model decided rightly; p_value: two-sided."""

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class Noise:
    """What chance does to a difference, before any exact bound: `facebench.statistics.power`.

    variance: of the estimate; apart: what it would be if no two comparisons depended on each other,
    None where it is of draws; freedom: of Student's t; changed: the share of comparisons that the
    two models decide differently, None of statistics that are no shares; units: people, or
    comparisons where nobody knows them; changed_units: of these, who gained or lost.
    """

    variance: float
    apart: float | None
    freedom: float
    changed: float | None
    units: int
    changed_units: int | None = None


@dataclass(frozen=True)
class Difference:
    """estimate: candidate minus baseline, in the statistic's unit; interval: of that difference;
    p_value: two-sided; noise: None where nothing has changed.
    """

    estimate: float
    interval: Interval
    p_value: float
    noise: Noise | None = None


def bootstrap_p_value(values: FloatArray) -> float:
    """Two-sided p-value of no difference, from the differences float[draws] of a paired bootstrap.

    Twice the smaller share of draws at or beyond zero, the data themselves counted as one draw: the
    percentile interval read the other way round, so that both agree up to a draw or two.
    Source: Davison and Hinkley 1997, chapters 4 and 5.
    """
    return min(1.0, 2.0 * (_beyond(values) + 1) / (values.size + 1))


def p_value_range(values: FloatArray, level: float = 0.999) -> tuple[float, float]:
    """Where `bootstrap_p_value` of endless draws would be, from so many of them, float[draws].

    The number of draws at or beyond zero is binomial. Source: Clopper and Pearson 1934.
    """
    low, high = exact_binomial(_beyond(values) / values.size, values.size, level)
    return min(1.0, 2 * low), min(1.0, 2 * high)


def _beyond(values: FloatArray) -> int:
    """How many draws are at or beyond zero, on the side where fewer are."""
    return min(int(np.count_nonzero(values <= 0)), int(np.count_nonzero(values >= 0)))


def difference_of_draws(
    estimate: float, values: FloatArray, level: float, units: str, independent: int
) -> Difference:
    """Difference of two shares from the differences float[draws] of a paired bootstrap.

    units: what was drawn; independent: how many units the statistic rests on. Where all draws agree
    interval and p-value are those of `no_change_interval`, for a bootstrap of what never changed
    tells nothing. Where a quarter of the draws or more show no difference, so that one or two
    people carry it, the percentile interval is no narrower than the interval of no change. Zero is
    inside either then, so that the p-value, which stays, goes with it. ValueError: as there.
    """
    interval, p_value = percentile_interval(values, level, units), bootstrap_p_value(values)
    if all_agree(values):
        bound = no_change_interval(independent, level, estimate, units)
        p_value = max(p_value, no_change_p_value(independent, estimate))
        return Difference(estimate, bound, p_value)
    if rests_on_few(values):
        bound = no_change_interval(independent, level)
        ends = (bound.low, bound.high)
        interval = widened(interval, ends, f"the exact bound for {independent:,} {units}")
    noise = Noise(float(values.var(ddof=1)), None, float("inf"), None, independent)
    return Difference(estimate, interval, p_value, noise)


def mcnemar_exact(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """Two-sided exact binomial test that neither model is right more often where they differ.

    correct_a, correct_b: bool[n], whether each model decided the same comparisons rightly. The
    p-value is twice the tail of Binomial(only_a + only_b, 1/2) at the smaller count, at most 1, and
    1 when the models never differ. ValueError: empty, not boolean, differing lengths.
    Source: McNemar 1947, in its exact conditional form.
    """
    a = np.asarray(correct_a)
    if a.ndim != 1 or a.size == 0:
        raise ValueError(f"mcnemar_exact: correct_a has shape {a.shape}; pass bool[n], n >= 1")
    a = checked_flags(a, a.size, "correct_a", "mcnemar_exact")
    b = checked_flags(correct_b, a.size, "correct_b", "mcnemar_exact")
    # Late: SciPy's import would cost every run a fifth of a second.
    from scipy.special import bdtr

    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    tail = float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, min(1.0, 2.0 * tail))


# A person is in no draw with probability 0.37, two people together with 0.14 and two whose changes
# may cancel with 0.31: where more draws than this show nothing, one or two people carry it all.
FEW = 0.25
WIDENED = ", no narrower than "
_TINY = 1e-12  # rounding of differences of means


def widened(interval: Interval, ends: tuple[float, float], bound: str) -> Interval:
    """The interval, no narrower than from the one end to the other; bound: what these are."""
    low, high = min(interval.low, ends[0]), max(interval.high, ends[1])
    return Interval(low, high, interval.level, f"{interval.kind}{WIDENED}{bound}")


def no_change_interval(
    n: int, level: float = 0.95, difference: float = 0.0, units: str = "comparisons"
) -> Interval:
    """Where a difference in share may be that all n >= 1 independent units showed alike.

    units: what they are, for the interval's kind. See the module; source: Clopper and Pearson 1934.
    ValueError: n below 1, level outside (0, 1), a difference outside -1..1.
    """
    checked_level(level, "no_change_interval")
    if n < 1:
        raise ValueError(f"no_change_interval: n is {n}; at least 1 is needed")
    if not -1 <= difference <= 1:
        raise ValueError(f"no_change_interval: difference is {difference}; it is between -1 and 1")
    bound = 1 - ((1 - level) / 2) ** (1 / n)
    low, high = difference - bound * (1 + difference), difference + bound * (1 - difference)
    return Interval(low, high, level, f"exact bound for {n:,} {units}, all alike")


def no_change_p_value(n: int, difference: float) -> float:
    """The two-sided p-value of no difference that goes with `no_change_interval`.

    It is 1 minus the level at which the interval ends at zero, 2 (1 + |d|)^-n, at most 1; for d = 1
    the exact sign test's of n units that all changed alike.
    """
    return min(1.0, 2.0 * (1.0 + abs(difference)) ** -n)


def all_agree(values: FloatArray) -> bool:
    """Whether the differences float[draws] of all draws are the same."""
    return bool(np.ptp(values) <= _TINY)


def rests_on_few(values: FloatArray) -> bool:
    """Whether a quarter or more of the draws, float[draws], show no difference at all."""
    return bool(np.mean(np.abs(values) <= _TINY) >= FEW)


@kept
def units_of_kind(units: Units, *, mated: bool) -> int:
    """How many mated or non-mated comparisons may be independent: those without a common person.

    That is the number of people in mated ones, half the number in non-mated ones, and never more
    than there are comparisons, which it is where nobody knows who is in them.
    """
    rows = units.mated == mated
    number = int(np.count_nonzero(rows))
    if units.kind == "comparisons":
        return number
    people = np.unique(np.concatenate((units.first[rows], units.second[rows]))).size
    return max(1, min(number, people if mated else people // 2))


def units_of_fewer(units: Units) -> int:
    """`units_of_kind` of the kind that has fewer."""
    return min(units_of_kind(units, mated=kind) for kind in (True, False))


@kept
def units_of_all(units: Units) -> int:
    """People on the first side of comparisons of both kinds, which are decided one by one."""
    return int(np.unique(units.first).size)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values, in the given order; None: a test that was not made, and stays None.

    The chance that any of them is below a level although nothing differs is at most that level.
    Source: Holm 1979, A simple sequentially rejective multiple test procedure, Section 3.
    """
    made = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, at) in enumerate(made):
        highest = max(highest, min(1.0, (len(made) - rank) * p))
        adjusted[at] = highest
    return adjusted


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """Means of groups of unequal size, and what chance leaves of them.

    mean: float[k]; number: int[k], of values; weight: float[k] from 0 to 1, the share of a group's
    distance from the overall mean that is its own and not chance; expected: float[k], the mean of
    further values of the group. between: the standard deviation of groups' true means, 0 where they
    differ no more than chance brings; None, and every weight 0: no group has two values.
    """

    mean: FloatArray
    number: IntArray
    weight: FloatArray
    expected: FloatArray
    between: float | None


def group_means(values: ArrayLike, groups: ArrayLike) -> GroupMeans:
    """The means of float[n] values in int[n] groups, which are numbered from 0 without gaps.

    A value counts once for each place that it has; of a comparison of two people, in both. One-way
    random effects, their variance by moments of the analysis of variance, at least 0. ValueError:
    fewer than two groups, a group without values, lengths that differ.
    Source: Searle, Casella, McCulloch 1992, Variance Components, chapters 3 and 7.
    """
    x, of = np.asarray(values, dtype=np.float64), np.asarray(groups, dtype=np.int64)
    if x.shape != of.shape or x.ndim != 1:
        raise ValueError(f"group_means: {x.shape} values and {of.shape} groups; pass [n] of both")
    number = np.bincount(of) if of.size else np.zeros(0, dtype=np.int64)
    k, n = number.size, x.size
    if k < 2 or number.min() < 1:
        raise ValueError("group_means: two groups or more are needed, each with a value")
    mean = np.bincount(of, weights=x) / number
    if n == k:
        none = np.zeros(k)
        return GroupMeans(mean, number, none, np.full(k, mean.mean()), None)
    within = float(np.sum((x - mean[of]) ** 2)) / (n - k)
    among = float(np.sum(number * (mean - x.mean()) ** 2)) / (k - 1)
    size = (n - float(np.sum(number.astype(np.float64) ** 2)) / n) / (k - 1)
    between = max(0.0, (among - within) / size)
    if not between:
        none = np.zeros(k)
        return GroupMeans(mean, number, none, np.full(k, x.mean()), 0.0)
    noise = within / number
    weight = between / (between + noise)
    overall = float(np.average(mean, weights=weight))
    return GroupMeans(mean, number, weight, overall + weight * (mean - overall), between**0.5)
