"""Draws of a paired bootstrap over subjects, freed of what product weights count too often.

Two comparisons that share a person depend on each other, and product weights (`resample`) see that
rightly. A non-mated comparison itself, though, shares *two* people with itself. With w[s] of mean 1
and variance 1, the weight w[s] * w[t] has variance 3, where 1 is right: the variance that belongs
to the pair alone, and to neither of its people, is counted three times (Owen 2007, who bounds the
over-statement by that factor). Where nobody meets many others, as in LFW's View 2, this is most of
the variance, and 95% intervals cover 99% and more.

The variance of several crossed clusterings is that over each of them less what is counted twice
(inclusion and exclusion: Cameron, Gelbach, Miller 2011; for pairs of units: Fafchamps and Gubert
2007; Aronow, Samii, Assenova 2015). Here it is

    V = V(subjects drawn) - 2 V(pairs drawn),

the second from a bootstrap that draws the pairs of people that meet, mated comparisons held, and
the deviations of the draws from the estimate are multiplied by sqrt(V / V(subjects drawn)). V is
never taken below a third of the first term, which it is when no comparisons share a person.

A bootstrap of S subjects is also too narrow, and its percentiles are those of a normal where a t
distribution is due (Hesterberg 2015, section 4.1, "narrowness bias"). Where everybody meets
everybody and people have effects, V expects (S - 4) / S of the true variance: the squared sums over
people give (S - 2)^2 / (S (S - 1)), and 1 / (S - 1) is taken off for the pairs. Where comparisons
are resampled it is (S - 1) / S. Both are made up for, which matters below some hundred subjects.

Measured coverage of 95% intervals of differences in accuracy, TAR at FAR 0.1 and AUC, people having
effects; before this, product weights alone covered 98 to 100% of lists like LFW's:
- 1,000 people, 400 mated and 400 non-mated comparisons, 1,000 draws, 1,000 data sets: 94.6%, 97.5%,
  93.9%;
- 40 people, everybody against everybody, likewise: 93.7%, 95.1%, 93.8%;
- 400 people, 250 mated and 250 non-mated comparisons, but 250 draws: 93%, 95%, 92%. Few draws cost
  about one point, by the noise of percentiles and factor; the default is 1,000.
`tests/statistics/test_coverage.py` repeats the first two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt
from statistics import NormalDist

import numpy as np

from facebench.statistics.checks import FloatArray, IntArray
from facebench.statistics.resample import Units

Values = dict[str, FloatArray]
MOST_OVERCOUNTED = 3.0  # of the variance, Owen 2007


def difference_draws(
    difference: Callable[[IntArray], Values],
    units: Units,
    draws: int,
    rng: np.random.Generator,
    level: float,
    where: str,
) -> tuple[dict[str, float], Values]:
    """Estimates, and float[draws] each, of differences in share over resampled units.

    difference: weights int[b, n] to values float[b] by name. The draws' quantiles are the interval
    at `level`. ValueError: as `Units.draw`. Source: see the module.
    """
    once = difference(np.ones((1, units.mated.size), dtype=np.int64))
    of_units = _joined(map(difference, units.draw(draws, rng, where)))
    of_pairs = _joined(map(difference, units.pair_blocks(draws, rng)))
    wider = narrowness(units.count, level, pairs=bool(of_pairs))
    estimates = {key: float(value[0]) for key, value in once.items()}
    return estimates, {
        key: _rescaled(values, estimates[key], wider * rightly_counted(values, of_pairs.get(key)))
        for key, values in of_units.items()
    }


def rightly_counted(of_units: FloatArray, of_pairs: FloatArray | None) -> float:
    """The right standard deviation as a share, 0.577 to 1, of that of draws of units float[b].

    of_pairs: float[b], draws of pairs of people; None: no comparison is of two people.
    """
    if of_pairs is None:
        return 1.0
    counted, own = float(np.var(of_units)), float(np.var(of_pairs))
    if counted == 0:
        return 1.0
    return sqrt(max(1 - (MOST_OVERCOUNTED - 1) * own / counted, 1 / MOST_OVERCOUNTED))


def narrowness(units: int, level: float, *, pairs: bool) -> float:
    """By what a bootstrap of few units is too narrow at a level: 1.06 of 60 at 95%, 1 of many.

    pairs: whether comparisons of two units are among them. See the module for the derivation.
    """
    if units < 2:
        return 1.0
    # Late: SciPy's import would cost every run a fifth of a second.
    from scipy.special import stdtrit

    share = (1 + level) / 2
    normal = NormalDist().inv_cdf(share)
    left = max(units - (4 if pairs else 1), 1)
    return sqrt(units / left) * float(stdtrit(units - 1, share)) / normal


def _rescaled(values: FloatArray, estimate: float, factor: float) -> FloatArray:
    """Deviations from the estimate times a factor; a difference of shares is within -1 and 1."""
    return np.clip(estimate + factor * (values - estimate), -1.0, 1.0)


def _joined(blocks: Iterable[Values]) -> Values:
    found = list(blocks)
    return (
        {key: np.concatenate([block[key] for block in found]) for key in found[0]} if found else {}
    )
