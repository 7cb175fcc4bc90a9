"""Who pays for a smaller model: the change of every group's rates, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.comparison.groups.damage import GroupDamage
from facebench.figures.files import INK, plot_format, plot_style, save_figure
from facebench.figures.groups.layout import headed, labels_of_groups, left_margin, mark_few
from facebench.figures.labels import ruled
from facebench.figures.styles import COLOURS
from facebench.records.comparability import names_of
from facebench.statistics.groups.damage import GroupChange

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _ABOVE, _PANEL = 0.34, 1.9, 3.6  # inches: of a group, of what is above and below, wide


def save_damage_plot(found: Sequence[GroupDamage], path: Path) -> None:
    """One figure: changes of FMR and FNMR of every group, each candidate in its colour.

    UserError: another ending than PLOT_FORMATS; OSError: the file cannot be written.
    """
    plot_format(path)
    from matplotlib.figure import Figure

    first = found[0]
    groups = first.groups.names
    rows = len(groups) * max(1.0, 0.55 * len(found))
    base, *names = names_of([first.base, *(one.candidate for one in found)])
    p = [one.found.unequal.p_value for one in found]
    told = [
        name if value is None else f"{name} (unequal: p {_p(value)})"
        for name, value in zip(names, p, strict=True)
    ]
    size = (2 * _PANEL + left_margin(groups), rows * _ROW + _ABOVE)
    with plot_style():
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, 2)
        for number, kind in enumerate(("fmr", "fnmr")):
            changes = [getattr(one.found, kind) for one in found]
            _draw(panels[number], groups, changes, kind.upper(), names=not number)
        title = f"changes of error rates by {first.groups.column} against {base}, "
        title += f"at FMR {100 * first.target:g}%"
        headed(figure, first.base, title, told)
        save_figure(figure, path)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _draw(
    axes: Axes,
    groups: Sequence[str],
    of_candidates: Sequence[Sequence[GroupChange]],
    kind: str,
    *,
    names: bool,
) -> None:
    number = len(of_candidates)
    ends: list[float] = [0.0]
    for at, changes in enumerate(of_candidates):
        colour = COLOURS[at % len(COLOURS)]
        for group, change in enumerate(changes):
            y = group + (at - (number - 1) / 2) * 0.6 / max(number, 2)
            if change.found is None:
                axes.annotate("‡ no pairs", (0, y), xytext=(4, 0), textcoords="offset points",
                              va="center", color=INK)  # fmt: skip
                continue
            low, high = 100 * change.found.interval.low, 100 * change.found.interval.high
            told = change.resolvable
            axes.plot((low, high), (y, y), color=colour, linewidth=1.6, alpha=1 if told else 0.4)
            face = colour if told else "white"
            middle = 100 * change.found.estimate
            axes.plot(middle, y, "o", color=colour, markerfacecolor=face, markersize=6)
            if told:
                ends += [low, high]
            else:
                mark_few(axes, middle, y)
                ends.append(middle)
    room = 0.08 * ((max(ends) - min(ends)) or 1)
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_yticks(range(len(groups)), labels_of_groups(groups) if names else [""] * len(groups))
    axes.set_xlabel(f"change of {kind}, points (right: more errors)")
    ruled(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
