"""Comparisons of models as tables, and as JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from facebench.base.text import json_text, numbered, percent, points
from facebench.comparison.compare import Comparison
from facebench.comparison.paired import SMALLER_IS_BETTER, Paired, paired_row
from facebench.comparison.verdict.contest import Contest
from facebench.comparison.verdict.pair import pair_verdict
from facebench.comparison.verdict.several import several_verdict
from facebench.comparison.verdict.single import warning_of
from facebench.comparison.verdict.words import SEARCHES, names_text
from facebench.figures.pages.drawings import Contrast
from facebench.records.comparability import names_of
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.sections import OperatingPointSection
from facebench.records.statistics import OF_MODELS, estimate_of, statistic_text
from facebench.statistics.intervals.dyadic import FEW_ACCEPTED, FEW_ACCEPTING
from facebench.statistics.paired import McNemar
from facebench.tables.columns import LOW_IS_GOOD
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Table, columns_of, rows_of
from facebench.tables.text import (
    DOCS,
    difference_cell,
    labelled,
    marks_text,
    p_equation,
    p_text,
    points_text,
    protocol_text,
    size_cells,
    statistic_heading,
    taken_text,
    versus_cell,
)

_SIZES = ("size", "kept")
_SHOWN = 5  # changed comparisons in a caption
MARKS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "no difference shown": "≈ not told apart",
    "undecided": "? undecided",
}


def comparison_tables(compared: Sequence[Comparison]) -> list[Table]:
    """A table of each candidate against the base; before those of several, one of all of them."""
    tables = [comparison_table(one) for one in compared]
    return tables if len(tables) < 2 else [_all_against(compared), *tables]


def _all_against(compared: Sequence[Comparison]) -> Table:
    """The candidates as rows below the base: sizes, first statistic, and its difference."""
    base = compared[0].base
    records = [base, *(one.candidate for one in compared)]
    tests = [one.statistics[0] for one in compared]
    names, what = names_of(records), statistic_text(tests[0].statistic)
    rows = [
        (
            Cell(name),
            *(
                cell
                for heading, cell in size_cells(record.model, base.model).items()
                if heading in _SIZES
            ),
            Cell(percent(value)),
            Cell("reference") if test is None else versus_cell(test),
            Cell("" if test is None else p_text(test.deciding_p)),
        )
        for name, record, value, test in zip(
            names,
            records,
            [tests[0].base, *(test.candidate for test in tests)],
            [None, *tests],
            strict=True,
        )
    ]
    title = f"{names_text(names[1:])} against {names[0]} · {protocol_text(base)} · {base.data.name}"
    tested = [test for test in tests if test.tested]
    return Table(
        title=labelled(title, base.data.kind),
        columns=columns_of("model", *_SIZES, f"{what} %", f"vs {names[0]}", "p"),
        rows=rows_of(*rows),
        notes=(marks_text(tested, names[0]),) if tested else (),
        notice=warning_of(base),
        verdict=several_verdict(Contest.of(records, tests)),
        contrasts=tuple(
            Contrast(name, test, record, base)
            for name, test, record in zip(names[1:], tests, records[1:], strict=True)
            if test.tested
        ),
    )


def comparison_table(comparison: Comparison) -> Table:
    """The table of one candidate against the base."""
    base, one, other = comparison.base, *names_of([comparison.base, comparison.candidate])
    title = f"{other} against {one} · {protocol_text(base)} · {base.data.name}"
    return Table(
        title=labelled(title, base.data.kind),
        columns=columns_of(*paired_headings(one, other)),
        rows=rows_of(
            *(paired_cells(f, _few_decide(base, f.statistic)) for f in comparison.statistics)
        ),
        notes=tuple(_notes(comparison)),
        notice=warning_of(base),
        verdict=pair_verdict(base, comparison.candidate, comparison.statistics[0]),
        reading=tuple(_reading(comparison)),
        signatures=(f"{one}: {base.signature}", f"{other}: {comparison.candidate.signature}"),
        contrasts=tuple(
            Contrast(statistic_text(found.statistic), found, comparison.candidate, base)
            for found in comparison.statistics
            if found.tested and found.resolvable
        ),
    )


def comparisons_json(comparisons: Sequence[Comparison]) -> str:
    """Everything, as a JSON list; shares in full precision, positions from 0."""
    values = [_json(comparison) for comparison in comparisons]
    return json_text(values)


def comparisons_csv(comparisons: Sequence[Comparison]) -> str:
    """One line per candidate and statistic; shares in full precision."""
    return to_csv([row for comparison in comparisons for row in comparison.rows()])


def paired_headings(one: str, other: str) -> tuple[str, ...]:
    """Of the columns that `paired_cells` fills. one, other: the base and the candidate."""
    return "statistic", one, other, "difference", "p"


def paired_cells(found: Paired, remark: str = "") -> tuple[Cell, ...]:
    """A row of a comparison: statistic, both values, difference and its mark, p-value."""
    few = "" if found.resolvable else "too few non-mated comparisons for this FAR"
    aside = LOW_IS_GOOD if found.statistic in SMALLER_IS_BETTER else remark
    difference = difference_cell(found)
    return (
        Cell(statistic_heading(found.statistic), aside),
        Cell(percent(found.base)),
        Cell(percent(found.candidate), few),
        replace(difference, mark=found.mark, told=found.verdict) if found.judged else difference,
        Cell(p_text(found.deciding_p)),
    )


def _few_decide(record: Record, statistic: str) -> str:
    """That a TAR hangs on few false accepts, or nothing."""
    found = estimate_of(record, statistic)
    if not isinstance(found, OperatingPointSection) or found.false_accepts >= FEW_ACCEPTING:
        return ""
    return f"{numbered(found.false_accepts, 'false accept')} decide"


def _notes(comparison: Comparison) -> Iterator[str]:
    base, candidate = comparison.base, comparison.candidate
    names = names_of([base, candidate])
    tested = [found for found in comparison.statistics[:1] if found.tested]
    if tested:
        several = len(comparison.statistics) > 1
        alone = statistic_text(tested[0].statistic) if several else ""
        yield marks_text(tested, names[0], alone=alone)
    if comparison.changed:
        total = len(base.table.mated) if base.table else 0
        yield changed_text(comparison.changed, total, *names)
        for name, rows in (("now wrong", comparison.worse), ("now right", comparison.better)):
            if rows and comparison.keys:
                yield f"{name}, scores moved most: {'; '.join(_pairs(comparison, rows))}"
    yield from _intervals_of(comparison, _misleads)
    if comparison.settings:
        yield f"other settings differ: {'; '.join(map(str, comparison.settings))}"


def _reading(comparison: Comparison) -> Iterator[str]:
    base, candidate = comparison.base, comparison.candidate
    yield f"data: {base.data.fingerprint} ({base.data.kind}); alignment: {base.alignment}"
    yield "; ".join(map(taken_text, names_of([base, candidate]), (base.model, candidate.model)))
    if comparison.changed and not comparison.keys:
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
        yield from _intervals_of(comparison, _is_unusual)
        yield from _without_one(comparison)
    yield DOCS


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
            yield f"{statistic_text(found.statistic)} {'; '.join(told)}"


def _misleads(kind: str) -> bool:
    """Whether no draw shows a difference, or an interval leaves out that of thresholds."""
    return kind.startswith("exact bound") or "held fixed" in kind


def _is_unusual(kind: str) -> bool:
    """Whether an interval rests on few people or few false accepts."""
    return not _misleads(kind) and ("exact bound" in kind or FEW_ACCEPTED in kind)


def _intervals_of(comparison: Comparison, are: Callable[[str], bool]) -> Iterator[str]:
    """Statistics with intervals of such a kind, a line per kind."""
    kinds: dict[str, list[str]] = {}
    for found in comparison.statistics:
        kind = found.interval.kind if found.interval else ""
        if are(kind):
            kinds.setdefault(kind, []).append(statistic_text(found.statistic))
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
