"""Two records of the same labelled comparisons: which groups the candidate hurts, and whether more
than others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facebench.base.errors import UserError
from facebench.base.options import require
from facebench.base.vocabulary import MOST_DRAWS
from facebench.records.comparability import require_comparable
from facebench.records.find import Named, named_in, require_words, several
from facebench.records.frames import Results, Scalar, Shown, frame_of
from facebench.records.groups.made import labelled_in, require_column, units_in
from facebench.records.groups.sections import GroupsSection
from facebench.records.record import Record
from facebench.statistics.groups.damage import Damage, GroupChange, damage

if TYPE_CHECKING:
    from pandas import DataFrame

DRAWS = 1000
_NO_GROUP = -1


@dataclass(frozen=True)
class Flipped:
    """A comparison that only one of two models decides rightly at its threshold. position: in the
    protocol's list, from 0; group: its name, empty where it is in none; worse: the candidate is
    wrong; faces: their keys, where they are known.
    """

    position: int
    group: str
    mated: bool
    worse: bool
    faces: tuple[str, str] | None = None


@dataclass(frozen=True)
class GroupDamage(Shown):
    """Who pays for a candidate. groups: of the base, as its record has them; target: the FMR that
    each model's threshold is set for; found: `facebench.statistics.groups.damage.Damage`; flipped:
    the comparisons that changed, those whose scores moved most first.
    """

    base: Record
    candidate: Record
    groups: GroupsSection
    target: float
    found: Damage
    flipped: tuple[Flipped, ...]

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every group and kind of error; rates and changes are shares."""
        unequal = self.found.unequal
        kinds = (
            ("fmr", self.found.fmr, unequal.fmr, unequal.fmr_expected),
            ("fnmr", self.found.fnmr, unequal.fnmr, unequal.fnmr_expected),
        )
        return [
            {
                "data_kind": self.base.data.kind,
                "protocol": self.base.protocol.name,
                "data": self.base.data.fingerprint,
                "base_model": self.base.model.id,
                "candidate_model": self.candidate.model.id,
                "column": self.groups.column,
                "group": name,
                "fmr_target": self.target,
                "rate": kind,
                **_change_row(change),
                "widest_apart": apart,
                "expected_apart": expected,
                "unequal_p": unequal.p_value,
            }
            for kind, changes, apart, expected in kinds
            for name, change in zip(self.groups.names, changes, strict=True)
        ]

    def to_frame(self) -> DataFrame:
        """One row for every group and kind of error."""
        return frame_of(self.rows())


def _change_row(change: GroupChange) -> dict[str, Scalar]:
    found = change.found
    return {
        "base": change.base.value,
        "candidate": change.candidate.value,
        "change": found.estimate if found else None,
        "low": found.interval.low if found else None,
        "high": found.interval.high if found else None,
        "level": found.interval.level if found else None,
        "interval": found.interval.kind if found else None,
        "p_value": found.p_value if found else None,
        "p_holm": change.adjusted,
        "comparisons": change.base.number,
        "became_wrong": change.worse,
        "became_right": change.better,
        "resolvable": change.resolvable,
    }


