"""Accuracy against compression as a figure, one panel per protocol and data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from facebench.base.errors import UserError
from facebench.base.text import points
from facebench.comparison.history import History, HistoryRun
from facebench.figures.files import plot_format, plot_style, save_figure
from facebench.figures.labels import Extent, drawn_name, hides, mark_synthetic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_WIDTH, _HEIGHT = 7.6, 4.6  # inches, of one panel
_HELD, _FELL, _GREY = "#0072B2", "#D55E00", "#555555"  # Okabe and Ito
_MOST_LABEL, _LEAST_LABEL, _LETTER = 24, 8, 6.0  # characters; points of print
_POINT, _RING = 5.0, 10.0  # half of what a point and the ring of the first fall take, likewise


def save_history_plot(found: Sequence[History], path: Path, option: str = "--plot") -> None:
    """Write the figure: PNG, SVG or PDF by the ending; kept size, logarithmic, falls to the right.

    Runs that fell significantly have another shape and colour; the first is named. UserError of the
    option: an ending that is none of these, no run whose size is known.
    """
    plot_format(path, option)  # before any work
    from matplotlib.figure import Figure

    drawn = [history for history in found if any(run.size for run in history.runs)]
    if not drawn:
        raise UserError(f"{option} {path}: no record tells its model's size")
    with plot_style():
        figure = Figure(figsize=(_WIDTH, _HEIGHT * len(drawn)), layout="constrained")
        panels = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
        for axes, history in zip(panels, drawn, strict=True):
            _panel(axes, history)
        figure.draw_without_rendering()  # the axes get their size, which the labels need
        for axes, history in zip(panels, drawn, strict=True):
            _labels(axes, history)
        save_figure(figure, path)


def not_drawn(found: Sequence[History]) -> list[str]:
    """One line for each run that a figure leaves out, and why."""
    return [
        f"not in the plot: {name} on {history.first.protocol.name} "
        f"({history.first.data.fingerprint}): its record does not tell its {history.measure}"
        for history in found
        for name, run in zip(history.names, history.runs, strict=True)
        if not run.size
    ]


def _panel(axes: Axes, history: History) -> None:
    runs = [run for run in history.runs if run.size]
    sizes = [float(run.size or 0) for run in runs]
    axes.set_xscale("log")
    low, high = min(sizes), max(sizes)
    axes.set_xlim(high * 1.25, low / (1.9 if low < high else 1.25))  # smaller models to the right
    axes.plot(sizes, [100 * run.value for run in runs], color="#bbbbbb", linewidth=1, zorder=1)
    for run, size in zip(runs, sizes, strict=True):
        _point(axes, run, size)
    reference = 100 * history.runs[history.reference].value
    axes.axhline(reference, color=_GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    _ticks(axes, history, low, high)
    axes.margins(y=0.12)
    axes.set_ylabel(f"{history.statistic} %")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _name_fall(axes, history)
    _title(axes, history)


def _point(axes: Axes, run: HistoryRun, size: float) -> None:
    colour, marker = (_FELL, "v") if run.fell else (_HELD, "o")
    below = above = 0.0
    if run.interval is not None:
        below = max(0.0, 100 * (run.value - run.interval.low))
        above = max(0.0, 100 * (run.interval.high - run.value))
    axes.errorbar(
        [size],
        [100 * run.value],
        yerr=[[below], [above]],
        color=colour,
        marker=marker,
        markersize=7,
        capsize=3,
        linewidth=1.4,
        zorder=3,
    )


def _ticks(axes: Axes, history: History, low: float, high: float) -> None:
    """Round numbers that are easy to read, at least two."""
    from matplotlib.ticker import FixedLocator, NullLocator

    exponents = range(-1, 13)
    steps = [m * 10.0**e for e in exponents for m in (1, 2, 5)]
    shown = [step for step in steps if low / 1.6 <= step <= high * 1.2]
    if len(shown) < 2:
        shown = sorted({low, high})
    unit, factor = ("MB", 1e6) if history.measure == "bytes" else ("M", 1e6)
    if high < 1e6:
        unit, factor = ("kB" if history.measure == "bytes" else "k"), 1e3
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda size, _: f"{size / factor:.3g} {unit}".rstrip())
    axes.set_xlabel(f"{history.measure}, fewer to the right (logarithmic)")


def _labels(axes: Axes, history: History) -> None:
    """The model's name beside each point, where it hides no other; the axes have their size."""
    named = [pair for pair in zip(history.names, history.runs, strict=True) if pair[1].size]
    runs = [run for _, run in named]
    fall = None if history.first_fall is None else history.runs[history.first_fall]
    bars = [_bar_extent(axes, run, _RING if run is fall else _POINT) for run in runs]
    taken = [*bars, *(_text_extent(axes, text) for text in axes.texts)]
    for (name, run), own in zip(named, bars, strict=True):
        name = _shortened(name)
        places = list(_places(axes, run, own, _LETTER * len(name)))
        free = (p for p in places if _inside(axes, p[2]) and not hides(p[2], taken))
        place, align, box = next(free, places[0])
        taken.append(box)
        axes.annotate(
            drawn_name(name),
            (float(run.size or 0), 100 * run.value),
            xytext=place,
            textcoords="offset points",
            ha=align,
            va="center",
            color=_FELL if run.fell else _HELD,
            fontweight="bold",
            fontsize=9,
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
        )


