"""Accuracy against compression as a figure, one panel per protocol and data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.text import points
from facebench.comparison.history import History, HistoryRun
from facebench.figures.files import INK, plot_format, plot_style, save_figure
from facebench.figures.labels import drawn_name, ruled, titled
from facebench.figures.places import mark_box, place_names, text_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _SHAPE = 6.75, 0.62  # inches, of one panel; its height to its width
_HELD, _FELL = "#0072B2", "#C24E00"  # as Okabe and Ito's, dark enough for letters
_MOST_LABEL, _LEAST_LABEL = 24, 8  # characters
_DAY = 24 * 60 * 60  # seconds
_POINT, _RING = 5.0, 9.5  # half of a point and of the ring of the first fall, in points of print


def save_history_plot(
    found: Sequence[History], path: Path, option: str = "--plot", width: float | None = None
) -> None:
    """Write the figure: PNG, SVG or PDF by the ending; what models take is logarithmic and falls to
    the right, dates and runs go on to the right.

    Runs that fell significantly have another shape and colour; the first is named. width: inches,
    None: of a screen. UserError of the option: an ending that is none of these, no run whose place
    is known.
    """
    plot_format(path, option)  # before any work
    from matplotlib.figure import Figure

    drawn = [history for history in found if any(run.place for run in history.runs)]
    if not drawn:
        raise UserError(f"{option} {path}: no record tells its model's size")
    wide = width or _WIDTH
    with plot_style(width):
        figure = Figure(figsize=(wide, _SHAPE * wide * len(drawn)), layout="constrained")
        panels = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
        for axes, history in zip(panels, drawn, strict=True):
            _panel(axes, history)
        figure.draw_without_rendering()  # the axes get their size, which the labels need
        figure.set_layout_engine("none")
        for axes, history in zip(panels, drawn, strict=True):
            _labels(axes, history)
        save_figure(figure, path)


def not_drawn(found: Sequence[History]) -> list[str]:
    """One line for each run that a figure leaves out, and why."""
    return [
        f"not in the plot: {name} on {history.first.protocol.name} "
        f"({history.first.data.fingerprint}): its record does not tell its {history.axis.name}"
        for history in found
        for name, run in zip(history.names, history.runs, strict=True)
        if not run.place
    ]


def _panel(axes: Axes, history: History) -> None:
    runs = [run for run in history.runs if run.place]
    places = [_along(history, run) for run in runs]
    low, high = min(places), max(places)
    if history.axis.of_models:
        axes.set_xscale("log")
        axes.set_xlim(high * 1.25, low / (1.9 if low < high else 1.25))  # smaller to the right
    else:
        wide = (high - low) or 1.0
        axes.set_xlim(low - 0.06 * wide, high + 0.14 * wide)
    _runs_line(axes, runs, places)
    for run, place in zip(runs, places, strict=True):
        _point(axes, run, place)
    reference = 100 * history.runs[history.reference].value
    axes.axhline(reference, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    if history.axis.along == "date":
        _date_ticks(axes)
    elif history.axis.along == "run":
        _run_ticks(axes)
    else:
        _ticks(axes, history, low, high)
    axes.margins(y=0.12)
    axes.set_ylabel(f"{history.statistic} %")
    ruled(axes)
    _name_fall(axes, history)
    _title(axes, history)


def _along(history: History, run: HistoryRun) -> float:
    """Where a run is drawn; matplotlib counts dates in days."""
    return float(run.place or 0) / (_DAY if history.axis.along == "date" else 1)


def _date_ticks(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    where = AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(where)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(where))  # type: ignore[no-untyped-call]
    axes.set_xlabel("date (UTC)")


def _run_ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    axes.set_xlabel("run, in the order in which they were made")


def _runs_line(axes: Axes, runs: Sequence[HistoryRun], sizes: Sequence[float]) -> None:
    """The runs in their order, with the band that their intervals make."""
    axes.plot(sizes, [100 * run.value for run in runs], color="#9aa0a6", linewidth=1, zorder=1)
    order = sorted(range(len(runs)), key=lambda n: sizes[n])
    known = [n for n in order if runs[n].interval is not None]
    if len(known) == len({sizes[n] for n in known}) > 2:
        ends = [found for n in known if (found := runs[n].interval) is not None]
        axes.fill_between(
            [sizes[n] for n in known],
            [100 * end.low for end in ends],
            [100 * end.high for end in ends],
            color="#9aa0a6",
            alpha=0.15,
            linewidth=0,
            zorder=0,
        )


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
        markersize=6,
        capsize=2.5,
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
    in_bytes = history.axis.along == "bytes"
    unit, factor = ("MB", 1e6) if in_bytes else ("M", 1e6)
    if high < 1e6:
        unit, factor = ("kB" if in_bytes else "k"), 1e3
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda size, _: f"{size / factor:.3g} {unit}".rstrip())
    axes.set_xlabel(f"{history.axis.name}, fewer to the right (logarithmic)")


def _labels(axes: Axes, history: History) -> None:
    """The model's name beside each point, where it hides no other; the axes have their size."""
    named = [pair for pair in zip(history.names, history.runs, strict=True) if pair[1].place]
    fall = None if history.first_fall is None else history.runs[history.first_fall]
    boxes = [
        mark_box(
            axes,
            _along(history, run),
            100 * run.value,
            (100 * run.interval.low, 100 * run.interval.high) if run.interval else None,
            _RING if run is fall else _POINT,
        )
        for _, run in named
    ]
    place_names(
        axes,
        [_shortened(name) for name, _ in named],
        boxes,
        [_FELL if run.fell else _HELD for _, run in named],
        [text_box(axes, text) for text in axes.texts if text.get_gid() == "inside"],
    )


def _shortened(name: str) -> str:
    """A name that is not too long to be drawn; its end and what tells it from its likes stay."""
    name, opens, own = name.partition(" (")
    room = max(_MOST_LABEL - len(opens + own), _LEAST_LABEL)
    if len(name) > room:
        name = f"{name[: room // 2]}…{name[room // 2 + 1 - room :]}"
    return f"{name}{opens}{own}"


def _name_fall(axes: Axes, history: History) -> None:
    """Below the axes, with their title: what the ring is."""
    number = history.first_fall
    if number is None:
        axes.set_xlabel(f"{axes.get_xlabel()}\nno run fell significantly")
        return
    run = history.runs[number]
    assert run.against is not None
    if run.place:
        axes.plot(
            [_along(history, run)],
            [100 * run.value],
            marker="o",
            markersize=15,
            fillstyle="none",
            color=_FELL,
        )
    difference = points(run.against.difference)
    against = "the first run" if history.reference == 0 else history.versus
    words = f"first significant fall: {history.names[number]}, {difference} points"
    axes.set_xlabel(
        f"{axes.get_xlabel()}\n{drawn_name(f'◯ {words}')}\n{drawn_name(f'against {against}')}"
    )


def _title(axes: Axes, history: History) -> None:
    first = history.first
    protocol = f"{first.protocol.name} v{first.protocol.version}"
    title = (
        f"{history.statistic} of {protocol}, {first.data.fingerprint}, "
        f"{first.similarity.partition('(')[0]}; bars: 95% intervals"
    )
    titled(axes, title, first.data.kind == "synthetic")
