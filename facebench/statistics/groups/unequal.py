"""Whether a smaller model's damage is unequal: one test of all groups and both kinds of error.

The null hypothesis is that the *mean* change is the same in all groups; changes may be more
frequent, or of fewer people, in one than in another. Of each kind of error the statistic is how far
groups' mean changes are apart beside what they scatter
(`facebench.statistics.groups.studentised`), against the same with labels in another order: people's
or images', whoever is compared with whom; where pairs were made within groups
(`facebench.statistics.groups.null`) comparisons change their groups, and scatter as independent
ones do. The smaller of the two shares of draws that are as far apart is held against its own in
those draws, so that two kinds cost no level; a kind's share is never below that of Welch's F. Where
labels do not matter at all the level is at most the one asked for; where groups differ in spread it
holds in large samples. docs/understand/coverage.md says how well.

Source: Westfall and Young 1993, Resampling-Based Multiple Testing, Section 2.6 (the smallest p).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facebench.statistics.checks import BoolArray, FloatArray, IntArray
from facebench.statistics.groups.counted import shuffled
from facebench.statistics.groups.null import dealt, no_difference
from facebench.statistics.groups.rates import Compared
from facebench.statistics.groups.studentised import SharedRows, independent_means
from facebench.statistics.groups.summaries import difference


@dataclass(frozen=True)
class Unequal:
    """Whether changes differ. fmr, fnmr: the largest less the smallest, None: fewer than two groups
    have enough comparisons; fmr_expected, fnmr_expected: with labels in another order; fmr_p,
    fnmr_p: of each kind alone; p_value: of both, None: nothing could be tested; draws: that
    p-values rest on.
    """

    fmr: float | None
    fnmr: float | None
    fmr_expected: float | None
    fnmr_expected: float | None
    fmr_p: float | None
    fnmr_p: float | None
    p_value: float | None
    shuffled: str
    draws: int


def unequal_damage(
    compared: Compared,
    moved: IntArray,
    of_fmr: BoolArray,
    of_fnmr: BoolArray,
    draws: int,
    rng: np.random.Generator,
) -> Unequal:
    """The test of the module. moved: int64[n], 1 where only the candidate is wrong, -1 where only
    the base is; of_fmr, of_fnmr: bool[groups], which groups take part.
    """
    kept = (of_fmr, of_fnmr)
    tested = [np.count_nonzero(own) > 1 for own in kept]
    null = no_difference(
        compared.labelled,
        compared.mated,
        moved[:, None],
        compared.sharing,
        max(draws, 1),
        rng,
    )
    ranges = [
        _range(compared, moved, own, mated, drawn) if there else (None, None)
        for mated, own, there, drawn in zip(
            (False, True), kept, tested, (null.fmr, null.fnmr), strict=True
        )
    ]
    (fmr, fmr_expected), (fnmr, fnmr_expected) = ranges
    if not draws or not any(tested):
        return Unequal(fmr, fnmr, None, None, None, None, None, null.by, 0)
    apart, welch = _apart(compared, moved, kept, null.by == "comparisons", null.fnmr.shape[0], rng)
    own = np.flatnonzero(tested)
    # Orders in which a group that takes part has no comparisons say nothing of it.
    whole = apart[own][:, ~np.isnan(apart[own]).any(axis=0)]
    shares = _shares_beyond(whole)
    ps: list[float | None] = [None, None]
    for at, share in zip(own, shares[:, 0], strict=True):
        ps[at] = max(float(share), welch[at])
    least = min(p for p in ps if p is not None)
    smaller = np.count_nonzero(shares.min(axis=0)[1:] <= least + 1e-12)
    p = float((1 + smaller) / shares.shape[1])
    return Unequal(
        fmr, fnmr, fmr_expected, fnmr_expected, ps[0], ps[1], p, null.by, whole.shape[1] - 1
    )


def _range(
    compared: Compared, moved: IntArray, kept: BoolArray, mated: bool, drawn: FloatArray
) -> tuple[float, float | None]:
    """The largest change less the smallest, and its mean in the draws float64[draws, groups, 1]."""
    rows = [compared.of_group(int(group), mated=mated) for group in np.flatnonzero(kept)]
    ranges = difference(drawn[:, kept, 0])
    known = ranges[~np.isnan(ranges)]
    found = float(difference([moved[own].mean() for own in rows]))
    return found, float(known.mean()) if known.size else None


def _apart(
    compared: Compared,
    moved: IntArray,
    kept: tuple[BoolArray, BoolArray],
    dealing: bool,
    draws: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, list[float]]:
    """float64[2, 1 + draws]: how far apart FMR's and FNMR's changes are, the data's first, and how
    often Welch's F is beyond these; dealing: whether comparisons of two people change their groups.
    """
    labelled, groups = compared.labelled, len(compared.labelled.names)
    kinds = (~compared.mated, compared.mated)
    rows = [SharedRows.of(labelled, compared.units, kind, moved) for kind in kinds]
    dealt_kinds = (dealing, labelled.of == "pairs")
    found: list[list[FloatArray]] = [[], []]
    welch = []
    for one, own, parts in zip(rows, kept, found, strict=True):
        means = one.means(labelled.of_units[None], labelled.table, groups)
        freedom = one.freedom(labelled.of_units, labelled.table, groups)
        parts.append(means.apart(own))
        welch.append(means.welch(own, float(parts[0][0]), freedom))
    for kind, own, parts, is_dealt in zip(kinds, kept, found, dealt_kinds, strict=True):
        if is_dealt:
            inside = kind & (labelled.group >= 0)
            numbers = np.bincount(labelled.group[inside], minlength=groups)
            plus, minus = dealt(moved[inside], numbers, draws, rng)
            parts.append(independent_means(numbers, plus, minus).apart(own))
    turned = [at for at, is_dealt in enumerate(dealt_kinds) if not is_dealt]
    if turned:
        most = max(rows[at].cells(groups) for at in turned)
        for labels in shuffled(labelled, draws, rng, most):
            for at in turned:
                found[at].append(rows[at].means(labels, labelled.table, groups).apart(kept[at]))
    return np.array([np.concatenate(parts) for parts in found]), welch


def _shares_beyond(apart: FloatArray) -> FloatArray:
    """float64[k, 1 + draws]: of the data and of every draw, the share of all of them that are as
    far apart or more; differences of rounding are none.
    """
    found = []
    for everything in apart:
        scale = everything.max() or 1.0
        near = np.round(everything / scale, 11)
        beyond = near.size - np.searchsorted(np.sort(near), near, side="left")
        found.append(beyond / near.size)
    return np.array(found)
