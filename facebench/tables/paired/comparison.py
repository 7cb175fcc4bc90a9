"""Comparisons of models as tables, and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from facebench.base.text import json_text, percent, points
from facebench.comparison.compare import Comparison
from facebench.comparison.paired import Paired, paired_row
from facebench.records.comparability import names_of
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.statistics import OF_MODELS
from facebench.statistics.intervals.dyadic import FEW_ACCEPTED
from facebench.statistics.paired import McNemar
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Table, columns_of, rows_of
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
MARKS = {
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
        Cell(MARKS.get(found.verdict, found.verdict) if found.judged else ""),
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
