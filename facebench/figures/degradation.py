"""Models over degradations as a figure: rows of pixels on a logarithmic axis, or one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facebench.comparison.degradation import (
    DegradationSweep,
    DegradedColumn,
    shown_interval,
    sweep_of,
)
from facebench.faces.degrade.names import JOIN, PROBE
from facebench.figures.files import plot_format, plot_style, save_figure
from facebench.figures.labels import drawn_name, ruled, spread, titled
from facebench.figures.styles import COLOURS, DASHES
from facebench.records.record import Record
from facebench.records.statistics import statistics_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = re.compile(r"\b(\d+)x(\d+)\b")  # of the crops, in what records say of the input
_USUAL = 112
_WIDTH, _SHAPE = 6.75, 0.64  # inches; height to width
_GAP = 0.06  # of labels, a share of the height
_APART = 0.012  # of the bars of neighbouring models, a share of the width


def degradation(records: Sequence[Record], plot: str | Path | None = None) -> DegradationSweep:
    """What models lose where faces are degraded, and how they compare there.

    Parameters
    ----------
    records : sequence of Record
        Of one protocol as it is and degraded, e.g. `evaluate_many` on ``["lfw", "lfw+28px",
        "lfw+14px"]``; the first model is the reference.
    plot : str or path, optional
        A figure of it: ``.png``, ``.svg`` or ``.pdf``.

    Returns
    -------
    DegradationSweep
        ``to_frame()`` has a row for every model and degradation: the protocol's first statistic
        with its interval, and the difference from the first model, paired.

    Raises
    ------
    UserError
        No records, or records of several protocols or data; two of one model and degradation; a
        plot of another ending.

    Examples
    --------
    >>> import facebench
    >>> records = facebench.evaluate_many(
    ...     ["baseline", "sparse_012"], ["lfw", "lfw+14px"], data, align="centre", progress=False
    ... )
    >>> found = facebench.degradation(records).to_frame()
    >>> found["degradation"].tolist()
    ['', '14px', '', '14px']
    """
    if plot is not None:
        plot_format(Path(plot), "plot")
    found = sweep_of(list(records))
    if plot is not None:
        save_degradation_plot(found, Path(plot))
    return found


def save_degradation_plot(found: DegradationSweep, path: Path, width: float | None = None) -> None:
    """Write the figure: PNG, SVG or PDF by the ending. width: inches, None: of a screen."""
    plot_format(path)
    from matplotlib.figure import Figure

    wide = width or _WIDTH
    with plot_style(width):
        figure = Figure(figsize=(wide, _SHAPE * wide), layout="constrained")
        axes = figure.subplots()
        _panel(axes, found)
        save_figure(figure, path)


def _panel(axes: Axes, found: DegradationSweep) -> None:
    rows = _rows_of(found)
    scale = "rows" if rows is not None else "one by one"
    ends: list[tuple[float, float]] = []
    for number in range(len(found.models)):
        places = _places(found, number) if rows is not None else list(range(len(found.columns)))
        ends.append(_line(axes, found, number, places, scale))
    _x_axis(axes, found, rows)
    first = found.records[0]
    axes.set_ylabel(f"{statistics_in(first)[0]} %")
    ruled(axes)
    axes.margins(y=0.06)
    _labels(axes, found, ends)
    title = (
        f"{found.protocol} v{first.protocol.version} on degraded faces, {first.data.fingerprint}; "
        "bars: 95% intervals"
    )
    titled(axes, title, first.data.kind == "synthetic")


def _rows_of(found: DegradationSweep) -> list[int] | None:
    """The rows of pixels of the degradations, None: they are not all of that alone."""
    told = [column.degradation for column in found.columns if column.degradation is not None]
    plain = all(len(one.steps) == 1 and one.rows is not None for one in told)
    return [one.rows or 0 for one in told] if told and plain else None


def _places(found: DegradationSweep, number: int) -> list[float]:
    """Rows of pixels of every column, of the faces as they are those of the model's crops."""
    record = next(c.records[number] for c in found.columns if c.records[number] is not None)
    assert record is not None
    size = _SIZE.search(record.model.preprocessing)
    whole = int(size[1]) if size else _USUAL
    told = [column.degradation for column in found.columns]
    return [float(whole if one is None else one.rows or whole) for one in told]