def compare_groups(
    base: Named,
    candidates: Named | Sequence[Named],
    by: str | None = None,
    *,
    far: float | None = None,
    protocol: str | None = None,
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
    level: float = 0.95,
    draws: int = DRAWS,
) -> Results[GroupDamage]:
    """Who pays for a smaller model: the change of every group's error rates, and one test of all.

    Parameters
    ----------
    base : Record, str or path
        The reference: a record with groups, its file, or the name of a model that was evaluated
        with ``groups``.
    candidates : Record, str, path, or several of them
        What is compared with it, evaluated with the same groups.
    by : str, optional
        The column of groups; needed where the records have several.
    far : float, optional
        The FMR that each model's threshold is set for on everybody's pairs: one of the protocol's.
        By default the smallest that two groups can tell from none.
    protocol : str, optional
        Of models that are named by name; needed where they have records of several.
    similarity : str, optional
        Of models that are named by name: ``cosine``, ``joint-bayesian`` or ``projection``.
    found_in : sequence of paths, optional
        Folders in which records of models are looked for, first.
    level : float, optional
        Of the intervals.
    draws : int, optional
        How often labels are put into another order, for the test of unequal damage.

    Returns
    -------
    Results of GroupDamage
        For each candidate ``found.fmr`` and ``found.fnmr``, a change for every group, and
        ``found.unequal``: whether the damage differs between groups, with its p-value.

    Raises
    ------
    UserError
        A record without groups, labelled otherwise or without its scores; an FMR that it has not.

    Examples
    --------
    >>> import facebench
    >>> try:
    ...     facebench.compare_groups("baseline", "sparse_012", "skin", protocol="lfw")
    ... except facebench.UserError as error:
    ...     print("eval --groups skin" in str(error))
    True
    """
    require_words(protocol, similarity)
    require("level", level, (float, int), "0.95")
    require("draws", draws, (int,), "1000")
    if not 0 < level < 1:
        raise UserError(f"level is {level}; give a share between 0 and 1, such as 0.95")
    if not 1 <= draws <= MOST_DRAWS:
        raise UserError(f"--draws {draws}: give 1 to {MOST_DRAWS:,}")
    named = several([base, *several(candidates)])
    columns = [by.lower()] if by else []
    first, *others = named_in(found_in, named, protocol, similarity, columns)
    return Results(
        group_damage(first, other, by, far=far, level=level, draws=draws) for other in others
    )


def group_damage(
    base: Record,
    candidate: Record,
    by: str | None = None,
    *,
    far: float | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
) -> GroupDamage:
    """Of two records; UserError: as `compare_groups`."""
    require_comparable(base, candidate)
    one, other = require_column(base, by), require_column(candidate, by)
    if one.word != other.word:
        raise UserError(
            f"{base.model.id} and {candidate.model.id} are labelled otherwise by {one.column} "
            f"({one.labels} and {other.labels}): groups are never compared then; evaluate both "
            "with the same --groups"
        )
    target = chosen_target(one, far)
    for record in (base, candidate):
        if record.table is None:
            raise UserError(f"groups are compared by scores; {record.missing}")
    assert base.table is not None and candidate.table is not None
    labelled = labelled_in(one, base.table) or labelled_in(other, candidate.table)
    if labelled is None:
        raise UserError(
            f"the scores of {base.model.id} keep no labels of {one.column}; evaluate it again with "
            f"--groups {one.column}"
        )
    try:
        found = damage(
            base.table.scores,
            candidate.table.scores,
            units_in(base.table),
            labelled,
            target,
            draws=draws,
            seed=base.bootstrap.seed,
            level=level,
        )
    except ValueError as error:
        raise UserError(f"{base.model.id} and {candidate.model.id}: {error}") from None
    return GroupDamage(base, candidate, one, target, found, _flipped(base, candidate, one, found))


def chosen_target(section: GroupsSection, far: float | None) -> float:
    """The FMR that is asked for, or the usual one; UserError: the record does not have it."""
    targets = [point.target for point in section.points]
    if far is None:
        return section.usual
    if far not in targets:
        known = ", ".join(f"{target:g}" for target in targets)
        raise UserError(f"--far {far:g}: the record has groups at {known}; choose one of these")
    return far


def _flipped(
    base: Record, candidate: Record, groups: GroupsSection, found: Damage
) -> tuple[Flipped, ...]:
    assert base.table is not None and candidate.table is not None
    with np.errstate(invalid="ignore"):
        moved = np.abs(candidate.table.scores.astype(np.float64) - base.table.scores)
    changed = np.flatnonzero(found.worse | found.better)
    order = changed[np.argsort(-np.nan_to_num(moved[changed]), kind="stable")]
    group = found.labelled.group
    return tuple(
        Flipped(
            int(at),
            "" if group[at] == _NO_GROUP else groups.names[group[at]],
            bool(base.table.mated[at]),
            bool(found.worse[at]),
        )
        for at in order
    )


def with_faces(found: GroupDamage, keys: Sequence[tuple[str, str]]) -> GroupDamage:
    """The same, with the faces of what changed; keys: of every comparison."""
    named = tuple(replace(one, faces=keys[one.position]) for one in found.flipped)
    return replace(found, flipped=named)
