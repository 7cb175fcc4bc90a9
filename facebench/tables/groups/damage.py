"""Who pays for a smaller model, as a table, and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facebench.base.text import json_text, percent, points
from facebench.comparison.groups.damage import GroupDamage
from facebench.comparison.paired import SIGNIFICANCE
from facebench.records.comparability import names_of
from facebench.statistics.groups.damage import GroupChange
from facebench.statistics.groups.rates import FEWEST_MATED
from facebench.tables.csv import to_csv
from facebench.tables.groups.rates import FEW, shuffled_text, titled
from facebench.tables.table import DASH, Cell, Column, Table, TableRow
from facebench.tables.text import p_equation, p_text, points_text

_SHOWN = 5  # flipped pairs in a caption
_UNDECIDED = "not told apart"


def damage_table(found: GroupDamage) -> Table:
    """A row for every group and kind of error."""
    one, other = names_of([found.base, found.candidate])
    section = found.groups
    kinds = (("FMR", found.found.fmr), ("FNMR", found.found.fnmr))
    rows = [
        TableRow((Cell(name, f"{kind} %"), *_cells(change)))
        for kind, changes in kinds
        for name, change in zip(section.names, changes, strict=True)
    ]
    heads = ("group", one, other, "change, pt", "p", "became wrong", "became right")
    return Table(
        title=titled(found.base, section, f"{other} against {one}: damage", found.target),
        columns=tuple(Column(head, left=not at) for at, head in enumerate(heads)),
        rows=tuple(rows),
        notes=tuple(_notes(found)),
        notice=found.base.data.notice,
        signatures=(
            f"{one}: {found.base.signature}",
            f"{other}: {found.candidate.signature}",
        ),
    )


def damage_json(found: Sequence[GroupDamage]) -> str:
    """Everything, as a JSON list; shares in full precision, positions from 0."""
    return json_text([_json(one) for one in found])


def damage_csv(found: Sequence[GroupDamage]) -> str:
    """One line per candidate, group and kind of error; shares in full precision."""
    return to_csv([row for one in found for row in one.rows()])


def _json(found: GroupDamage) -> dict[str, object]:
    unequal = found.found.unequal
    return {
        "base": found.base.signature,
        "candidate": found.candidate.signature,
        "unequal": vars(unequal),
        "groups": found.rows(),
        "flipped": [vars(one) for one in found.flipped],
    }


def _cells(change: GroupChange) -> tuple[Cell, ...]:
    if change.found is None:
        few = Cell(f"{DASH} {FEW}", "no pairs")
        return (few, few, Cell(DASH), Cell(DASH), Cell(DASH), Cell(DASH))
    values = [rate.value or 0.0 for rate in (change.base, change.candidate)]
    shown = [
        percent(value) if change.resolvable else f"({percent(value)}) {FEW}" for value in values
    ]
    p = change.adjusted
    mark = ""
    if p is not None and p < SIGNIFICANCE and change.found.estimate:
        mark = " ▼" if change.found.estimate > 0 else " ▲"
    return (
        Cell(shown[0], f"of {change.base.number:,}"),
        Cell(shown[1]),
        Cell(f"{points(change.found.estimate)}{mark}", points_text(change.found.interval)),
        Cell(p_text(p)),
        Cell(f"{change.worse:,}"),
        Cell(f"{change.better:,}"),
    )


def unequal_text(found: GroupDamage) -> str:
    """The one test, in words."""
    unequal = found.found.unequal
    if unequal.p_value is None:
        return "unequal damage: not tested, since fewer than two groups have enough pairs"
    word = "unequal" if unequal.p_value < SIGNIFICANCE else _UNDECIDED
    told = []
    for kind, apart, expected in (
        ("FMR", unequal.fmr, unequal.fmr_expected),
        ("FNMR", unequal.fnmr, unequal.fnmr_expected),
    ):
        if apart is not None and expected is not None:
            told.append(f"{kind} {percent(apart)} pt apart, by chance {percent(expected)}")
    return f"damage: {word}, {p_equation(unequal.p_value)} ({'; '.join(told)})"


def _notes(found: GroupDamage) -> Iterator[str]:
    unequal = found.found.unequal
    yield unequal_text(found)
    yield (
        "one test of all groups and both rates, that all change alike in the mean: how far apart "
        f"they are beside what they scatter, against {unequal.draws:,} draws "
        f"({shuffled_text(unequal.shuffled)}); p of a group: of its own "
        "change, among all of them (Holm), ▼ more errors, ▲ fewer"
    )
    yield (
        f"each model at its own threshold for FMR {100 * found.target:g}% of everybody's pairs "
        f"({found.found.accepts[0].threshold:.4f} and {found.found.accepts[1].threshold:.4f}); "
        f"[ ] are {_level(found)} intervals over people"
    )
    if not all(change.resolvable for change in (*found.found.fmr, *found.found.fnmr)):
        yield (
            f"{FEW} too few pairs, and in no test: FMR takes {round(1 / found.target):,} non-mated "
            f"pairs of a group, FNMR {FEWEST_MATED} mated ones"
        )
    outside = sum(not one.group for one in found.flipped)
    if outside:
        yield f"{outside:,} pairs that changed are in no group (across groups, or without a label)"
    if named := [one for one in found.flipped if one.faces and one.worse]:
        shown = "; ".join(
            f"{one.faces[0]} and {one.faces[1]} ({one.group or 'no group'})"
            for one in named[:_SHOWN]
            if one.faces
        )
        more = f"; {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
        yield f"became wrong: {shown}{more}"


def _level(found: GroupDamage) -> str:
    changes = (*found.found.fmr, *found.found.fnmr)
    level = next((one.found.interval.level for one in changes if one.found), 0.95)
    return f"{100 * level:g}%"
