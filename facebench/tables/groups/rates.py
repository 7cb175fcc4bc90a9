"""Groups of records as tables: error rates of each, how far apart they are, and the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from facebench.base.text import json_text, percent
from facebench.records.comparability import names_of
from facebench.records.groups.sections import (
    GroupPointSection,
    GroupRateSection,
    GroupsSection,
    GroupSummarySection,
)
from facebench.records.record import Record
from facebench.statistics.groups.rates import FEWEST_MATED
from facebench.statistics.groups.summaries import RATIOS
from facebench.tables.csv import Value, to_csv
from facebench.tables.table import DASH, Cell, Column, Table, TableRow
from facebench.tables.text import interval_text, labelled, p_equation, protocol_text

FEW = "‡"
WORDS = {
    "fdr": "FDR",
    "garbe": "GARBE",
    "worst_group_fmr": "worst FMR %",
    "fmr_difference": "FMR, worst − best, pt",
    "fmr_ratio": "FMR, worst / best",
    "fmr_over_mean": "FMR, worst / geometric mean",
    "worst_group_fnmr": "worst FNMR %",
    "fnmr_difference": "FNMR, worst − best, pt",
    "fnmr_ratio": "FNMR, worst / best",
    "fnmr_over_mean": "FNMR, worst / geometric mean",
}
_OF_PLAIN = ("fdr", "garbe", *RATIOS)
_SAYS = {
    "people": "pairs of two people of a group; pairs across groups are in the matrix alone",
    "images": "pairs by the labels of both images",
    "pairs": "pairs by their own label",
}


def group_tables(
    records: Sequence[Record], column: str | None = None, target: float | None = None
) -> list[Table]:
    """For every column of groups the rates, and how far apart they are, of records of the same
    data; records that are labelled otherwise stand in tables of their own.

    column: this one alone; target: an FMR of the records, None: the smallest that groups can tell
    from none.
    """
    by_word: dict[str, list[tuple[Record, GroupsSection]]] = {}
    for record in records:
        for section in record.groups:
            if column not in (None, section.column):
                continue
            by_word.setdefault(section.word, []).append((record, section))
    return [table for found in by_word.values() for table in _of_column(found, target)]


def _of_column(found: Sequence[tuple[Record, GroupsSection]], target: float | None) -> list[Table]:
    record, section = found[0]
    target = section.usual if target is None else target
    points = [one.point(target) for _, one in found]
    if any(point is None for point in points):  # cards of one protocol have the same targets
        return []
    told = [point for point in points if point is not None]
    names = names_of([one for one, _ in found])
    return [
        _rates_table(record, section, names, told),
        *([_apart_table(record, section, names, told)] if told[0].summaries else []),
    ]


def titled(record: Record, section: GroupsSection, what: str, target: float) -> str:
    """``lfw v1 · error rates by skin, of people · FMR 1%``."""
    title = f"{protocol_text(record)} · {what} by {section.column} · at FMR {100 * target:g}%"
    return labelled(title, record.data.kind)


def _rates_table(
    record: Record,
    section: GroupsSection,
    names: Sequence[str],
    points: Sequence[GroupPointSection],
) -> Table:
    rows = [
        TableRow(
            (
                Cell(group, _units(section, at)),
                *([Cell(name)] if len(names) > 1 else []),
                rate_cell(point.fmr_of[at]),
                counts_cell(point.fmr_of[at]),
                rate_cell(point.fnmr_of[at]),
                counts_cell(point.fnmr_of[at]),
            )
        )
        for name, point in zip(names, points, strict=True)
        for at, group in enumerate(section.names)
    ]
    model = ("model",) if len(names) > 1 else ()
    heads = ("group", *model, "FMR %", "non-mated", "FNMR %", "mated")
    return Table(
        title=titled(record, section, "error rates", points[0].target),
        columns=tuple(Column(head, left=head in ("group", "model")) for head in heads),
        rows=tuple(rows),
        notes=tuple(_rate_notes(section, names, points)),
    )


def _units(section: GroupsSection, at: int) -> str:
    if section.of == "images":
        return ""
    return f"{section.units[at]:,} {section.of}"


def rate_cell(rate: GroupRateSection) -> Cell:
    """A rate in percent with its interval; what is too few for it in parentheses, with a mark."""
    if rate.value is None:
        return Cell(f"{DASH} {FEW}", "no pairs")
    text = percent(rate.value)
    return Cell(
        text if rate.resolvable else f"({text}) {FEW}", interval_text(rate.interval), rate.value
    )


def counts_cell(rate: GroupRateSection) -> Cell:
    """``3 of 1,250``."""
    return Cell(f"{rate.errors:,} of {rate.number:,}")


def _rate_notes(
    section: GroupsSection, names: Sequence[str], points: Sequence[GroupPointSection]
) -> Iterator[str]:
    yield (
        f"groups: {_SAYS[section.of]}. One threshold for all groups, set on everybody's non-mated "
        "pairs; [ ] are 95% intervals over people, the threshold's own uncertainty included"
    )
    for name, point in zip(names, points, strict=True):
        yield (
            f"{name}: threshold {point.threshold:.4f}, FMR {percent(point.far)} % and FNMR "
            f"{percent(point.fnmr)} % of all pairs"
        )
    yield from few_notes(section, points[0])


def few_notes(section: GroupsSection, point: GroupPointSection) -> Iterator[str]:
    """What is said of pairs without a group and of groups with too few pairs."""
    if section.unlabelled:
        yield f"{section.unlabelled:,} pairs have a side without a label: they are in no group"
    rates = (*point.fmr_of, *point.fnmr_of)
    if not all(rate.resolvable for rate in rates):
        needed = round(1 / point.target)
        yield (
            f"{FEW} too few pairs, and in none of the numbers of all groups: FMR "
            f"{100 * point.target:g}% takes {needed:,} non-mated pairs of a group, FNMR "
            f"{FEWEST_MATED} mated ones"
        )


def _apart_table(
    record: Record,
    section: GroupsSection,
    names: Sequence[str],
    points: Sequence[GroupPointSection],
) -> Table:
    rows = [
        TableRow(
            (Cell(WORDS[one.name]), *(_summary_cell(point.summary(one.name)) for point in points))
        )
        for one in points[0].summaries
    ]
    return Table(
        title=titled(record, section, "how far apart groups are", points[0].target),
        columns=tuple(Column(head, left=not at) for at, head in enumerate(("", *names))),
        rows=tuple(rows),
        notes=tuple(_apart_notes(section)),
    )


def _summary_cell(one: GroupSummarySection | None) -> Cell:
    if one is None:
        return Cell(DASH)
    text = _number(one.name, one.value)
    if one.interval is not None:
        ends = (_number(one.name, end) for end in (one.interval.low, one.interval.high))
        text += f" [{', '.join(ends)}]"
    if one.expected is None or one.p_value is None:
        return Cell(text)
    return Cell(text, f"by chance {_number(one.name, one.expected)}, {p_equation(one.p_value)}")


def _number(name: str, value: float) -> str:
    return f"{value:.3f}" if name in _OF_PLAIN else percent(value)


def _apart_notes(section: GroupsSection) -> Iterator[str]:
    if not section.draws:
        yield "no draws were made (--draws 0): nothing says what no difference would give"
        return
    yield (
        f"by chance: the mean where groups make no difference ({shuffled_text(section.shuffled)}, "
        f"{section.draws:,} draws); p: how often that is as far apart. Small groups differ by "
        "chance: read no number without it"
    )
    yield (
        "all rows answer one question; [ ] of the worst rates hold for all groups together, the "
        "others are of a bootstrap over people and hold the truth less often than 95%"
    )


def shuffled_text(shuffled: str) -> str:
    """What no difference is drawn by, e.g. ``people's labels in another order``."""
    if shuffled == "comparisons":
        return "pairs in other groups, since the list's pairs of two people were made within groups"
    whose = "people's" if shuffled == "people" else "images'"
    return f"{whose} labels in another order"


