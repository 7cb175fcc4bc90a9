"""What rates of groups would be if groups made no difference: labels in another order, drawn often.

Labels change hands between people (or images): whoever is compared with whom stays. A comparison
within a group may be one across groups then. That is right where lists know nothing of labels.
Some lists do: their non-mated comparisons are all, or oftener than chance, within groups (RFW,
BFW), and with labels in another order most would be across. There the *comparisons* that are
within groups change their groups; they share people, so what they are off the mean is widened by
the square root of V over what it would be if they shared none (`Sharing.variance`). Mated
comparisons have one person each and need none of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.groups.counted import of_kind, shuffled
from facebench.statistics.groups.labels import NONE, GroupLabels
from facebench.statistics.intervals.dyadic import Sharing

_MOST = 2 * 10**8  # labels that are looked up in all draws
FEWEST_DRAWS = 199


@dataclass(frozen=True, eq=False)
class NoDifference:
    """by: what changes its group in non-mated comparisons, people (images) or comparisons; fmr,
    fnmr: float64[draws, groups, c], rates (or mean changes), NaN of a group that is empty then.
    """

    by: str
    fmr: FloatArray
    fnmr: FloatArray


def no_difference(
    labelled: GroupLabels,
    mated: BoolArray,
    values: IntArray,
    sharing: Sharing,
    draws: int,
    rng: np.random.Generator,
) -> NoDifference:
    """Rates of groups under labels in another order.

    values: int64[n, c] of -1, 0 and 1, errors or changes of them, a column each. Of so many
    comparisons that it would take minutes fewer are drawn, 199 at least.
    """
    groups = len(labelled.names)
    if labelled.of == "pairs":
        rates = [
            _by_comparisons(labelled.group, kind, values, groups, sharing, draws, rng)
            for kind in (~mated, mated)
        ]
        return NoDifference("comparisons", *rates)
    rows = [of_kind(labelled, kind, values) for kind in (~mated, mated)]
    draws = min(draws, max(FEWEST_DRAWS, _MOST // max(1, sum(one.first.size for one in rows))))
    found: list[list[FloatArray]] = [[], []]
    within = 0
    for labels in shuffled(labelled, draws, rng):
        for one, kept in zip(rows, found, strict=True):
            number, sums = one.by_group(labels, labelled.table, groups)
            kept.append(_shares(number, sums))
            if one is rows[0]:
                within = max(within, int(number.sum(axis=1).max()))
    fmr, fnmr = (np.concatenate(kept) for kept in found)
    own = int(np.count_nonzero(~mated & (labelled.group != NONE)))
    if labelled.of == "people" and own > within:
        fmr = _by_comparisons(labelled.group, ~mated, values, groups, sharing, draws, rng)
        return NoDifference("comparisons", fmr, fnmr)
    return NoDifference(labelled.of, fmr, fnmr)


def _shares(number: IntArray, sums: IntArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / number[..., None])


def _by_comparisons(
    group: IntArray,
    kind: BoolArray,
    values: IntArray,
    groups: int,
    sharing: Sharing,
    draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    """float64[draws, groups, c]: of comparisons bool[n] that change their groups."""
    rows = kind & (group != NONE)
    numbers = np.bincount(group[rows], minlength=groups)
    found = np.full((draws, groups, values.shape[1]), np.nan)
    if not rows.any():
        return found
    for at, column in enumerate(values.T):
        plus, minus = dealt(column[rows], numbers, draws, rng)
        mean = column[rows].mean()
        wider = np.sqrt(_widening(group, rows, column, groups, numbers, sharing))
        rates = _shares(numbers, (plus - minus)[..., None])[..., 0]
        found[:, :, at] = mean + (rates - mean) * wider
    return found


def dealt(
    column: IntArray, numbers: IntArray, draws: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """How many 1 and -1 of a column int64[m] each group gets, int64[draws, groups] twice, where
    numbers int64[groups] of comparisons are dealt to groups.
    """
    ones, minus_ones = (int(np.count_nonzero(column == sign)) for sign in (1, -1))
    plus = rng.multivariate_hypergeometric(numbers, ones, size=draws)
    minus = np.zeros_like(plus)
    if minus_ones:
        for row, one in enumerate(plus):
            minus[row] = rng.multivariate_hypergeometric(numbers - one, minus_ones)
    return plus, minus


def _widening(
    group: IntArray,
    rows: BoolArray,
    column: IntArray,
    groups: int,
    numbers: IntArray,
    sharing: Sharing,
) -> float:
    """V of what comparisons are off their group's mean over what it is of independent ones, at
    least 1.
    """
    means = np.bincount(group[rows], column[rows], groups) / np.maximum(numbers, 1)
    off = np.zeros(group.size)
    off[rows] = column[rows] - means[group[rows]]
    apart = float(off @ off)
    return max(1.0, sharing.variance(off) / apart) if apart > 0 else 1.0


def p_value(drawn: FloatArray, found: float, *, smaller: bool = False) -> float:
    """How often no difference gives as much, float[draws], the data themselves counted as one."""
    beyond = drawn <= found + 1e-12 if smaller else drawn >= found - 1e-12
    return (1 + int(np.count_nonzero(beyond))) / (1 + drawn.size)
