"""False match and false non-match rates of groups at one threshold for all, with intervals.

The threshold is set on the non-mated comparisons of everybody, or given. Where it is set, it would
have been another one with other people; so a rate's influences (`facebench.statistics.intervals`)
are those at a fixed threshold less the slope of the group's rate over everybody's FAR, times that
FAR's own. The slope is that of a secant, as in `facebench.statistics.intervals.influence.of_tar`.
Source: ISO/IEC 19795-10:2024 (one threshold for all groups; uncertainty is to be told).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facebench.statistics.checks import AnyFloatArray, BoolArray, FloatArray
from facebench.statistics.groups.labels import NONE, GroupLabels
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import (
    FEW_CARRIERS,
    FEW_CHANGED,
    Sharing,
    share_interval,
)
from facebench.statistics.intervals.exact import Interval, exact_binomial
from facebench.statistics.intervals.influence import WIDTH, accepted_above
from facebench.statistics.paired import units_of_kind
from facebench.statistics.roc import allowed_false_accepts, tar_at_far

FEWEST_MATED = 10  # of fewer a single error is more than ten percent
_AROUND_NONE = 8  # non-mated scores below the highest, where no false match is allowed


@dataclass(frozen=True, eq=False)
class Accepts:
    """What is accepted at a threshold. target: that it was set for, None: it was given; far: what
    it reached on all non-mated comparisons; low, high: bool[n], accepted at the ends of where it
    might as well have been; of_far: float64[n], the influences of that FAR, None: it was given.
    """

    threshold: float
    target: float | None
    accepted: BoolArray
    far: float
    low: BoolArray
    high: BoolArray
    width: float
    of_far: FloatArray | None

    @classmethod
    def at(cls, scores: AnyFloatArray, mated: BoolArray, threshold: float) -> Accepts:
        """At a threshold that was given."""
        accepted = np.asarray(scores.astype(np.float64) >= threshold)
        far = float(accepted[~mated].mean())
        return cls(threshold, None, accepted, far, accepted, accepted, 1.0, None)

    @classmethod
    def fitted(
        cls, scores: AnyFloatArray, mated: BoolArray, target: float, sharing: Sharing
    ) -> Accepts:
        """At the smallest threshold at which the FAR of all comparisons is at most the target."""
        point = tar_at_far(scores, mated, [target])[0]
        n = point.n_nonmated
        allowed = allowed_false_accepts(target, n)
        accepted = accepted_above(scores, mated, allowed)
        of_far = np.where(mated, 0.0, accepted - point.far) / n
        error = np.sqrt(sharing.variance(of_far)) * n if of_far.any() else 0.0
        around = WIDTH * max(float(error), float(np.sqrt(max(allowed, 1))))
        low, high = max(0, int(allowed - around)), min(n, int(np.ceil(allowed + around)))
        if not allowed:
            high = min(n, _AROUND_NONE)
        ends = [accepted_above(scores, mated, count) for count in (low, high)]
        width = (high - low) / n
        return cls(point.threshold, target, accepted, point.far, ends[0], ends[1], width, of_far)

    def slope(self, rows: BoolArray) -> float:
        """By which the share accepted of some comparisons rises with the FAR of all."""
        if self.of_far is None or not rows.any():
            return 0.0
        return float(self.high[rows].mean() - self.low[rows].mean()) / self.width

    @property
    def told(self) -> float:
        """The FMR that a group's comparisons must be able to tell from none."""
        return self.far if self.target is None else self.target


@dataclass(frozen=True)
class GroupRate:
    """A share of a group's comparisons of one kind; resolvable: whether they are enough for it."""

    errors: int
    number: int
    value: float | None
    interval: Interval | None
    resolvable: bool


@dataclass(frozen=True, eq=False)
class GroupRates:
    """Of every group, in the order of their names. matrix: of two labels, [k][k], the FMR of
    comparisons of people of the one and the other; empty where labels are not of people.
    """

    accepts: Accepts
    fnmr: float
    fmr_of: tuple[GroupRate, ...]
    fnmr_of: tuple[GroupRate, ...]
    matrix: tuple[tuple[GroupRate, ...], ...]


