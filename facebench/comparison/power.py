"""How small a difference the records of a protocol can show, and how many people would do.

The people's part in the noise of a difference hangs on the two models that differ, so it is taken
from pairs of records: of the models that are named, or of those that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facebench.base.errors import UserError
from facebench.comparison.paired import Paired, paired_with_first
from facebench.records.find import (
    Finder,
    Named,
    named_in,
    named_together,
    records_alike,
    require_words,
    several,
)
from facebench.records.frames import Results, Scalar, Shown, frame_of
from facebench.records.record import Record
from facebench.records.statistics import OF_PROTOCOLS, statistic_name, statistics_in
from facebench.statistics.paired import Noise
from facebench.statistics.power import (
    LEVEL,
    POWER,
    growth_of_comparisons,
    power_of,
    smallest_difference,
    units_for,
)

if TYPE_CHECKING:
    from pandas import DataFrame

NEAREST = 3  # models that are shown beside one that was named
QUARTERS = ("a quarter vary less", "the median", "a quarter vary more")


@dataclass(frozen=True)
class Power(Shown):
    """What one pair of models says of a list of comparisons.

    paired: the pair's own difference, and its noise; drop: the difference that is asked for, a
    share; level, power: of the test, and how often it is to find it; among: where the pair stands
    among ``pairs`` pairs, nothing where it was named.
    """

    base: Record
    candidate: Record
    paired: Paired
    drop: float
    level: float
    power: float
    among: str = ""
    pairs: int = 1

    @property
    def why(self) -> str:
        """Why nothing can be said of this pair; nothing where something can."""
        if self.paired.noise is None:
            return self.paired.why or "the two models differ in no comparison"
        return "" if self.paired.resolvable else "too few non-mated comparisons for this FAR"

    @property
    def noise(self) -> Noise | None:
        """What chance does to the difference; None: see ``why``."""
        return None if self.why else self.paired.noise

    @property
    def smallest(self) -> float | None:
        """The smallest true difference, a share, that would be seen with so many people."""
        if self.noise is None:
            return None
        found = smallest_difference(self.noise, self.level, self.power)
        return found if found < 1 else None

    @property
    def seen(self) -> float | None:
        """How often ``drop`` would be seen with so many people, 0 to 1."""
        return None if self.noise is None else power_of(self.noise, self.drop, self.level)

    @property
    def units(self) -> int | None:
        """How many people (comparisons, where nobody knows them) there are."""
        return None if self.noise is None else self.noise.units

    @property
    def units_needed(self) -> int | None:
        """How many people would do for ``drop``, each in as many comparisons as now."""
        if self.noise is None:
            return None
        return units_for(self.noise, self.drop, self.level, self.power)

    @property
    def comparisons_needed(self) -> int | None:
        """How many comparisons these people are in; None also of all pairs, whose number grows as
        the people's squared.
        """
        needed, noise = self.units_needed, self.noise
        if needed is None or noise is None or noise.apart is None:
            return None
        return ceil(self.base.comparisons.total * needed / noise.units)

    @property
    def comparisons_of_these(self) -> int | None:
        """How many comparisons of the same people would do for ``drop``; None: no number would."""
        if self.noise is None:
            return None
        growth = growth_of_comparisons(self.noise, self.drop, self.level, self.power)
        return None if growth is None else ceil(self.base.comparisons.total * growth)

    @property
    def people_known(self) -> bool:
        """Whether people are counted, and not comparisons."""
        return self.paired.over_subjects

    def row(self) -> dict[str, Scalar]:
        """Everything; shares in full precision."""
        base, noise = self.base, self.noise
        return {
            "data_kind": base.data.kind,
            "protocol": base.protocol.name,
            "data": base.data.fingerprint,
            "base_model": base.model.id,
            "candidate_model": self.candidate.model.id,
            "among": self.among or None,
            "pairs": self.pairs,
            "statistic": self.paired.statistic,
            "level": self.level,
            "power": self.power,
            "over_subjects": self.people_known,
            "units": self.units,
            "comparisons": base.comparisons.total,
            "changed": noise.changed if noise else None,
            "changed_units": noise.changed_units if noise else None,
            "standard_error": noise.variance**0.5 if noise else None,
            "smallest": self.smallest,
            "drop": self.drop,
            "seen": self.seen,
            "units_needed": self.units_needed,
            "comparisons_needed": self.comparisons_needed,
            "comparisons_of_these": self.comparisons_of_these,
            "why": self.why,
        }

    def to_frame(self) -> DataFrame:
        """One row, as of ``--format csv``."""
        return frame_of([self.row()])


def power(
    models: Named | Sequence[Named] = (),
    *,
    drop: float,
    protocol: str | None = None,
    statistic: str | None = None,
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
    level: float = LEVEL,
    power: float = POWER,
) -> Results[Power]:
    """The smallest difference that can be seen, and how many people would do for another one.

    Parameters
    ----------
    models : Record, str or path, or several of them
        Two or more, a base and candidates: each pair says what it varies by. One: it and the three
        that decide most like it, of those that were evaluated alike. None: each of all that were
        with the one most like it, of which pairs those at the quarters are given.
    drop : float
        The difference that is asked for, a share: 0.003 of 0.3 points.
    protocol : str, optional
        Of models that are named by name; needed where none is named.
    similarity : str, optional
        As of `facebench.compare`.
    found_in : sequence of paths, optional
        As of `facebench.compare`.
    statistic : str, optional
        E.g. ``tar@0.001``; the protocol's first if nothing is said.
    level : float, optional
        Of the two-sided test.
    power : float, optional
        How often it is to find the difference.

    Returns
    -------
    Results of Power
        One a pair; ``smallest`` is the smallest difference that can be seen (a share), ``seen``
        how often ``drop`` would be, ``units_needed`` how many people would do for it.

    Raises
    ------
    UserError
        As of `facebench.compare`; no two records alike; a drop, level or power that is no share.

    Examples
    --------
    >>> import facebench
    >>> (found,) = facebench.power(["baseline", "sparse_074"], drop=0.003, protocol="lfw")
    >>> print(f"{found.smallest:.1%}, {found.drop:.1%} in {found.seen:.0%} of all lists")
    0.6%, 0.3% in 27% of all lists
    """
    require_words(protocol, similarity)
    if not 0 < drop < 1:
        raise UserError(f"power: drop is {drop}; give a share above 0, 0.003 for 0.3 points")
    if not 0.5 <= level < 1 or not 0.5 <= power < 1:
        raise UserError(f"power: level is {level}, power {power}; each is from 0.5 to below 1")
    named = several(models)
    if len(named) > 1:
        base, *others = named_in(found_in, named, protocol, similarity)
        name = _statistic(base, statistic)
        found = paired_with_first(base, others, name)
        return Results(
            Power(base, other, one, drop, level, power)
            for other, one in zip(others, found, strict=True)
        )
    finder = Finder.of(found_in)
    first = named_together(named, finder, protocol, similarity)[0] if named else None
    if first is None and protocol is None:
        raise UserError("power: name a protocol, such as lfw, or two models")
    alike = records_alike(finder, protocol or "", similarity, like=first)
    pairs = _nearest_pairs(alike, first)
    name = _statistic(pairs[0][0], statistic)
    tested = [
        Power(base, other, paired_with_first(base, [other], name)[0], drop, level, power)
        for base, other in pairs
    ]
    return Results(tested if first is not None else _at_quarters(tested))


def units_to_decide(found: Paired, distance: float, level: float) -> int | None:
    """How many people (comparisons, where nobody knows them) would decide a gate's rule on 80 of
    100 lists, if the true difference is the one that was found.

    distance: of the difference to the rule's bound, a share; level: of the interval that is held
    against it. None: no more than there are by this reckoning, above `MOST` of them, or nothing has
    changed, so that no noise is known.
    """
    noise = found.noise
    if noise is None or not distance > 0:
        return None
    # The noise is that of this very difference: it does not grow with the distance.
    needed = units_for(replace(noise, changed=None), distance, level, POWER)
    return None if needed is None or needed <= noise.units else needed


def _nearest_pairs(records: Sequence[Record], first: Record | None) -> list[tuple[Record, Record]]:
    """Each record with the one that decides most like it, each pair once; of ``first``: it with
    the few that do. UserError: no two keep what they decided.
    """
    kept = [r for r in records if r.table is not None and (first is None or r != first)]
    if first is not None and first.table is not None:
        kept.insert(0, first)
    tables = [record.table for record in kept if record.table is not None]
    if len(kept) < 2 or (first is not None and kept[0] is not first):
        raise UserError(
            "power: a difference is of two models, and no two are there that were evaluated alike "
            "and keep their scores; name two models with records"
        )
    right = np.array([table.correct for table in tables], dtype=np.float32)
    apart = right.sum(axis=1)[:, None] + right.sum(axis=1)[None, :] - 2 * right @ right.T
    np.fill_diagonal(apart, np.inf)
    if first is not None:
        near = np.argsort(apart[0], kind="stable")[: min(NEAREST, len(kept) - 1)]
        return [(first, kept[at]) for at in near]
    pairs = {(min(at, near), max(at, near)) for at, near in enumerate(apart.argmin(axis=1))}
    return [(kept[one], kept[other]) for one, other in sorted(pairs)]


def _at_quarters(found: list[Power]) -> list[Power]:
    """The pairs at the quarters by variance; all of so few that they have none."""
    told = [(one.noise.variance, at) for at, one in enumerate(found) if one.noise is not None]
    if len(told) <= len(QUARTERS):
        return found
    told.sort()
    places = [round(share * (len(told) - 1)) for share in (0.25, 0.5, 0.75)]
    return [
        replace(found[told[place][1]], among=words, pairs=len(told))
        for place, words in zip(places, QUARTERS, strict=True)
    ]


def _statistic(record: Record, statistic: str | None) -> str:
    """The name that records have for it; UserError: there is none of that name."""
    if statistic is None:
        return statistics_in(record)[0]
    try:
        return statistic_name(statistic, OF_PROTOCOLS)
    except ValueError as error:
        raise UserError(str(error)) from None
