"""Who pays for a smaller model: changes of groups' rates, and whether these differ.

Each model has its own threshold, set for one FMR on everybody's non-mated comparisons. A group's
change is candidate less base, of the same comparisons; whether changes differ is one test of all
groups and both kinds of error (`facebench.statistics.groups.unequal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import BoolArray, FloatArray, checked_comparisons
from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.points import require_groups
from facebench.statistics.groups.rates import (
    Accepts,
    Compared,
    GroupRate,
    group_rates,
    rate_influence,
)
from facebench.statistics.groups.unequal import Unequal, unequal_damage
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import influenced_difference
from facebench.statistics.paired import Difference, holm, units_of_kind

_WHERE = "damage"


@dataclass(frozen=True)
class GroupChange:
    """One group's. worse, better: comparisons that only the candidate, only the base, has wrong;
    found: candidate less base; adjusted: its p-value among all groups and both kinds (Holm); None:
    there is nothing to tell, or too little.
    """

    base: GroupRate
    candidate: GroupRate
    worse: int
    better: int
    found: Difference | None
    adjusted: float | None = None

    @property
    def resolvable(self) -> bool:
        """Whether there are enough comparisons for the rate."""
        return self.base.resolvable and self.candidate.resolvable


@dataclass(frozen=True, eq=False)
class Damage:
    """Of every group the changes of both rates, in the order of their names; worse, better: bool[n]
    of comparisons, see `GroupChange`.
    """

    labelled: GroupLabels
    accepts: tuple[Accepts, Accepts]
    fmr: tuple[GroupChange, ...]
    fnmr: tuple[GroupChange, ...]
    unequal: Unequal
    worse: BoolArray
    better: BoolArray


def damage(
    base: ArrayLike,
    candidate: ArrayLike,
    units: Units,
    labelled: GroupLabels,
    target: float,
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Damage:
    """Of two models by their scores float[n] of the same comparisons, at an FMR.

    ValueError: as `facebench.statistics.groups.points.group_statistics`.
    """
    require_groups(labelled)
    compared = Compared.of(units, labelled)
    accepts = []
    for scores in (base, candidate):
        values, mated = checked_comparisons(scores, units.mated, _WHERE)
        accepts.append(Accepts.fitted(values, mated, target, compared.sharing))
    one, other = accepts
    wrong = compared.errors(one.accepted), compared.errors(other.accepted)
    rates = [group_rates(compared, model, level) for model in accepts]
    changes = {
        mated: _changes(compared, accepts, wrong, mated, kinds, level)
        for mated, kinds in (
            (False, (rates[0].fmr_of, rates[1].fmr_of)),
            (True, (rates[0].fnmr_of, rates[1].fnmr_of)),
        )
    }
    fmr, fnmr = _adjusted(changes[False], changes[True])
    moved = wrong[1].astype(np.int64) - wrong[0]
    unequal = unequal_damage(
        compared,
        moved,
        np.array([change.resolvable for change in fmr]),
        np.array([change.resolvable for change in fnmr]),
        draws,
        np.random.default_rng([seed, 0]),
    )
    return Damage(labelled, (one, other), fmr, fnmr, unequal, moved > 0, moved < 0)


def _changes(
    compared: Compared,
    accepts: Sequence[Accepts],
    wrong: tuple[BoolArray, BoolArray],
    mated: bool,
    rates: tuple[Sequence[GroupRate], Sequence[GroupRate]],
    level: float,
) -> list[GroupChange]:
    found = []
    for group, (before, after) in enumerate(zip(*rates, strict=True)):
        rows = compared.of_group(group, mated=mated)
        worse = int(np.count_nonzero(rows & wrong[1] & ~wrong[0]))
        better = int(np.count_nonzero(rows & wrong[0] & ~wrong[1]))
        change = None
        if before.value is not None and after.value is not None:
            change = _change(
                compared, accepts, wrong, rows, mated, after.value - before.value, level
            )
        found.append(GroupChange(before, after, worse, better, change))
    return found


def _change(
    compared: Compared,
    accepts: Sequence[Accepts],
    wrong: tuple[BoolArray, BoolArray],
    rows: BoolArray,
    mated: bool,
    estimate: float,
    level: float,
) -> Difference:
    """A group's change with its interval over people, thresholds' own uncertainty included."""
    units, number = compared.units, np.count_nonzero(rows)
    own = Units(units.first[rows], units.second[rows], units.mated[rows], units.count, units.kind)
    influence = rate_influence(accepts[1], rows, wrong[1], mated)
    influence -= rate_influence(accepts[0], rows, wrong[0], mated)
    gains: FloatArray = np.where(rows, wrong[1].astype(np.float64) - wrong[0], 0.0) / number
    return influenced_difference(
        estimate,
        influence,
        compared.sharing,
        independent=units_of_kind(own, mated=mated),
        gains=gains,
        level=level,
    )


def _adjusted(
    fmr: Sequence[GroupChange], fnmr: Sequence[GroupChange]
) -> tuple[tuple[GroupChange, ...], tuple[GroupChange, ...]]:
    """With p-values after Holm, of all groups that have enough comparisons."""
    both = [*fmr, *fnmr]
    own = [one.found.p_value if one.found and one.resolvable else None for one in both]
    made = tuple(
        GroupChange(one.base, one.candidate, one.worse, one.better, one.found, p)
        for one, p in zip(both, holm(own), strict=True)
    )
    return made[: len(fmr)], made[len(fmr) :]
