"""What a difference of two models may be where the draws of its bootstrap do not tell.

A bootstrap redraws what was seen. Where no draw shows a difference (both models separate everybody,
or fail on the same people), or all show the same one, its interval is a point however few people
there are. What such data do tell is this: of n independent units (people, or comparisons that share
none) not one behaved otherwise, so at most a share b of all people do, with (1 - b)^n =
(1 - level) / 2, the exact bound of Clopper and Pearson 1934 for none of n. What the share b does to
the difference is unknown, between -1 and 1. So a difference d is between d - b(1 + d) and
d + b(1 - d); for d = 0 that is -b and b.

The units are those that the statistic rests on: for shares of mated comparisons (TAR, DIR, rank-k)
the people of these. AUC and EER rest on both kinds, and a change in either may move them by that
kind's share, so the kind with fewer units bounds them.
"""

from __future__ import annotations

import numpy as np

from facebench.statistics.checks import FloatArray, checked_level
from facebench.statistics.intervals import Interval
from facebench.statistics.resample import Units

# A person is in no draw with probability 0.37, two people together with 0.14 and two whose changes
# may cancel with 0.31: where more draws than this show nothing, one or two people carry it all.
FEW = 0.25
WIDENED = ", no narrower than "
_TINY = 1e-12  # rounding of differences of means


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


def units_of_all(units: Units) -> int:
    """People on the first side of comparisons of both kinds, which are decided one by one."""
    return int(np.unique(units.first).size)
