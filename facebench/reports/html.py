"""Reports as one self-contained page: its own small script and nothing else may run in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from facebench.figures.curves.curves import curve_names, drawable
from facebench.figures.pages.bars import bars_svg
from facebench.figures.pages.drawings import (
    Contrast,
    Drawing,
    curve_drawing,
    forest_drawing,
    size_drawing,
    sizes_of,
)
from facebench.figures.pages.sizes import BYTES, RATIO, SizePoint
from facebench.figures.styles import OTHER_STYLE, Styles, kind_of
from facebench.reports.cells import FilledCard, FilledCell, FilledRow
from facebench.reports.missing import not_yet, on_photographs, orders_of
from facebench.reports.table import heading_text, report_table
from facebench.tables.html import TEMPLATES, page
from facebench.tables.table import Table

_BARS = ("rank of the weight's magnitude, twentieths", "share")


@dataclass(frozen=True)
class ReportSection:
    """What the page has of one data set. commands: that make what is missing; where: on what faces;
    others: what no command makes.
    """

    table: Table
    drawings: Sequence[Drawing]
    commands: tuple[str, ...]
    where: str
    others: tuple[str, ...]


def report_html(
    filled: Sequence[FilledCard], title: str, data: str | None = None, index: str | None = None
) -> str:
    """The page: per table its rows (each opens), notes, figures, and what is missing.

    data: the --data of the commands for real faces; index: a page beside it that it links to.
    """
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return page(
        "report.html",
        policy=policy_for(script),
        sections=[
            _section(one, drawn, data)
            for one, drawn in zip(filled, drawings_of_cards(filled), strict=True)
        ],
        title=title,
        index=index,
        script=Markup(script),
    )


def policy_for(script: str) -> str:
    """A content security policy under which this script runs and nothing is loaded."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _section(filled: FilledCard, drawn: Sequence[Drawing], data: str | None) -> ReportSection:
    return ReportSection(
        report_table(filled),
        drawn,
        tuple(order.command for order in orders_of([filled], data)),
        on_photographs(filled, data),
        tuple(not_yet([filled])),
    )


def drawings_of_cards(filled: Sequence[FilledCard]) -> list[list[Drawing]]:
    """Those of every card of a page, on which a model has one colour."""
    styles = Styles()
    return [list(_of_card(card, styles)) for card in filled]


def _of_card(filled: FilledCard, styles: Styles) -> Iterator[Drawing]:
    styles.meet(filled.records)
    if contrasts := _contrasts(filled):
        yield forest_drawing(contrasts, styles)
    yield from _sizes(filled, styles)
    for protocol in filled.card.protocols:
        records = filled.records_of(protocol)
        for at, name in enumerate(curve_names(records[0]) if records and drawable(records) else ()):
            title = f"{records[0].protocol.title}, {records[0].data.fingerprint}"
            yield curve_drawing(records, name, title, styles, more=at > 0)
    for row in filled.rows:
        for cell in row.cells:
            if cell.bars:
                caption = f"{row.row.label}: {cell.column.heading}."
                yield Drawing(bars_svg(cell.bars, caption, _BARS), caption)


def _contrasts(filled: FilledCard) -> list[Contrast]:
    """All that the table tells, by row; the similarity is named where columns differ in it."""
    rows = {row.row.label: row for row in filled.rows}
    found = []
    for row in filled.rows:
        base = rows.get(filled.card.reference_of(row.row) or "")
        for number, cell in enumerate(row.cells):
            reference = base.cells[number].record if base else None
            if cell.paired and cell.paired.tested and cell.record and reference:
                found.append(Contrast(_name(row), cell.paired, cell.record, reference))
    kinds = [kind_of(one.candidate) for one in found]
    if len(set(kinds)) < 2:
        return found
    return [
        replace(one, name=f"{one.name}, {kind}") for one, kind in zip(found, kinds, strict=True)
    ]


def _sizes(filled: FilledCard, styles: Styles) -> Iterator[Drawing]:
    """Accuracy against the compression ratio where the card has it, else against bytes; the other
    sizes that differ are folded.
    """
    rate = rate_column(filled)
    if rate is None or not filled.card.plot:
        return
    words = heading_text(filled.columns[rate])
    synthetic = filled.kind == "synthetic"
    shown = False
    if points := size_points(filled, styles):
        shown = True
        yield size_drawing(points, words, RATIO, filled.title, synthetic=synthetic, more=False)
    cells = [(row, row.cells[rate]) for row in filled.rows]
    ours = [(row, cell, cell.record) for row, cell in cells if cell.record]
    for axis, sizes in sizes_of([record for *_, record in ours]).items():
        points = [
            _point(_name(row), size, cell, styles)
            for (row, cell, _), size in zip(ours, sizes, strict=True)
            if size
        ]
        if len({point.size for point in points}) > 1:
            more = shown or axis != BYTES
            yield size_drawing(points, words, axis, filled.title, synthetic=synthetic, more=more)


def rate_column(filled: FilledCard) -> int | None:
    """Which column is drawn: the first share of a protocol, or else the first share there is."""
    shares = [n for n, column in enumerate(filled.columns) if column.unit == "percent"]
    return min(shares, key=lambda n: filled.columns[n].protocol is None, default=None)


def size_points(filled: FilledCard, styles: Styles) -> list[SizePoint]:
    """Points of `rate_column` against the compression ratio, ours before the paper's; none where
    nothing was measured or a column is lacking.
    """
    rate = rate_column(filled)
    ratios = [n for n, c in enumerate(filled.columns) if c.statistic == "compression_ratio"]
    if rate is None or not ratios:
        return []
    cells = [(row, row.cells[rate], row.cells[ratios[0]]) for row in filled.rows]
    ours = [
        _point(_name(row), ratio.number, cell, styles)
        for row, cell, ratio in cells
        if cell.number is not None and ratio.number
    ]
    if not ours:
        return []
    papers = [
        SizePoint(_name(row), ratio.paper.number, cell.paper.number, None, OTHER_STYLE, paper=True)
        for row, cell, ratio in cells
        if cell.paper and cell.paper.number is not None and ratio.paper and ratio.paper.number
    ]
    return [*ours, *papers]


def _point(name: str, size: float, cell: FilledCell, styles: Styles) -> SizePoint:
    found = cell.measured.interval if cell.measured else None
    ends = (found.low, found.high) if found else None
    look = styles.look(cell.record) if cell.record else OTHER_STYLE
    assert cell.number is not None
    return SizePoint(name, size, cell.number, ends, look)


def _name(row: FilledRow) -> str:
    return row.row.model or row.row.label
