"""Paired differences with their intervals, a row each: what a forest plot shows, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facebench.base.text import decimal
from facebench.comparison.paired import SMALLER_IS_BETTER, Paired
from facebench.figures.styles import LineStyle

_NARROW = 4.0  # how much wider than the others' typical interval an interval may be drawn


@dataclass(frozen=True)
class ForestRow:
    """One difference in points, its interval, and the mark of its verdict.

    against: the reference; told: whether the mark is a verdict; higher: whether more is better.
    """

    name: str
    difference: float
    interval: tuple[float, float] | None
    mark: str
    look: LineStyle
    against: str
    told: bool = True
    higher: bool = True


def forest_row(name: str, found: Paired, look: LineStyle, against: str) -> ForestRow:
    """The row of a paired difference."""
    ends = found.interval
    lower = found.statistic in SMALLER_IS_BETTER
    return ForestRow(
        f"{name} (lower is better)" if lower else name,
        100 * found.difference,
        None if ends is None else (100 * ends.low, 100 * ends.high),
        found.mark if found.judged and found.tested else "",
        look,
        against,
        found.judged and found.tested,
        not lower,
    )


def row_text(row: ForestRow) -> str:
    """``−0.23 [−0.83, +0.33] ≈``."""
    ends = "" if row.interval is None else f" [{', '.join(map(decimal, row.interval))}]"
    return f"{decimal(row.difference)}{ends} {row.mark}".rstrip()


def forest_ends(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Of the axis, in points: zero and all rows, and of an interval that is far wider than the
    others only a part.
    """
    ends = [row.interval for row in rows if row.interval is not None]
    values = [0.0, *(row.difference for row in rows)]
    widths = sorted(high - low for low, high in ends)
    most = _NARROW * widths[len(widths) // 2] if widths else 0.0
    for low, high in ends:
        values += [low, high] if high - low <= most else []
    low, high = min(values), max(values)
    room = 0.05 * ((high - low) or 1.0)
    return low - room, high + room
