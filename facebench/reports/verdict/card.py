"""What a filled card comes to: sentences before its table, and whether it is as the paper says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facebench.base.text import percent
from facebench.comparison.verdict.agreement import agreement_text, order_sentence, papers_sentence
from facebench.comparison.verdict.contest import Contender, Contest
from facebench.comparison.verdict.several import (
    fewer_bytes,
    joint_standings,
    left_open,
    passed_over,
    smallest_of,
    smallest_sentence,
    standings,
    unmeasured,
)
from facebench.comparison.verdict.words import capital
from facebench.reports.card import ReportColumn, ReportRow
from facebench.reports.cells import FilledCard, FilledCell, FilledRow

_MANY = 3  # models against one reference of which the smallest that holds is worth a sentence


@dataclass(frozen=True)
class CardVerdict:
    """sentences: before the table, the first of which stands alone in lists, and of which two are
    the verdict; paper: what it says of the same; same: whether that holds here, ``yes``, ``not
    shown`` and so on, or nothing.
    """

    sentences: tuple[str, ...]
    paper: str = ""
    same: str = ""


@dataclass(frozen=True)
class _Tested:
    """The tests of one column against one row; papers: of each, its difference in the paper."""

    column: ReportColumn
    contest: Contest
    rows: tuple[ReportRow, ...]
    papers: tuple[float | None, ...]


def card_verdict(filled: FilledCard) -> CardVerdict:
    """What a card on one data set comes to."""
    tested = _tests(filled)
    said = [*_standings(filled, tested)] if tested else [*_untested(filled)]
    lacking = unmeasured(*_counts(filled))
    if not tested and not said:
        return CardVerdict((lacking,) if lacking else ())
    first = [one for one in tested if one.column == tested[0].column]
    pairs = [
        (contender, paper)
        for one in first
        for contender, paper in zip(one.contest.contenders, one.papers, strict=True)
        if paper is not None
    ]
    by = _several_by(tested)
    paper = papers_sentence([(contender.name, paper) for contender, paper in pairs], by)
    same = agreement_text([(contender.paired, paper) for contender, paper in pairs])
    return CardVerdict(tuple(filter(None, [*said, paper, lacking])), paper, same)


def names_of_rows(filled: FilledCard) -> dict[str, str]:
    """What each row is called, by its label: its model where no other row is of that, as in plots
    and lists; else the label itself.
    """
    models = [row.row.model for row in filled.rows]
    return {
        row.row.label: row.row.model
        if row.row.model and models.count(row.row.model) == 1
        else row.row.label
        for row in filled.rows
    }


def _counts(filled: FilledCard) -> tuple[int, int]:
    """Cells that are missing, and those that are measured or should be; of protocols, if any."""
    every = [cell for row in filled.rows for cell in row.cells]
    cells = [cell for cell in every if cell.column.protocol is not None] or every
    missing = sum(bool(cell.missing) for cell in cells)
    return missing, missing + sum(cell.value is not None for cell in cells)


def _tests(filled: FilledCard) -> list[_Tested]:
    """By column, and by the row that is tested against."""
    names = names_of_rows(filled)
    found = []
    for number, column in enumerate(filled.columns):
        by_reference: dict[str, list[FilledRow]] = {}
        for row in filled.rows:
            if row.cells[number].paired is not None:
                by_reference.setdefault(filled.card.reference_of(row.row) or "", []).append(row)
        for label, rows in by_reference.items():
            base = next(row.cells[number] for row in filled.rows if row.row.label == label)
            cells = [row.cells[number] for row in rows]
            assert base.record is not None  # else nothing is tested against it
            contenders = tuple(
                Contender(names[row.row.label], cell.record.model, cell.paired)
                for row, cell in zip(rows, cells, strict=True)
                if cell.record is not None and cell.paired is not None
            )
            contest = Contest(names[label], base.record.model, contenders)
            papers = tuple(
                _papers(_papers_base(filled, row.row, number) or base, cell)
                for row, cell in zip(rows, cells, strict=True)
            )
            found.append(_Tested(column, contest, tuple(row.row for row in rows), papers))
    return found


def _papers_base(filled: FilledCard, row: ReportRow, number: int) -> FilledCell | None:
    """The cell of the row that the paper holds a row against, where that is another than here."""
    labels = {one.row.label: one.cells[number] for one in filled.rows}
    return labels.get(row.paper_reference or "")


def _papers(base: FilledCell, cell: FilledCell) -> float | None:
    """The paper's difference of the same two, as a share."""
    pair = (base.paper.number if base.paper else None, cell.paper.number if cell.paper else None)
    return None if pair[0] is None or pair[1] is None else pair[1] - pair[0]


