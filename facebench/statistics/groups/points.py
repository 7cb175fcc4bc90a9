"""What is told of groups at a threshold: their rates, and how far apart chance puts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import BoolArray, FloatArray, checked_comparisons, checked_level
from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.null import no_difference, p_value
from facebench.statistics.groups.rates import (
    Accepts,
    Compared,
    GroupRate,
    GroupRates,
    group_rates,
    rate_of,
)
from facebench.statistics.groups.resampled import resampled
from facebench.statistics.groups.summaries import (
    FLOOR,
    LARGER_IS_BETTER,
    RATIOS,
    WORST,
    summaries,
)
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.exact import Interval, percentile_interval

_WHERE = "groups"


@dataclass(frozen=True)
class Summary:
    """One number of all groups. interval: over people, of a worst rate one that holds it at least
    that often, else `mirrored_interval`; docs/understand/coverage.md says what these hold.
    expected: the mean of what no difference gives; p_value: how often that is as much; None: no
    draws.
    """

    name: str
    value: float
    interval: Interval | None
    expected: float | None
    p_value: float | None


@dataclass(frozen=True, eq=False)
class GroupPoint:
    """Groups at one threshold. summaries: of the groups whose comparisons are enough for a rate."""

    rates: GroupRates
    summaries: tuple[Summary, ...]


@dataclass(frozen=True, eq=False)
class GroupStatistics:
    """Groups at several thresholds. shuffled: what changed its group where no difference is drawn:
    people, images or comparisons; draws: how often.
    """

    labelled: GroupLabels
    shuffled: str
    draws: int
    points: tuple[GroupPoint, ...]


def group_statistics(
    scores: ArrayLike,
    units: Units,
    labelled: GroupLabels,
    targets: Sequence[float] = (),
    *,
    threshold: float | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupStatistics:
    """Groups at the thresholds of FMR targets, or at one that is given.

    scores: float[n], -inf for failures to acquire; units: whose comparisons they are. ValueError:
    as `facebench.statistics.roc.roc`; one group only; no group with comparisons.
    """
    values, mated = checked_comparisons(scores, units.mated, _WHERE)
    checked_level(level, _WHERE)
    require_groups(labelled)
    compared = Compared.of(units, labelled)
    if threshold is None:
        accepts = [Accepts.fitted(values, mated, target, compared.sharing) for target in targets]
    else:
        accepts = [Accepts.at(values, mated, threshold)]
    rates = [group_rates(compared, one, level) for one in accepts]
    if not draws:
        return GroupStatistics(labelled, "", 0, tuple(_bare(one) for one in rates))
    errors = np.array([compared.errors(one.accepted) for one in accepts], dtype=np.int64).T
    null = no_difference(
        labelled, mated, errors, compared.sharing, draws, np.random.default_rng([seed, 0])
    )
    points = []
    for at, one in enumerate(rates):
        kept = kept_groups(one.fmr_of), kept_groups(one.fnmr_of)
        drawn = (null.fmr[:, kept[0], at], null.fnmr[:, kept[1], at])
        again = _again(compared, errors[:, [at]], kept, draws, np.random.default_rng([seed, 1]))
        points.append(_point(one, kept, drawn, again, level, compared))
    return GroupStatistics(labelled, null.by, null.fnmr.shape[0], tuple(points))


def require_groups(labelled: GroupLabels) -> None:
    """ValueError where there is nothing to be told apart."""
    there = np.unique(labelled.group[labelled.group >= 0])
    if there.size < 2:
        named = labelled.names[there[0]] if there.size else "none"
        raise ValueError(
            f"{_WHERE}: all comparisons that are in a group are in one ({named}); at least two "
            "groups are needed"
        )


def kept_groups(rates: Sequence[GroupRate]) -> BoolArray:
    """bool[groups]: which have enough comparisons."""
    return np.array([rate.resolvable for rate in rates], dtype=np.bool_)


def _again(
    compared: Compared,
    errors: np.ndarray,
    kept: tuple[BoolArray, BoolArray],
    draws: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray] | None:
    """The rates of kept groups with other people; None: too few to be drawn."""
    try:
        fmr, fnmr = resampled(compared, errors, kept, draws, rng)
    except ValueError:
        return None
    return fmr[:, kept[0], 0], fnmr[:, kept[1], 0]


def _point(
    rates: GroupRates,
    kept: tuple[BoolArray, BoolArray],
    drawn: tuple[FloatArray, FloatArray],
    again: tuple[FloatArray, FloatArray] | None,
    level: float,
    compared: Compared,
) -> GroupPoint:
    floors = [
        np.array([FLOOR / rate.number for rate, own in zip(of_kind, keep, strict=True) if own])
        for of_kind, keep in zip((rates.fmr_of, rates.fnmr_of), kept, strict=True)
    ]
    fmr, fnmr = values_of(rates.fmr_of), values_of(rates.fnmr_of)
    found = summaries(fmr, fnmr, *floors)
    whole = ~(np.isnan(drawn[0]).any(axis=1) | np.isnan(drawn[1]).any(axis=1))
    null = summaries(drawn[0][whole], drawn[1][whole], *floors)
    boot = {} if again is None else summaries(*again, *floors)
    told = []
    for name, value in found.items():
        one, interval = float(value), None
        if name in WORST:
            of_kind = rates.fmr_of if name == WORST[0] else rates.fnmr_of
            interval = worst_interval(of_kind, compared, rates.accepts, name == WORST[1], level)
        elif name in boot:
            interval = mirrored_interval(name, one, boot[name], level, compared.units.kind)
        expected = p = None
        if null[name].size:
            expected = float(null[name].mean())
            p = p_value(null[name], one, smaller=name in LARGER_IS_BETTER)
        told.append(Summary(name, one, interval, expected, p))
    return GroupPoint(rates, tuple(told))


def _bare(rates: GroupRates) -> GroupPoint:
    """Summaries without intervals and without what chance gives."""
    kinds = (rates.fmr_of, rates.fnmr_of)
    floors = [np.array([FLOOR / r.number for r in of_kind if r.resolvable]) for of_kind in kinds]
    found = summaries(values_of(kinds[0]), values_of(kinds[1]), *floors)
    return GroupPoint(
        rates, tuple(Summary(name, float(one), None, None, None) for name, one in found.items())
    )


def values_of(rates: Sequence[GroupRate]) -> FloatArray:
    """float64[kept]: of the groups with enough comparisons."""
    return np.array([rate.value for rate in rates if rate.resolvable], dtype=np.float64)


def mirrored_interval(
    name: str, value: float, drawn: FloatArray, level: float, units: str
) -> Interval:
    """A summary's interval from its values in draws of people, float[draws].

    Draws are as far above the data as these are above the truth, since groups' rates scatter once
    more; so they are mirrored at the value (the basic bootstrap, of ratios in their logarithms),
    within the bounds of the summary, and the value is never outside. Source: Davison and Hinkley
    1997, Section 5.2.
    """
    ends = percentile_interval(drawn, level, units)
    kind = f"bootstrap over {units}, mirrored"
    if name in RATIOS:
        low, high = value * value / ends.high, value * value / ends.low
        return Interval(min(value, max(1.0, low)), max(value, high), level, kind)
    low, high = 2 * value - ends.high, 2 * value - ends.low
    return Interval(min(value, max(0.0, low)), max(value, min(1.0, high)), level, kind)


def worst_interval(
    rates: Sequence[GroupRate], compared: Compared, accepts: Accepts, mated: bool, level: float
) -> Interval:
    """Of the highest of the groups' rates: from the highest low end to the highest high end of
    intervals that hold all their rates together at the level (Bonferroni), so that it does, too.
    """
    kept = [group for group, rate in enumerate(rates) if rate.resolvable]
    apart = 1 - (1 - level) / len(kept)
    ends = []
    for group in kept:
        rows = compared.of_group(group, mated=mated)
        interval = rate_of(compared, accepts, rows, mated, apart).interval
        assert interval is not None  # it has comparisons
        ends.append((interval.low, interval.high))
    low, high = max(end[0] for end in ends), max(end[1] for end in ends)
    kind = f"{compared.units.kind}, all groups together (Bonferroni)"
    return Interval(low, high, level, f"over {kind}")
