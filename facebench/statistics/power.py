"""How small a difference of two models can be seen, and how many people would do for a smaller one.

What is *seen* is what `facebench compare` calls better or worse, on the right side, at 1 - level
two-sided, on the share ``power`` of all lists of other people. With q the quantile of the test,
z that of ``power`` (both Student's t), and the standard error e of the difference,

    smallest difference seen = (q + z) e

A gate's rule ``drop <= that at 95%`` passes a model that is no worse as often, as the upper end of
its interval lies q e beyond the drop found. e is of two models whose `Noise` is known. On
other numbers of people it is taken to be as theirs, if

- *people* are added who are like the present ones, each in as many comparisons: the variance falls
  as one over their number, whatever the comparisons of one person have in common;
- or *comparisons* of the same people: only that part of the variance falls which comparisons have
  each for themselves; what those of one person have in common stays.

Two models that differ by a share x decide at least the share x of the comparisons differently, so
for a difference above their own share the variance is taken for as many as that.
Sources: Chow, Shao, Wang 2008, Sample Size Calculations in Clinical Research, chapter 3 (the
formula); Donner and Klar 2000, Design and Analysis of Cluster Randomization Trials (clusters).
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

from facebench.statistics.intervals.dyadic import MANY, quantile, standard_error
from facebench.statistics.paired import Noise

LEVEL, POWER = 0.95, 0.8
MOST = 10**12  # units; more are as good as none


def smallest_difference(noise: Noise, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest true difference that is seen with so many people, as a share."""
    found = errors_for(noise.freedom, level, power) * standard_error(noise.variance, noise.freedom)
    return found if noise.changed is None else max(found, found * found / noise.changed)


def power_of(noise: Noise, difference: float, level: float = LEVEL) -> float:
    """How often a true difference, a share above 0, is seen with so many people: 0 to 1."""
    error = standard_error(_variance(noise, difference), noise.freedom)
    return _below(difference / error - quantile(noise.freedom, level), noise.freedom)


def units_for(
    noise: Noise, difference: float, level: float = LEVEL, power: float = POWER
) -> int | None:
    """The fewest people with whom a true difference, a share above 0, is seen; None: above `MOST`.

    Each is in as many comparisons as now.
    """
    variance = _variance(noise, difference)

    def seen(units: int) -> bool:
        growth = units / noise.units
        freedom = max(1.0, noise.freedom * growth)
        error = standard_error(variance / growth, freedom)
        return errors_for(freedom, level, power) * error <= difference

    high = 2
    while not seen(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def growth_of_comparisons(
    noise: Noise, difference: float, level: float = LEVEL, power: float = POWER
) -> float | None:
    """How many times the comparisons of the same people there would have to be for a true
    difference, a share above 0, to be seen; None: however many, it is not, or nobody knows.
    """
    if noise.apart is None:
        return None
    own = min(noise.apart, noise.variance)
    share = _variance(noise, difference) / noise.variance
    times = errors_for(noise.freedom, level, power) * standard_error(1.0, noise.freedom)
    left = (difference / times) ** 2 - share * (noise.variance - own)
    return share * own / left if left > 0 else None


def _variance(noise: Noise, difference: float) -> float:
    """Of a true difference, which changes at least its own share of the comparisons."""
    if noise.changed is None:
        return noise.variance
    return noise.variance * max(1.0, difference / noise.changed)


def errors_for(freedom: float, level: float, power: float) -> float:
    """How many standard errors a difference must be long to be seen."""
    return quantile(freedom, level) + _quantile_of(power, freedom)


@lru_cache(maxsize=256)
def _quantile_of(share: float, freedom: float) -> float:
    if freedom >= MANY:
        return NormalDist().inv_cdf(share)
    from scipy.special import stdtrit  # late: slow to import

    return float(stdtrit(freedom, share))


def _below(value: float, freedom: float) -> float:
    if freedom >= MANY:
        return NormalDist().cdf(value)
    from scipy.special import stdtr  # late: slow to import

    return float(stdtr(freedom, value))
