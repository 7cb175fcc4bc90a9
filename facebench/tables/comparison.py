"""Comparisons of models, and what they can show, as tables and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from facebench.base.text import json_text, percent, points
from facebench.comparison.compare import Comparison
from facebench.comparison.methods import MethodComparison, MethodStatistic
from facebench.comparison.paired import Paired, paired_row
from facebench.comparison.power import Power
from facebench.records.comparability import names_of
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.statistics import OF_MODELS
from facebench.statistics.intervals.dyadic import FEW_ACCEPTED, FEW_CHANGED
from facebench.statistics.paired import McNemar
from facebench.tables.csv import to_csv
from facebench.tables.table import DASH, Cell, Table, columns_of, rows_of
from facebench.tables.text import (
    SEARCHES,
    difference_cell,
    labelled,
    p_equation,
    p_text,
    points_text,
    protocol_text,
    taken_text,
)

_SHOWN = 5  # changed comparisons in a caption
_MARKS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "no difference shown": "≈ not told apart",
    "undecided": "? undecided",
}


def comparison_table(comparison: Comparison) -> Table:
    """The table of one candidate against the base."""
    base, one, other = comparison.base, *names_of([comparison.base, comparison.candidate])
    title = f"{other} against {one} · {protocol_text(base)} · {base.data.name}"
    return Table(
        title=labelled(title, base.data.kind),
        columns=columns_of("statistic", one, other, "difference", "p", "verdict"),
        rows=rows_of(*map(paired_cells, comparison.statistics)),
        notes=tuple(_notes(comparison)),
        notice=base.data.notice,
        signatures=(f"{one}: {base.signature}", f"{other}: {comparison.candidate.signature}"),
    )


def comparisons_json(comparisons: Sequence[Comparison]) -> str:
    """Everything, as a JSON list; shares in full precision, positions from 0."""
    values = [_json(comparison) for comparison in comparisons]
    return json_text(values)


def comparisons_csv(comparisons: Sequence[Comparison]) -> str:
    """One line per candidate and statistic; shares in full precision."""
    return to_csv([row for comparison in comparisons for row in comparison.rows()])


def paired_cells(found: Paired) -> tuple[Cell, ...]:
    """A row of a comparison: statistic, both values, difference, p-value, verdict."""
    remark = "" if found.resolvable else "too few non-mated comparisons for this FAR"
    return (
        Cell(f"{found.statistic} %"),
        Cell(percent(found.base)),
        Cell(percent(found.candidate), remark),
        difference_cell(found),
        Cell(p_text(found.deciding_p)),
        Cell(_MARKS.get(found.verdict, found.verdict) if found.judged else ""),
    )


def _notes(comparison: Comparison) -> Iterator[str]:
    base, candidate = comparison.base, comparison.candidate
    yield f"data: {base.data.fingerprint} ({base.data.kind}); alignment: {base.alignment}"
    names = names_of([base, candidate])
    yield "; ".join(map(taken_text, names, (base.model, candidate.model)))
    if comparison.changed:
        total = len(base.table.mated) if base.table else 0
        yield changed_text(comparison.changed, total, *names_of([base, candidate]))
        for name, rows in (("now wrong", comparison.worse), ("now right", comparison.better)):
            if rows:
                yield f"{name}, scores moved most: {'; '.join(_pairs(comparison, rows))}"
    told = [f for f in comparison.statistics if f.interval]
    if told:
        level = next(f.interval.level for f in told if f.interval)
        over = "people" if any(f.over_subjects for f in told) else "comparisons"
        yield (
            f"difference in points [{100 * level:g}% interval over {over}, pointwise]; p: of the "
            "same, two-sided; verdict at 5%, on the first statistic alone, its p corrected for the "
            "number of candidates (Holm)"
        )
        exact = next((f.mcnemar for f in told if f.mcnemar is not None), None)
        if exact is not None:
            yield (
                f"McNemar's exact test of the decisions: {p_equation(exact)}; it takes comparisons "
                "that share people for independent, and decides nothing"
            )
        yield from _unusual(comparison)
        yield from _without_one(comparison)
    if comparison.settings:
        yield f"other settings differ: {'; '.join(map(str, comparison.settings))}"


def _without_one(comparison: Comparison) -> Iterator[str]:
    """What the most frequent person makes of each difference, and each rate over people."""
    for found in comparison.statistics:
        told = []
        if (one := found.without) is not None:
            told.append(
                f"without its most frequent person ({100 * one.share:.1f}% of the mated searches): "
                f"{points(one.difference)} {points_text(one.interval)}, p {p_text(one.p_value)}"
            )
        if found.over_people is not None:
            base, candidate = map(percent, found.over_people)
            told.append(f"every person counted once: {base} against {candidate}")
        if told:
            yield f"{found.statistic} {'; '.join(told)}"


def _unusual(comparison: Comparison) -> Iterator[str]:
    """Intervals that rest on few people or on none, and thresholds."""
    kinds: dict[str, list[str]] = {}
    for found in comparison.statistics:
        kind = found.interval.kind if found.interval else ""
        if "exact bound" in kind or "held fixed" in kind or FEW_ACCEPTED in kind:
            kinds.setdefault(kind, []).append(found.statistic)
    yield from (f"interval of {', '.join(names)}: {kind}" for kind, names in kinds.items())


def changed_text(changed: McNemar, total: int, one: str, other: str) -> str:
    """How many comparisons changed from one model to the other, and which way."""
    return (
        f"{changed.only_a + changed.only_b:,} of {total:,} comparisons changed: "
        f"{changed.only_a:,} right only with {one}, {changed.only_b:,} only with {other}"
    )


def _pairs(comparison: Comparison, rows: Sequence[int]) -> Iterator[str]:
    one, other = comparison.base.table, comparison.candidate.table
    assert one is not None and other is not None
    for row in rows[:_SHOWN]:
        kind = "mated" if one.mated[row] else "non-mated"
        faces = f" {' and '.join(comparison.keys[row])}" if comparison.keys else ""
        before, after = (_score(comparison.base, table, row) for table in (one, other))
        yield f"no. {row + 1}{faces} ({kind}) {before} → {after}"
    if len(rows) > _SHOWN:
        yield f"and {len(rows) - _SHOWN:,} more (--format json)"


def _score(record: Record, table: ScoreTable, row: int) -> str:
    """A score, or why there is none."""
    score = _finite(table, row)
    if score is not None:
        return f"{score:.3f}"
    return "not first" if record.protocol.kind in SEARCHES else "not acquired"


def _json(comparison: Comparison) -> dict[str, Any]:
    base, candidate = comparison.base, comparison.candidate
    changed = comparison.changed
    return {
        "protocol": base.protocol.name,
        "data": base.data.model_dump(mode="json"),
        "base": _facts(base),
        "candidate": _facts(candidate),
        "statistics": [paired_row(found) for found in comparison.statistics],
        "settings": [
            {"word": s.word, "base": s.base, "candidate": s.candidate} for s in comparison.settings
        ],
        "changed": changed
        and {
            "only_base_right": changed.only_a,
            "only_candidate_right": changed.only_b,
            "p_value": changed.p_value,
            "worse": [_pair(comparison, row) for row in comparison.worse],
            "better": [_pair(comparison, row) for row in comparison.better],
        },
    }


def _facts(record: Record) -> dict[str, Any]:
    return {
        "model": record.model.id,
        **{name: getattr(record.model, name) for name in OF_MODELS},
        "digest": record.digest(),
        "signature": record.signature,
    }


def _pair(comparison: Comparison, row: int) -> dict[str, Any]:
    one, other = comparison.base.table, comparison.candidate.table
    assert one is not None and other is not None
    return {
        "position": row,
        "faces": list(comparison.keys[row]) if comparison.keys else None,
        "fold": int(one.folds[row]),
        "mated": bool(one.mated[row]),
        "base_score": _finite(one, row),
        "candidate_score": _finite(other, row),
    }


def _finite(table: ScoreTable, row: int) -> float | None:
    """A score, or None for a failure to acquire."""
    score = float(table.scores[row])
    return score if score > float("-inf") else None


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


def method_table(comparison: MethodComparison) -> Table:
    """The table of one method against the base's."""
    one, other = comparison.base, comparison.candidate
    record = comparison.base_records[0]
    seeds = [len(comparison.base_records), len(comparison.candidate_records)]
    title = (
        f"method {other} ({_seeds(seeds[1])}) against {one} ({_seeds(seeds[0])}) · "
        f"{protocol_text(record)} · {record.data.name}"
    )
    return Table(
        title=labelled(title, record.data.kind),
        columns=columns_of(
            "statistic", one, other, "difference", "p", "people, seeds, both", "seeds", "verdict"
        ),
        rows=rows_of(*map(_method_cells, comparison.statistics)),
        notes=tuple(_method_notes(comparison)),
        notice=record.data.notice,
    )


