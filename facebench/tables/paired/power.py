"""How small a difference can be seen, as a table and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facebench.base.text import json_text, percent
from facebench.comparison.power import Power
from facebench.statistics.intervals.dyadic import FEW_CHANGED
from facebench.tables.csv import to_csv
from facebench.tables.table import DASH, Cell, Table, columns_of, rows_of
from facebench.tables.text import labelled, protocol_text


def power_table(found: Sequence[Power]) -> Table:
    """A table of pairs of models of one protocol, at least one."""
    first = found[0]
    base, asked = first.base, f"{100 * first.drop:.4g} pt"
    units = _units(first)
    title = f"power of {first.paired.statistic} · {protocol_text(base)} · {base.data.name}"
    return Table(
        title=labelled(title, base.data.kind),
        columns=columns_of(
            "pair",
            "changed %",
            "smallest seen",
            f"{asked} seen",
            f"{units} for {asked}",
            "comparisons",
            f"of these {units}" if first.people_known else "",
        ),
        rows=rows_of(*map(_power_cells, found)),
        notes=tuple(_power_notes(found)),
        notice=base.data.notice,
    )


def power_json(found: Sequence[Power]) -> str:
    """Everything, as a JSON list; shares in full precision."""
    return json_text([one.row() for one in found])


def power_csv(found: Sequence[Power]) -> str:
    """One line per pair; shares in full precision."""
    return to_csv([one.row() for one in found])


def _power_cells(one: Power) -> tuple[Cell, ...]:
    name = f"{one.candidate.model.id} against {one.base.model.id}"
    noise = one.noise
    if noise is None:
        return (Cell(name, one.why), *([Cell(DASH)] * 6))
    changed = "" if noise.changed is None else percent(noise.changed)
    seen = one.seen or 0.0
    more = one.comparisons_of_these
    of_these = _number(more) if more is not None or noise.apart is None else Cell("none")
    return (
        Cell(name, one.among),
        Cell(changed or DASH),
        Cell(f"{percent(one.smallest)} pt" if one.smallest is not None else "none"),
        Cell(f"{100 * seen:.0f}%"),
        _number(one.units_needed),
        _number(one.comparisons_needed),
        of_these if one.people_known else Cell(""),
    )


def _number(value: int | None) -> Cell:
    return Cell(DASH if value is None else f"{value:,}")


def _units(one: Power) -> str:
    return "people" if one.people_known else "comparisons"


def _power_notes(found: Sequence[Power]) -> Iterator[str]:
    first = found[0]
    base, units, share = first.base, _units(first), f"{100 * first.power:g} of 100"
    known = next((one.units for one in found if one.units is not None), None)
    yield f"data: {base.data.fingerprint} ({base.data.kind}); alignment: {base.alignment}"
    if first.among:
        yield (
            f"each model with the one that decides most like it: {first.pairs:,} pairs, of which "
            "those at the quarters; name two to see theirs"
        )
    now = f"{base.comparisons.total:,} comparisons"
    yield f"now: {known:,} people, {now}" if first.people_known and known else f"now: {now}"
    yield (
        f"seen: called better or worse by `compare`, at {100 * (1 - first.level):.4g}% two-sided, "
        f"on {share} lists of other {units}; a gate's rule `drop <= that at "
        f"{100 * first.level:g}%` passes a model that is no worse as often"
    )
    if first.people_known:
        yield (
            "people, and their comparisons: more people like these, each in as many comparisons; "
            "of these people: comparisons of the same ones, none: no number would do, since what "
            "those of one person have in common stays"
        )
    else:
        yield "the record does not say who is in its images: comparisons are taken for independent"
    few = [
        one
        for one in found
        if one.noise is not None
        and one.noise.changed_units is not None
        and one.noise.changed_units < FEW_CHANGED
    ]
    for one in few:
        assert one.noise is not None
        yield (
            f"{one.candidate.model.id} against {one.base.model.id}: only "
            f"{one.noise.changed_units} {units} gained or lost; of so few the test is no surer "
            "than a sign test, and sees less than this says"
        )
