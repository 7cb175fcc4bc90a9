"""Error rates of groups with their intervals, and for people the matrix of pairs of groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facebench.base.text import percent
from facebench.figures.files import INK, plot_format, plot_style, save_figure
from facebench.figures.groups.layout import (
    cut,
    headed,
    labels_of_groups,
    left_margin,
    mark_few,
)
from facebench.figures.labels import drawn_name, ruled
from facebench.figures.styles import COLOURS
from facebench.records.comparability import names_of
from facebench.records.groups.sections import GroupPointSection, GroupRateSection, GroupsSection
from facebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _ABOVE, _PANEL = 0.34, 1.75, 3.6  # inches: of a group, of what is above and below, wide
_SIDE = 0.62  # inches of a cell of the matrix
_KINDS = (("FMR", "fmr_of"), ("FNMR", "fnmr_of"))


def save_group_plot(
    records: Sequence[Record],
    sections: Sequence[GroupsSection],
    target: float,
    path: Path,
) -> None:
    """One figure: FMR and FNMR of every group, a mark and its interval for each record, and, of one
    record whose groups are of people, the matrix. What is too few for a rate is hollow, with ‡.

    UserError: another ending than PLOT_FORMATS; OSError: the file cannot be written.
    """
    plot_format(path)
    from matplotlib.figure import Figure

    told = [section.point(target) for section in sections]
    points = [point for point in told if point is not None]
    first, section = records[0], sections[0]
    groups = len(section.names)
    with_matrix = len(records) == 1 and bool(points[0].matrix)
    rows = groups * max(1.0, 0.55 * len(records))
    margin = left_margin(section.names)
    width, height = 2 * _PANEL + margin, rows * _ROW + _ABOVE
    widths = [_PANEL, _PANEL]
    if with_matrix:
        side = groups * _SIDE + margin
        widths.append(side)
        width, height = width + side, max(height, groups * _SIDE + _ABOVE)
    with plot_style():
        figure = Figure(figsize=(width, height), layout="constrained")
        panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
        for number, (kind, field) in enumerate(_KINDS):
            rates = [getattr(point, field) for point in points]
            _draw_rates(panels[number], section, rates, kind, names=not number)
        overall = f"all pairs: FMR {percent(points[0].far)} %, FNMR {percent(points[0].fnmr)} %"
        title = f"error rates by {section.column} at FMR {100 * target:g}%"
        names = names_of(records)
        headed(figure, first, f"{title}; {overall}" if len(records) == 1 else title, names)
        if with_matrix:
            _draw_matrix(panels[2], section, points[0])
        save_figure(figure, path)


def _draw_rates(
    axes: Axes,
    section: GroupsSection,
    of_records: Sequence[Sequence[GroupRateSection]],
    kind: str,
    *,
    names: bool,
) -> None:
    groups, number = len(section.names), len(of_records)
    highest = 0.0
    for at, rates in enumerate(of_records):
        colour = COLOURS[at % len(COLOURS)]
        for group, rate in enumerate(rates):
            y = group + (at - (number - 1) / 2) * 0.6 / max(number, 2)
            if rate.value is None or rate.interval is None:
                axes.annotate("‡ no pairs", (0, y), xytext=(4, 0), textcoords="offset points",
                              va="center", color=INK)  # fmt: skip
                continue
            ends = 100 * rate.interval.low, 100 * rate.interval.high
            axes.plot(
                ends, (y, y), color=colour, linewidth=1.6, alpha=1 if rate.resolvable else 0.4
            )
            face = colour if rate.resolvable else "white"
            axes.plot(100 * rate.value, y, "o", color=colour, markerfacecolor=face, markersize=6)
            if not rate.resolvable:
                mark_few(axes, 100 * rate.value, y)
            highest = max(highest, ends[1] if rate.resolvable else 100 * rate.value)
    axes.set_xlim(0, 1.12 * highest if highest else 1)
    axes.set_ylim(groups - 0.5, -0.5)
    axes.set_yticks(range(groups), labels_of_groups(section.names) if names else [""] * groups)
    axes.set_xlabel(f"{kind} %")
    ruled(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_matrix(axes: Axes, section: GroupsSection, point: GroupPointSection) -> None:
    """Cells with enough pairs are coloured by their FMR; others are hatched, and keep no colour."""
    from matplotlib.patches import Rectangle

    k = len(section.names)
    values = np.full((k, k), np.nan)
    for a, row in enumerate(point.matrix):
        for b, rate in enumerate(row):
            if rate.resolvable and rate.value is not None:
                values[a, b] = 100 * rate.value
    top = float(np.nanmax(values)) if not np.isnan(values).all() else 1.0
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=max(top, 1e-9) * 1.15)
    for a, row in enumerate(point.matrix):
        for b, rate in enumerate(row):
            if np.isnan(values[a, b]):
                cell = Rectangle((b - 0.5, a - 0.5), 1, 1, facecolor="white", edgecolor="#bbbbbb",
                                 hatch="////", linewidth=0)  # fmt: skip
                axes.add_patch(cell)
            text = "‡" if np.isnan(values[a, b]) or rate.value is None else percent(rate.value)
            dark = not np.isnan(values[a, b]) and values[a, b] > 0.7 * top
            axes.text(b, a, text, ha="center", va="center", fontsize=8.5,
                      color="white" if dark else "black",
                      bbox=None if text != "‡" else {"facecolor": "white", "edgecolor": "none",
                                                     "pad": 1.5})  # fmt: skip
    names = labels_of_groups(section.names)
    short = [drawn_name(cut(name, 12)) for name in section.names]
    axes.set_xticks(range(k), short, rotation=90 if max(map(len, short)) > 6 else 0)
    axes.set_yticks(range(k), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    few = "\n‡ too few pairs to tell" if np.isnan(values).any() else ""
    axes.set_xlabel(f"FMR % of pairs of two groups{few}")