@dataclass(frozen=True, eq=False)
class Compared:
    """n comparisons: mated bool[n], their people and who shares them, and their labels."""

    units: Units
    sharing: Sharing
    labelled: GroupLabels

    @classmethod
    def of(cls, units: Units, labelled: GroupLabels) -> Compared:
        return cls(units, Sharing.of(units), labelled)

    @property
    def mated(self) -> BoolArray:
        return self.units.mated

    def errors(self, accepted: BoolArray) -> BoolArray:
        """bool[n]: non-mated comparisons that are accepted, mated ones that are not."""
        return np.not_equal(accepted, self.mated)

    def of_group(self, group: int, *, mated: bool) -> BoolArray:
        """bool[n]: a group's comparisons of a kind."""
        return np.asarray((self.labelled.group == group) & (self.mated == mated))


def group_rates(compared: Compared, accepts: Accepts, level: float = 0.95) -> GroupRates:
    """The rates of every group at one threshold, each with its interval over people."""
    mated, labelled = compared.mated, compared.labelled
    k = len(labelled.names)
    found = {
        kind: tuple(
            rate_of(compared, accepts, compared.of_group(group, mated=kind), kind, level)
            for group in range(k)
        )
        for kind in (True, False)
    }
    matrix: tuple[tuple[GroupRate, ...], ...] = ()
    if labelled.of == "people":
        matrix = _matrix(compared, accepts, found[False], level)
    fnmr = float(compared.errors(accepts.accepted)[mated].mean())
    return GroupRates(accepts, fnmr, found[False], found[True], matrix)


def rate_of(
    compared: Compared, accepts: Accepts, rows: BoolArray, mated: bool, level: float
) -> GroupRate:
    """The share of comparisons bool[n] of one kind that are decided wrongly."""
    number = int(np.count_nonzero(rows))
    wrong = compared.errors(accepts.accepted)
    errors = int(np.count_nonzero(wrong & rows))
    resolvable = number >= FEWEST_MATED if mated else _tells(accepts.told, number)
    if not number:
        return GroupRate(0, 0, None, None, False)
    influence = rate_influence(accepts, rows, wrong, mated)
    interval = _interval(compared, errors / number, influence, rows, mated, accepts, level)
    return GroupRate(errors, number, errors / number, interval, resolvable)


def rate_influence(accepts: Accepts, rows: BoolArray, wrong: BoolArray, mated: bool) -> FloatArray:
    """float64[n]: what every comparison does to a group's rate; see the module."""
    number = np.count_nonzero(rows)
    share = np.count_nonzero(wrong & rows) / number
    influence = np.where(rows, wrong - share, 0.0) / number
    if accepts.of_far is not None:
        influence -= (-1 if mated else 1) * accepts.slope(rows) * accepts.of_far
    return influence


def _tells(rate: float, number: int) -> bool:
    """Whether so many comparisons can tell an FMR from none."""
    return bool(number and rate > 0 and allowed_false_accepts(rate, number) >= 1)


def _interval(
    compared: Compared,
    value: float,
    influence: FloatArray,
    rows: BoolArray,
    mated: bool,
    accepts: Accepts,
    level: float,
) -> Interval:
    units, number = compared.units, int(np.count_nonzero(rows))
    own = Units(units.first[rows], units.second[rows], units.mated[rows], units.count, units.kind)
    independent = units_of_kind(own, mated=mated)
    settled = accepts.of_far is not None and np.abs(influence).max() * number < 1e-9
    if settled and 0 < value < 1:
        return Interval(value, value, level, "set by the threshold")  # a group of everybody
    bound = number if mated or accepts.of_far is None else None
    found = share_interval(
        value,
        influence,
        compared.sharing,
        comparisons=bound,
        independent=independent,
        level=level,
    )
    few = min(value, 1 - value) * number < FEW_CHANGED
    if not few or not 0 < value < 1 or compared.sharing.carriers(influence) > FEW_CARRIERS:
        return found
    low = min(found.low, exact_binomial(1.0, independent, level)[0])
    high = max(found.high, exact_binomial(0.0, independent, level)[1])
    return Interval(low, high, level, found.kind)


def _matrix(
    compared: Compared, accepts: Accepts, own: tuple[GroupRate, ...], level: float
) -> tuple[tuple[GroupRate, ...], ...]:
    """The FMR of two people of any two labels; on the diagonal the groups' own."""
    labelled, k = compared.labelled, len(own)
    low = np.minimum(labelled.left, labelled.right)
    high = np.maximum(labelled.left, labelled.right)
    usable = ~compared.mated & (low != NONE)
    cells = {
        (a, b): rate_of(compared, accepts, usable & (low == a) & (high == b), False, level)
        for a in range(k)
        for b in range(a + 1, k)
    }
    return tuple(
        tuple(own[a] if a == b else cells[min(a, b), max(a, b)] for b in range(k)) for a in range(k)
    )