def _shortened(name: str) -> str:
    """A name that is not too long to be drawn; what tells it from its likes, in brackets, stays."""
    name, opens, own = name.partition(" (")
    room = max(_MOST_LABEL - len(opens + own), _LEAST_LABEL)
    return f"{name if len(name) <= room else f'{name[: room - 1]}…'}{opens}{own}"


def _bar_extent(axes: Axes, run: HistoryRun, half: float) -> Extent:
    """Left, bottom, right and top of a point with its interval, in points of print; half: of it."""
    low, high = (run.interval.low, run.interval.high) if run.interval else (run.value, run.value)
    scale = 72 / axes.figure.dpi
    x, bottom = axes.transData.transform((float(run.size or 0), 100 * low)) * scale
    top = axes.transData.transform((float(run.size or 0), 100 * high))[1] * scale
    middle = axes.transData.transform((float(run.size or 0), 100 * run.value))[1] * scale
    return x - half, min(bottom, middle - half), x + half, max(top, middle + half)


def _text_extent(axes: Axes, text: Text) -> Extent:
    """Left, bottom, right and top of a text that is there already, in points of print."""
    scale = 72 / axes.figure.dpi
    left, bottom, right, top = (scale * end for end in text.get_window_extent().extents)
    return left, bottom, right, top


def _places(
    axes: Axes, run: HistoryRun, own: Extent, width: float
) -> Iterator[tuple[tuple[float, float], Literal["left", "right", "center"], Extent]]:
    """Offset, alignment and box of the label: right, left, above the bar, below it, further up."""
    scale = 72 / axes.figure.dpi
    x, y = axes.transData.transform((float(run.size or 0), 100 * run.value)) * scale
    dx = 3 + (own[2] - own[0]) / 2
    for dy in (7, -7, 18, -18):
        yield (dx, dy), "left", (x + dx, y + dy - 6, x + dx + width, y + dy + 6)
        yield (-dx, dy), "right", (x - dx - width, y + dy - 6, x - dx, y + dy + 6)
    for end in (own[3] + 8, own[1] - 8, own[3] + 21, own[1] - 21):
        yield (0, end - y), "center", (x - width / 2, end - 6, x + width / 2, end + 6)


def _inside(axes: Axes, box: Extent) -> bool:
    scale = 72 / axes.figure.dpi
    inside: bool = axes.bbox.x0 * scale < box[0] and box[2] < axes.bbox.x1 * scale
    return inside


def _name_fall(axes: Axes, history: History) -> None:
    number = history.first_fall
    if number is None:
        axes.annotate(
            "no run fell significantly", (0.02, 0.04), xycoords="axes fraction", color=_GREY
        )
        return
    run = history.runs[number]
    assert run.against is not None
    if run.size:
        axes.plot(
            [run.size], [100 * run.value], marker="o", markersize=17, fillstyle="none", color=_FELL
        )
    difference = points(run.against.difference)
    axes.annotate(
        f"◯ first significant fall (▼): {history.names[number]}, {difference} points against "
        f"{'the first run' if history.reference == 0 else history.versus}".replace("$", r"\$"),
        (0.02, 0.04),
        xycoords="axes fraction",
        color=_FELL,
    )


def _title(axes: Axes, history: History) -> None:
    first = history.first
    protocol = f"{first.protocol.name} v{first.protocol.version}"
    title = (
        f"{history.statistic} of {protocol}, {first.data.fingerprint}, "
        f"{first.similarity.partition('(')[0]}; bars: 95% intervals"
    )
    axes.set_title(drawn_name(title), loc="left", fontsize=10)
    if first.data.kind == "synthetic":
        mark_synthetic(axes, height=0.5, alpha=0.3)
