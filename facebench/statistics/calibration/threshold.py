"""A threshold that one could deploy, and the error rates that a fixed threshold gives elsewhere.

A comparison is accepted when score >= threshold. The threshold for a false match rate (FMR, here
also FAR) is the smallest score at which the FMR *of the comparisons it is set on* is at most the
target, as of `facebench.statistics.roc.tar_at_far`. What it gives on those says little: it was set
so. Its FMR and FNMR are those of other people, at the threshold as it stands.
Source: ISO/IEC 19795-1 (FMR, FNMR: failures to acquire are never accepted).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import BoolArray, checked_comparisons, checked_level
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing, share_interval
from facebench.statistics.intervals.exact import Interval, percentile_interval
from facebench.statistics.intervals.influence import of_share
from facebench.statistics.paired import units_of_kind
from facebench.statistics.roc import OperatingPoint, tar_at_far
from facebench.statistics.weighted import threshold_statistic

DRAWS = 1000


@dataclass(frozen=True)
class SetThreshold:
    """point: where the threshold lies, on the comparisons that it is set on; interval: what it
    might have been with other people, None without draws.
    """

    point: OperatingPoint
    interval: Interval | None


@dataclass(frozen=True)
class ErrorRate:
    """A share of one kind of comparison: ``errors`` of ``number``."""

    value: float
    errors: int
    number: int
    interval: Interval


@dataclass(frozen=True)
class ErrorRates:
    """Of a fixed threshold. fmr: non-mated comparisons accepted; fnmr: mated ones not accepted."""

    fmr: ErrorRate
    fnmr: ErrorRate


def set_threshold(
    scores: ArrayLike,
    units: Units,
    target: float,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> SetThreshold:
    """The smallest score of float[n] from which on the FMR is at most target.

    The interval is the percentile bootstrap over people (`Units`). ValueError: as
    `tar_at_far`; level outside (0, 1); too few people to be drawn.
    """
    where = "set_threshold"
    values, flags = checked_comparisons(scores, units.mated, where)
    checked_level(level, where)
    point = tar_at_far(values, flags, [target])[0]
    if not draws:
        return SetThreshold(point, None)
    of_weights = threshold_statistic(target)(values, flags)
    blocks = units.draw(draws, np.random.default_rng(seed), where)
    drawn = np.concatenate([of_weights(block) for block in blocks])
    # Of no acquired score the next float may be infinite, which no quantile can be taken with.
    drawn = np.clip(drawn, -np.finfo(np.float64).max, np.finfo(np.float64).max)
    return SetThreshold(point, percentile_interval(drawn, level, units.kind))


def error_rates(
    scores: ArrayLike, units: Units, threshold: float, *, level: float = 0.95
) -> ErrorRates:
    """FMR and FNMR of float[n] at a threshold that is held fixed, each with its interval over
    people; ValueError: as `roc`, level outside (0, 1).
    """
    values, flags = checked_comparisons(scores, units.mated, "error_rates")
    accepted = values.astype(np.float64) >= threshold  # which no narrower type rounds
    found = [_rate(accepted != flags, units, mated, level) for mated in (False, True)]
    return ErrorRates(*found)


def _rate(wrong: BoolArray, units: Units, mated: bool, level: float) -> ErrorRate:
    rows = units.mated == mated
    own = Units(units.first[rows], units.second[rows], units.mated[rows], units.count, units.kind)
    errors, number = int(np.count_nonzero(wrong[rows])), int(np.count_nonzero(rows))
    influence = of_share(wrong[rows], own.mated, np.full(number, 1 / number))
    interval = share_interval(
        errors / number,
        influence,
        Sharing.of(own),
        comparisons=number,
        independent=units_of_kind(own, mated=mated),
        level=level,
    )
    return ErrorRate(errors / number, errors, number, interval)