def _line(
    axes: Axes, found: DegradationSweep, number: int, places: Sequence[float], scale: str
) -> tuple[float, float]:
    """One model's line with its intervals, broken where there is no record; its last point."""
    several = len(found.models)
    aside = ((several - 1) / 2 - number) * _APART
    rows = scale == "rows"
    cells = list(zip(places, (column.records[number] for column in found.columns), strict=True))
    if rows:
        cells.sort(key=lambda one: -one[0])
    decades = len(found.columns) * 0.15
    x = [p * 10 ** (aside * decades) if rows else p - 8 * aside for p, _ in cells]
    ends = [_ends_of(record) for _, record in cells]
    y = [middle for _, middle, _ in ends]
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    axes.errorbar(
        x,
        y,
        yerr=[
            [middle - low for low, middle, _ in ends],
            [high - middle for _, middle, high in ends],
        ],
        color=COLOURS[number % len(COLOURS)],
        linestyle="none" if not rows else (0, dash) if dash else "-",
        marker="o",
        markersize=4.5,
        capsize=2.5,
        linewidth=1.5,
        elinewidth=1.0,
    )
    return [(a, b) for a, b in zip(x, y, strict=True) if not math.isnan(b)][-1]


def _ends_of(record: Record | None) -> tuple[float, float, float]:
    """Low end, value and high end in percent; NaN where there is no record."""
    if record is None:
        return (math.nan,) * 3
    headline = record.statistics.headline
    interval, value = shown_interval(headline), 100 * headline.value
    if interval is None:
        return value, value, value
    return min(value, 100 * interval.low), value, max(value, 100 * interval.high)


def _x_axis(axes: Axes, found: DegradationSweep, rows: Sequence[int] | None) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    if rows is None:
        names = [_on_lines(column.name) for column in found.columns]
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.3, len(found.columns) - 0.7)
        return
    whole = {place for n in range(len(found.models)) for place in _places(found, n)} - set(rows)
    ticks = sorted({*map(float, rows), *whole})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axes.set_xlim(max(ticks) * 1.15, min(ticks) / 1.12)  # harder faces to the right
    axes.set_xlabel("rows of pixels of the face, fewer to the right (logarithmic)")


def _on_lines(name: str) -> str:
    """A step below the other, so that neighbours have room."""
    return name.replace(JOIN, f"\n{JOIN}").replace(PROBE, f"\n{PROBE}")


def _labels(axes: Axes, found: DegradationSweep, ends: Sequence[tuple[float, float]]) -> None:
    """The model's name at the end of each line, a thin line to it where names had to move; of a
    model without the last records beside the last that it has.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    hardest = found.columns[-1].records
    if axes.get_xscale() == "log":
        hardest = min(found.columns[1:] or found.columns, key=_rows_left).records
    last = [number for number, record in enumerate(hardest) if record is not None]
    wanted = [(ends[number][1] - low) / (high - low) for number in last]
    placed = dict(zip(last, spread(wanted, _GAP, _GAP / 2, 1 - _GAP / 2), strict=True))
    for number, (x, value) in enumerate(ends):
        colour, name = COLOURS[number % len(COLOURS)], drawn_name(found.models[number])
        words: dict[str, Any] = {"color": colour}
        if number not in placed:
            axes.annotate(
                name, (x, value), xytext=(8, 0), textcoords="offset points", va="center", **words
            )
            continue
        axes.annotate(
            name,
            (1.0, (value - low) / (high - low)),
            xycoords="axes fraction",
            xytext=(1.035, placed[number]),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 0,
            },
            **words,
        )


def _rows_left(column: DegradedColumn) -> int:
    return (column.degradation.rows or 0) if column.degradation else _USUAL