def matrix_table(record: Record, section: GroupsSection, target: float) -> Table | None:
    """The FMR of people of any two groups; None: labels are not of people."""
    point = section.point(target)
    if point is None or not point.matrix:
        return None
    rows = [
        TableRow((Cell(name), *map(_matrix_cell, row)))
        for name, row in zip(section.names, point.matrix, strict=True)
    ]
    return Table(
        title=titled(record, section, f"{record.model.id}: FMR % of pairs of groups", target),
        columns=tuple(Column(head, left=not at) for at, head in enumerate(("", *section.names))),
        rows=tuple(rows),
        notes=(
            f"{FEW} fewer than {round(1 / target):,} non-mated pairs, which cannot tell this FMR "
            "from none; below: errors of pairs",
        ),
    )


def _matrix_cell(rate: GroupRateSection) -> Cell:
    if rate.value is None:
        return Cell(f"{DASH} {FEW}", "no pairs")
    text = percent(rate.value)
    return Cell(
        text if rate.resolvable else f"({text}) {FEW}", f"{rate.errors:,} of {rate.number:,}"
    )


def tables_of(record: Record, section: GroupsSection, target: float) -> list[Table]:
    """All of one record: rates, how far apart they are, and the matrix."""
    rates, *apart = group_tables([record], section.column, target)
    matrix = matrix_table(record, section, target)
    rates = replace(rates, notice=record.data.notice)
    last = [*apart, *([matrix] if matrix else [])]
    return [rates, *last[:-1], *(replace(one, signatures=(record.signature,)) for one in last[-1:])]


def groups_json(record: Record, section: GroupsSection) -> str:
    """The section as it is in the record, at all FMRs; shares in full precision."""
    return json_text({"signature": record.signature, **section.model_dump(mode="json")})


def groups_csv(record: Record, section: GroupsSection) -> str:
    """One line per FMR, group and kind of error, then one per pair of groups of the matrix."""
    own: dict[str, Value] = {
        "data_kind": record.data.kind,
        "protocol": record.protocol.name,
        "data": record.data.fingerprint,
        "model": record.model.id,
        "column": section.column,
    }
    lines: list[dict[str, Value]] = []
    for point in section.points:
        for rate, rates in (("fmr", point.fmr_of), ("fnmr", point.fnmr_of)):
            for name, one in zip(section.names, rates, strict=True):
                lines.append(own | _csv_line(point, rate, name, name, one))
        for first, row in zip(section.names, point.matrix, strict=False):
            for second, one in zip(section.names, row, strict=True):
                if first < second:
                    lines.append(own | _csv_line(point, "fmr", first, second, one))
    return to_csv(lines)


def _csv_line(
    point: GroupPointSection, rate: str, first: str, second: str, one: GroupRateSection
) -> dict[str, Value]:
    return {
        "fmr_target": point.target,
        "threshold": point.threshold,
        "rate": rate,
        "group": first,
        "other_group": second,
        "value": one.value,
        "low": one.interval.low if one.interval else None,
        "high": one.interval.high if one.interval else None,
        "errors": one.errors,
        "number": one.number,
        "resolvable": one.resolvable,
    }
