"""ROC, DIR and CMC curves as a figure: PNG, SVG or PDF by the file's ending."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.figures.curves.curves import drawable
from facebench.figures.curves.layout import DrawnCurve, RocLayout, layout_of
from facebench.figures.files import INK, font_size, plot_format, plot_style, save_figure
from facebench.figures.labels import drawn_name, ruled, titled
from facebench.figures.styles import COLOURS, OTHERS, Styles
from facebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_WIDTH, _SHAPE = 6.0, 0.72  # inches, of one panel; its height to its width
_KEY = 0.19  # inches, of a line of the key


def save_roc_plot(
    tables: Sequence[Sequence[Record]], path: Path, width: float | None = None
) -> None:
    """Write one figure with one panel per table, the FAR axis logarithmic.

    The panels of synthetic faces are labelled so. width: inches, None: of a screen. UserError for
    another ending than PLOT_FORMATS; OSError where the file cannot be written.
    """
    plot_format(path)  # before any work
    from matplotlib.figure import Figure

    drawn = [records for records in tables if drawable(records)]
    if not drawn:
        raise UserError(f"--plot {path}: these records have no curve to draw")
    looks, wide = Styles(), width or _WIDTH
    layouts = [layout_of(records, None, looks) for records in drawn]
    lines = sum(1 + -(-len(layout.key) // 2) for layout in layouts)
    with plot_style(width):
        figure = Figure(
            figsize=(wide, _SHAPE * wide * len(drawn) + _KEY * lines), layout="constrained"
        )
        panels = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
        for axes, records, layout in zip(panels, drawn, layouts, strict=True):
            _panel(axes, layout, records[0])
        save_figure(figure, path)


def _panel(axes: Axes, layout: RocLayout, first: Record) -> None:
    for curve in layout.curves:
        if layout.shows_intervals:
            _band(axes, layout, curve)
            _whiskers(axes, curve)
        standing = curve.look.colour is not None
        axes.step(
            [*curve.far, layout.far_high],
            [*curve.tar, curve.tar[-1]],
            where="post",
            color=curve.look.paint,
            linestyle=(0, curve.look.pattern) if curve.look.pattern else "-",
            linewidth=1.5 if standing else 0.8,
            zorder=3 if standing else 2,
        )
    axes.set_xscale("log")
    axes.set_xlim(layout.far_low, layout.far_high)
    axes.set_ylim(layout.tar_low, 1 + 0.01 * (1 - layout.tar_low))
    axes.set_xlabel(layout.words.x)
    axes.set_ylabel(layout.words.y_short)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}")
    axes.xaxis.set_major_formatter(lambda far, _: f"{far:g}")
    ruled(axes)
    _mark_resolution(axes, layout)
    _key(axes, layout)
    protocol = f"{first.protocol.name} v{first.protocol.version}"
    titled(axes, f"{layout.words.name} of {protocol}, {first.data.fingerprint}", layout.synthetic)


def _band(axes: Axes, layout: RocLayout, curve: DrawnCurve) -> None:
    band = curve.band
    if band is None:
        return
    x = list(band.x)
    if curve.far[0] <= layout.far_low:  # what holds without false accepts holds from the edge on
        x[0] = layout.far_low
    axes.fill_between(x, band.low, band.high, color=curve.look.paint, alpha=0.16, linewidth=0)


def _whiskers(axes: Axes, curve: DrawnCurve) -> None:
    for one in curve.whiskers:
        axes.errorbar(
            one.x,
            (one.low + one.high) / 2,
            yerr=(one.high - one.low) / 2,
            color=curve.look.paint,
            capsize=3,
            linewidth=1.2,
        )


def _mark_resolution(axes: Axes, layout: RocLayout) -> None:
    """The shaded rates that are finer than one false accept, named above the axes."""
    if layout.resolution is None:
        return
    axes.axvspan(layout.far_low, layout.resolution, color="#000000", alpha=0.07, linewidth=0)
    axes.axvline(layout.resolution, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"1 / {layout.nonmated:,}: {layout.words.finest}",
        (layout.resolution, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        color=INK,
        va="bottom",
    )


def _key(axes: Axes, layout: RocLayout) -> None:
    """Lines and names below the axes."""
    from matplotlib.transforms import ScaledTranslation

    several = len({curve.kind for curve in layout.key}) > 1
    names = [f"{c.label}, {c.kind}" if several else c.label for c in layout.key]
    lines = [_line(COLOURS[c.look.colour or 0], c.look.pattern) for c in layout.key]
    quiet = [curve for curve in layout.curves if curve.look.colour is None]
    if quiet:
        what = f"{len(quiet)} other{'s' * (len(quiet) > 1)}"
        kinds = {curve.kind for curve in quiet}
        names.append(f"{what}, {kinds.pop()}" if layout.kinds and len(kinds) == 1 else what)
        lines.append(_line(OTHERS, quiet[0].look.pattern))
    figure = axes.get_figure(root=True)
    assert figure is not None
    below = axes.transAxes + ScaledTranslation(0, -3.4 * font_size() / 72, figure.dpi_scale_trans)
    axes.legend(
        lines,
        list(map(drawn_name, names)),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        borderaxespad=0,
        frameon=False,
        handlelength=2.6,
        ncols=_columns(axes, names),
        labelspacing=0.3,
        columnspacing=1.2,
    )


def _columns(axes: Axes, names: Sequence[str]) -> int:
    """How many columns of the longest name fit."""
    size = font_size()
    letters = (axes.figure.bbox.width / axes.figure.dpi * 72 - 5 * size) / (0.62 * size)
    return max(1, min(len(names), int(letters // (max(map(len, names)) + 9))))


def _line(colour: str, pattern: tuple[float, ...]) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=(0, pattern) if pattern else "-", linewidth=1.5)
