"""The points that a table of a report draws: accuracy against size, ours and the paper's."""

from __future__ import annotations

from facebench.figures.sizes import SizePoint
from facebench.reports.cells import FilledCard, FilledCell, FilledRow


def rate_column(filled: FilledCard) -> int | None:
    """Which column is drawn: the first share of a protocol, or else the first share there is."""
    shares = [n for n, column in enumerate(filled.columns) if column.unit == "percent"]
    return min(shares, key=lambda n: filled.columns[n].protocol is None, default=None)


def size_points(filled: FilledCard) -> list[SizePoint]:
    """Points of `rate_column` against the compression ratio, ours before the paper's; none where
    nothing was measured or a column is lacking.
    """
    rate = rate_column(filled)
    ratios = [n for n, c in enumerate(filled.columns) if c.statistic == "compression_ratio"]
    if rate is None or not ratios:
        return []
    ours = [p for row in filled.rows if (p := _ours(row, row.cells[rate], row.cells[ratios[0]]))]
    if not ours:
        return []
    papers = (_papers(row, row.cells[rate], row.cells[ratios[0]]) for row in filled.rows)
    return [*ours, *(point for point in papers if point)]


def _ours(row: FilledRow, rate: FilledCell, ratio: FilledCell) -> SizePoint | None:
    if rate.number is None or not ratio.number:
        return None
    found = rate.measured.interval if rate.measured else None
    ends = (found.low, found.high) if found else None
    return SizePoint(row.row.model or row.row.label, ratio.number, rate.number, ends, False)


def _papers(row: FilledRow, rate: FilledCell, ratio: FilledCell) -> SizePoint | None:
    value = rate.paper.number if rate.paper else None
    share = ratio.paper.number if ratio.paper else None
    if value is None or not share:
        return None
    return SizePoint(row.row.model or row.row.label, share, value, None, True)
