"""Paired differences with their intervals, a row each: what a forest plot shows, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.text import decimal
from facebench.comparison.compare import Comparison
from facebench.comparison.paired import SMALLER_IS_BETTER, Paired
from facebench.figures.files import INK, font_size, plot_format, plot_style, save_figure
from facebench.figures.labels import drawn_name, ruled, titled
from facebench.figures.styles import LineStyle, Styles
from facebench.records.comparability import names_of
from facebench.records.statistics import statistic_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HALF = 6.75, 4.5  # inches; what is less has few numbers on its axis
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


def save_forest_plot(
    rows: Sequence[ForestRow],
    path: Path,
    title: str,
    *,
    synthetic: bool,
    width: float | None = None,
) -> None:
    """Write the figure: PNG, SVG or PDF by the ending; of every row the name on the left, the
    numbers on the right.

    width: inches, None: of a screen. UserError: another ending, or no row; OSError: the file cannot
    be written.
    """
    plot_format(path)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not rows:
        raise UserError(f"--plot {path}: nothing paired can be told of these records")
    wide = width or _WIDTH
    with plot_style(width):
        size = font_size()
        height = (len(rows) * 2.1 + 6.5) * size / 72 * 1.25
        figure = Figure(figsize=(wide, height), layout="constrained")
        axes = figure.subplots()
        low, high = forest_ends(rows)
        for y, row in enumerate(rows):
            _draw_row(axes, y, row, low, high)
        axes.axvline(0, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(3 if wide < _HALF else 6))
        several = len({row.against for row in rows}) > 1
        names = [f"{r.name}\nagainst {r.against}" if several else r.name for r in rows]
        axes.set_yticks(range(len(rows)), list(map(drawn_name, names)))
        axes.set_xlabel(ways_of(rows).replace(": ", "\n"))
        ruled(axes, "x")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        numbers = axes.secondary_yaxis("right")
        numbers.set_yticks(range(len(rows)), list(map(row_text, rows)))
        numbers.tick_params(axis="y", length=0, colors=INK)
        numbers.spines["right"].set_visible(False)
        against = "" if several else f", against {rows[0].against}"
        titled(axes, f"{title}{against}", synthetic, whole=True)
        save_figure(figure, path)


def _draw_row(axes: Axes, y: float, row: ForestRow, low: float, high: float) -> None:
    colour = row.look.paint
    if row.interval is not None:
        ends = [min(max(end, low), high) for end in row.interval]
        axes.plot(ends, [y, y], color=colour, linewidth=1.4, zorder=2)
        for end, at, sign in zip(row.interval, ends, ("<", ">"), strict=True):
            marker = "|" if low <= end <= high else sign
            axes.plot([at], [y], marker, color=colour, markersize=6, clip_on=False, zorder=2)
    face = colour if row.told else "white"
    axes.plot([row.difference], [y], "o", color=colour, markerfacecolor=face, zorder=3)


def ways_of(rows: Sequence[ForestRow]) -> str:
    """What the axis says: on which side of zero what is better lies."""
    if all(row.higher for row in rows):
        return "difference, points: worse to the left, better to the right"
    return "difference, points"


def save_comparison_plot(
    compared: Sequence[Comparison], path: Path, width: float | None = None
) -> None:
    """The candidates' first statistic against the base; of a single one all of its statistics.

    Errors as `save_forest_plot`.
    """
    base, styles = compared[0].base, Styles()
    candidates = [one.candidate for one in compared]
    styles.meet(candidates)
    against, *names = names_of([base, *candidates])
    if len(compared) == 1:
        found = [one for one in compared[0].statistics if one.tested and one.resolvable]
        look = styles.look(candidates[0])
        rows = [forest_row(statistic_text(one.statistic), one, look, against) for one in found]
        what = names[0]
    else:
        firsts = [one.statistics[0] for one in compared]
        told = zip(names, firsts, candidates, strict=True)
        rows = [forest_row(n, f, styles.look(r), against) for n, f, r in told if f.tested]
        what = statistic_text(firsts[0].statistic)
    protocol = f"{base.protocol.name} v{base.protocol.version}, {base.data.fingerprint}"
    synthetic = base.data.kind == "synthetic"
    title = f"{what} on {protocol}; bars: {100 * _level(compared):g}% intervals"
    save_forest_plot(rows, path, title, synthetic=synthetic, width=width)


def _level(compared: Sequence[Comparison]) -> float:
    """Of the intervals."""
    ends = [one.interval for found in compared for one in found.statistics if one.interval]
    return ends[0].level if ends else 0.95