def methods_json(compared: Sequence[MethodComparison]) -> str:
    """Everything, as a JSON list; shares in full precision."""
    return json_text([row for one in compared for row in one.rows()])


def methods_csv(compared: Sequence[MethodComparison]) -> str:
    """One line per method and statistic; shares in full precision."""
    return to_csv([row for one in compared for row in one.rows()])


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number > 1)}"


def _method_cells(one: MethodStatistic) -> tuple[Cell, ...]:
    found = one.found
    needed = found.seeds_for()
    p = one.deciding_p if one.deciding_p is not None else found.p_value
    return (
        Cell(f"{one.statistic} %"),
        Cell(percent(one.base)),
        Cell(percent(one.candidate)),
        Cell(points(found.estimate), points_text(found.interval)),
        Cell(p_text(p)),
        Cell(", ".join(f"{100 * s:.0f}%" for s in found.shares) if found.shares else DASH),
        Cell((f"{needed:,}" if needed else "none") if found.both_known else DASH),
        Cell(_MARKS.get(one.verdict, "")),
    )


def _method_notes(comparison: MethodComparison) -> Iterator[str]:
    record = comparison.base_records[0]
    yield f"data: {record.data.fingerprint} ({record.data.kind}); alignment: {record.alignment}"
    alone = comparison.of_one_seed
    if alone:
        yield (
            f"one seed only of {' and '.join(alone)}: the interval is over people, of these "
            "networks; it says nothing of what another training would change, so there is no "
            "verdict on methods: train two seeds or more of each"
        )
        return
    yield (
        f"difference of the means over seeds, in points [{100 * _level(comparison):g}% interval "
        "over people and seeds]; verdict at 5%, on the first statistic alone, its p corrected for "
        "the number of methods (Holm)"
    )
    yield (
        "people, seeds, both: shares of the variance that other people, other seeds, and what "
        "people and seeds do together bring"
    )
    yield (
        "seeds: of each method, with which a true difference as large as this is told apart in 80 "
        "of 100 repetitions; none: no number would do on so few people (`facebench power`)"
    )


def _level(comparison: MethodComparison) -> float:
    return comparison.statistics[0].found.interval.level