def _standings(filled: FilledCard, tested: Sequence[_Tested]) -> Iterator[str]:
    """How all stand, the smallest that holds or what is left open, and what is passed over."""
    told = [*_by_column(filled, tested)]
    if len(told) == 1:
        (lead, contest), *_ = told
        yield standings(contest, lead)
    else:
        yield joint_standings(told)
    first = [one.contest for one in tested if one.column == tested[0].column]
    whole = names_of_rows(filled).get(filled.card.reference or "")
    large = [one for one in first if len(one.contenders) >= _MANY or one.reference == whole]
    # Where every network has one of its own beside it, none is the smallest: what all save is told.
    if large and (len(first) == 1 or any(len(one.contenders) > 1 for one in large)):
        by = _several_by(tested)
        if len(large) == 1:
            yield smallest_sentence(large[0], by, _but(large[0], tested))
        else:
            yield smallest_of(large, by)
        yield passed_over(large)
        return
    said = [fewer_bytes(first), left_open([one for _, one in told]) if len(told) > 1 else ""]
    if any(said):
        yield capital(f"{'; '.join(filter(None, said))}.")


def _by_column(filled: FilledCard, tested: Sequence[_Tested]) -> Iterator[tuple[str, Contest]]:
    """Contests with what leads to them: the column, where there are several, of the second only
    what differs, and what the rows do otherwise, where they say so.
    """
    columns = list(dict.fromkeys(one.column.heading for one in tested))
    stems = {heading.rpartition(", ")[0] for heading in columns}
    shared = stems.pop() if len(stems) == 1 else ""
    for number, heading in enumerate(columns):
        lead = heading if len(columns) > 1 else ""
        if number and shared:
            lead = lead.removeprefix(f"{shared}, ")
        of_column = [one for one in tested if one.column.heading == heading]
        ways = _by_way(filled, of_column)
        if ways is None:
            yield from ((lead, one.contest) for one in of_column)
            continue
        for way, contest in ways:
            yield f"{lead}, {way}" if lead else way, contest


def _but(contest: Contest, tested: Sequence[_Tested]) -> str:
    """By what other columns the smallest that holds is worse."""
    found = contest.smallest
    worse = [
        one.column.heading
        for one in tested
        for other in one.contest.having("worse")
        if one.column != tested[0].column and found is not None and other.name == found.name
    ]
    return f"is worse by {' and '.join(worse)}" if worse else ""


def _several_by(tested: Sequence[_Tested]) -> str:
    """The first column that is tested, where several are; else nothing, as it is plain."""
    headings = dict.fromkeys(one.column.heading for one in tested)
    return next(iter(headings), "") if len(headings) > 1 else ""


def _by_way(filled: FilledCard, tested: Sequence[_Tested]) -> list[tuple[str, Contest]] | None:
    """The same tests by what a row does otherwise than its reference; None: no row says so."""
    ways = {row.row.label: row.row.way for row in filled.rows}
    found: dict[tuple[str, str], list[Contender]] = {}
    models = {}
    for one in tested:
        for row, contender in zip(one.rows, one.contest.contenders, strict=True):
            if not row.way:
                return None
            reference = ways.get(filled.card.reference_of(row) or "", "")
            found.setdefault((row.way, reference), []).append(contender)
            models[row.way, reference] = one.contest.model
    return [
        (way, Contest(reference or "its reference", models[way, reference], tuple(contenders)))
        for (way, reference), contenders in found.items()
    ]


def _untested(filled: FilledCard) -> Iterator[str]:
    """Of cards without tests: how near to the paper's values, or how far the values reach."""
    for number, column in enumerate(filled.columns):
        cells = [(row.row.label, row.cells[number]) for row in filled.rows]
        both = [
            (label, cell.value, cell.paper.value)
            for label, cell in cells
            if cell.value is not None and cell.paper is not None
        ]
        if both:
            yield order_sentence(column.heading, column.unit, both)
            continue
        numbers = [(label, cell.number) for label, cell in cells if cell.number is not None]
        if numbers and column.unit in ("plain", "percent", "ratio") and not column.aside:
            yield _reach(
                column, [(label, number) for label, number in numbers if number is not None]
            )


def _reach(column: ReportColumn, numbers: Sequence[tuple[str, float]]) -> str:
    low, high = min(numbers, key=lambda at: at[1]), max(numbers, key=lambda at: at[1])
    shown = percent if column.unit == "percent" else "{:.3f}".format
    return (
        f"{capital(column.heading)}: all {len(numbers)} within {shown(low[1])} ({low[0]}) and "
        f"{shown(high[1])} ({high[0]})."
    )
