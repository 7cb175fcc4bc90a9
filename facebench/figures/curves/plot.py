"""ROC, DIR and CMC curves as a figure: PNG, SVG or PDF by the file's ending."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.figures.curves.curves import drawable
from facebench.figures.curves.layout import COLOURS, DrawnCurve, RocLayout, layout_of
from facebench.figures.files import plot_format, plot_style, save_figure
from facebench.figures.labels import drawn_name, mark_synthetic
from facebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 7.2, 4.8  # inches, of one panel
_GAP = 0.052  # between labels, as a share of the height


def save_roc_plot(tables: Sequence[Sequence[Record]], path: Path) -> None:
    """Write one figure with one panel per table, the FAR axis logarithmic.

    The panels of synthetic faces are labelled so. UserError for another ending than PLOT_FORMATS;
    OSError where the file cannot be written.
    """
    plot_format(path)  # before any work
    from matplotlib.figure import Figure

    with plot_style():
        drawn = [records for records in tables if drawable(records)]
        if not drawn:
            raise UserError(f"--plot {path}: these records have no curve to draw")
        figure = Figure(figsize=(_WIDTH, _HEIGHT * len(drawn)), layout="constrained")
        panels = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
        for axes, records in zip(panels, drawn, strict=True):
            _panel(axes, records)
        save_figure(figure, path)


def _panel(axes: Axes, records: Sequence[Record]) -> None:
    layout = layout_of(records)
    for number, curve in enumerate(layout.curves):
        if number == 0 or layout.shows_all_bands:
            _band(axes, layout, curve)
        _whiskers(axes, curve)
        axes.step(
            [*curve.far, layout.far_high],
            [*curve.tar, curve.tar[-1]],
            where="post",
            color=COLOURS[curve.colour],
            linestyle=(0, curve.dash) if curve.dash else "-",
            linewidth=1.8,
        )
    axes.set_xscale("log")
    axes.set_xlim(layout.far_low, layout.far_high)
    axes.set_ylim(layout.tar_low, 1 + 0.01 * (1 - layout.tar_low))
    axes.set_xlabel(layout.words.x)
    axes.set_ylabel(layout.words.y)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}")
    axes.xaxis.set_major_formatter(lambda far, _: f"{far:g}")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _mark_resolution(axes, layout)
    _label(axes, layout)
    _title(axes, records[0], layout.words.name)


def _band(axes: Axes, layout: RocLayout, curve: DrawnCurve) -> None:
    band = curve.band
    if band is None:
        return
    x = list(band.x)
    if curve.far[0] <= layout.far_low:  # what holds without false accepts holds from the edge on
        x[0] = layout.far_low
    axes.fill_between(x, band.low, band.high, color=COLOURS[curve.colour], alpha=0.16, linewidth=0)


def _whiskers(axes: Axes, curve: DrawnCurve) -> None:
    for one in curve.whiskers:
        middle = (one.low + one.high) / 2
        axes.errorbar(
            one.x,
            middle,
            yerr=(one.high - one.low) / 2,
            color=COLOURS[curve.colour],
            capsize=3,
            linewidth=1.2,
        )


def _mark_resolution(axes: Axes, layout: RocLayout) -> None:
    if layout.resolution is None:
        return
    axes.axvspan(layout.far_low, layout.resolution, color="#000000", alpha=0.07, linewidth=0)
    axes.axvline(layout.resolution, color="#555555", linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        f"1 / {layout.nonmated:,}: {layout.words.finest}",
        (layout.resolution, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
        color="#555555",
        fontsize=9,
    )


def _label(axes: Axes, layout: RocLayout) -> None:
    from matplotlib.patheffects import withStroke

    if not layout.direct(_GAP):
        _key(axes, layout)
        return
    positions = layout.label_positions(_GAP)
    for curve, position in zip(layout.curves, positions, strict=True):
        label = axes.annotate(
            drawn_name(curve.label),
            (0, layout.tar_low + position * (1 - layout.tar_low)),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[curve.colour],
            fontweight="bold",
            zorder=5,
        )
        label.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _key(axes: Axes, layout: RocLayout) -> None:
    """Lines and names in the lower right corner, which curves leave empty."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D(
            [], [], color=COLOURS[c.colour], linestyle=(0, c.dash) if c.dash else "-", linewidth=1.8
        )
        for c in layout.key
    ]
    names = [drawn_name(c.label) for c in layout.key]
    axes.legend(lines, names, loc="lower right", frameon=False, handlelength=3)


def _title(axes: Axes, record: Record, name: str) -> None:
    protocol = f"{record.protocol.name} v{record.protocol.version}"
    title = drawn_name(f"{name} of {protocol}, {record.data.fingerprint}")
    axes.set_title(title, loc="left", fontsize=10)
    if record.data.kind == "synthetic":
        mark_synthetic(axes, height=0.3, alpha=0.35)
