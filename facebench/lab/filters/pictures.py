"""The curve and the layers of a pruned network as pictures, labelled beside the lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facebench.base.errors import UserError
from facebench.figures.files import save_figure
from facebench.lab.filters.curve import Curve, Point, by_width, rank_correlation

FORMATS = (".png", ".svg", ".pdf")
_COLOURS = ("#1b6ca8", "#d1495b", "#5b8c5a", "#8d6a9f", "#c77f1a")
_COSTS = (
    ("parameters", "parameters"),
    ("multiply_adds", "multiply-adds"),
    ("latency", "latency"),
)


def draw_curves(curves: Sequence[Curve], picture: Path) -> None:
    """Filters removed against accuracy, of every curve, and against the first one's costs.

    Accuracy is of the protocols that the points were evaluated on; without any, only costs are
    drawn. UserError where there is nothing to draw or the file is no picture.
    """
    if not curves or not curves[0].points:
        raise UserError("no point to draw: `facebench prune --structured` writes them")
    protocols = sorted({name for c in curves for p in c.points for name in p.accuracy})
    figure, panels = _figure(picture, 1 + len(protocols))
    for axes, protocol in zip(panels, protocols, strict=False):
        for number, (curve, colour) in enumerate(zip(curves, _cycle(len(curves)), strict=True)):
            points = [p for p in curve.points if protocol in p.accuracy]
            values = [100 * p.accuracy[protocol] for p in points]
            _line(axes, points, values, curve.criterion, colour)
            # Beside each other: bars of points that several curves have would cover each other.
            _intervals(axes, points, protocol, colour, 0.4 * (number - (len(curves) - 1) / 2))
        axes.set(ylabel="accuracy, %", title=_accuracy_title(protocol, curves))
        _spread(axes)
    _costs(panels[-1], curves[0])
    for axes in panels:
        axes.set_xlabel("filters removed, % of all prunable")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(curves[0].model if len(curves) == 1 else curves[0].points[0].model)
    save_figure(figure, picture, dpi=150)


def draw_layers(curve: Curve, picture: Path) -> None:
    """Share of filters that each layer lost at the last point: in order, and by its width."""
    points = [p for p in curve.points if p.model in curve.removed and p.filters]
    if not points or not curve.layers:
        raise UserError("no layers to draw: `facebench prune --structured` writes them")
    last = points[-1]
    removed = curve.removed[last.model]
    shares = [100 * removed.get(name, 0.0) for name in curve.layers]
    counts = np.array(list(curve.layers.values()))
    figure, (left, right) = _figure(picture, 2)
    left.bar(range(len(shares)), shares, color=_COLOURS[0], width=0.85)
    left.set(xlabel="layer, input to output", ylabel="filters removed, %", ylim=(0, 100))
    top = left.twinx()
    top.plot(range(len(shares)), counts, color=_COLOURS[1], lw=1.2, drawstyle="steps-mid")
    top.set_yscale("log", base=2)
    top.set_ylabel("filters it had (line)", color=_COLOURS[1])
    top.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    right.scatter(counts, shares, s=14, alpha=0.45, color=_COLOURS[0], lw=0)
    widths = by_width(curve.layers, removed)
    means = [100 * width.removed for width in widths]
    right.plot([w.filters for w in widths], means, color=_COLOURS[1], lw=1.5, marker=".")
    right.annotate(
        "mean of layers\nof this width", (widths[-1].filters, means[-1]), (-6, 8),
        textcoords="offset points", ha="right", color=_COLOURS[1], fontsize=8,
    )  # fmt: skip
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    rank = rank_correlation(curve.layers, removed)
    told = "" if rank != rank else f" (rank correlation {rank:+.2f})"
    right.set(xlabel="filters the layer had", ylim=(0, 100), title=f"by width{told}")
    left.set_title(f"{100 * last.removed:.0f}% of all filters gone, by {curve.criterion}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.suptitle(curve.model)
    save_figure(figure, picture, dpi=150)


def _costs(axes: Any, curve: Curve) -> None:
    """Costs in per cent of the whole network's."""
    for (name, label), colour in zip(_COSTS, _cycle(len(_COSTS)), strict=True):
        points = [p for p in curve.points if getattr(p, name) == getattr(p, name)]
        if points:
            whole = getattr(points[0], name)
            values = [100 * getattr(p, name) / whole for p in points]
            _line(axes, points, values, label, colour)
    threads = sorted({point.threads for point in curve.points if point.threads})
    told = " and ".join(f"{n} thread{'s' * (n != 1)}" for n in threads)
    told = f"; latency at batch 1, {told}" if told else ""
    axes.set(
        ylabel="% of the whole network", title=f"costs by {curve.criterion}{told}", ylim=(0, None)
    )
    _spread(axes)


def _line(
    axes: Any, points: Sequence[Point], values: Sequence[float], label: str, colour: str
) -> None:
    shares = [100 * point.removed for point in points]
    axes.plot(shares, values, color=colour, marker=".", lw=1.6)
    if shares:
        axes.text(shares[-1], values[-1], f"  {label}", color=colour, va="center", fontsize=9)


def _intervals(
    axes: Any, points: Sequence[Point], protocol: str, colour: str, shift: float
) -> None:
    """The 95% intervals of the points as thin bars, where they are known; shift: to the right."""
    for point in points:
        if protocol in point.intervals:
            low, high = point.intervals[protocol]
            axes.vlines(
                100 * point.removed + shift, 100 * low, 100 * high, color=colour, lw=1, alpha=0.6
            )


def _accuracy_title(protocol: str, curves: Sequence[Curve]) -> str:
    known = any(protocol in point.intervals for curve in curves for point in curve.points)
    return f"{protocol}, bars: 95% intervals" if known else protocol


def _spread(axes: Any, least: float = 0.055) -> None:
    """Move labels apart that would cover each other, and leave room for them on the right."""
    low, high = axes.get_ylim()
    labels = sorted(axes.texts, key=lambda text: text.get_position()[1])
    before = -np.inf
    for text in labels:
        x, y = text.get_position()
        before = max(y, before + least * (high - low))
        text.set_position((x, before))
    start, end = axes.get_xlim()
    longest = max((len(text.get_text()) for text in labels), default=0)
    axes.set_xlim(start, end + (end - start) * 0.022 * longest)


def _cycle(count: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]


def _figure(picture: Path, panels: int) -> tuple[Any, list[Any]]:
    if picture.suffix not in FORMATS:
        raise UserError(f"{picture}: pictures are {', '.join(FORMATS)}")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4 * panels, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])
