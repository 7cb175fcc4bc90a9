"""Labels of drawings: names as matplotlib takes them, titles, free places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from facebench.base.text import printable
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.figures.files import INK, font_size

WARNING = "#8A1C00"  # of what must not be overlooked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of a label or point: two opposite corners, x, y, x, y, the lower numbers first.
Extent = tuple[float, float, float, float]


def hides(extent: Extent, taken: Iterable[Extent]) -> bool:
    """Whether an extent overlaps any that is taken."""
    return any(
        extent[0] < other[2]
        and other[0] < extent[2]
        and extent[1] < other[3]
        and other[1] < extent[3]
        for other in taken
    )


def drawn_name(text: str) -> str:
    """A name as matplotlib draws it: no formula, and nothing that cannot be printed."""
    return printable(text).replace("$", r"\$")


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in the same order of height, ``gap`` apart, within limits.

    Where all of them do not fit, they are closer than ``gap``.
    """
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], -index))
    placed = [0.0] * len(wanted)
    floor = low
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def ruled(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Thin grid lines below the data, and no frame beyond the axes."""
    axes.grid(visible=True, axis=axis, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(INK)
    axes.tick_params(colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)


def titled(axes: Axes, title: str, synthetic: bool, *, whole: bool = False) -> None:
    """Write above a panel what it shows, and above that that its faces are rendered.

    whole: begin at the edge of the figure, not of the panel.
    """
    from textwrap import wrap

    size = font_size()
    figure = axes.get_figure(root=True)
    assert figure is not None
    room = int(72 * figure.get_figwidth() / (0.6 * size))
    lines = wrap(title, room)
    own = wrap(SYNTHETIC_LABEL, room - 4) if synthetic else []
    above = 1.6 * size  # for the note on the finest rate, which stands at the axes
    for number, line in enumerate(reversed(lines)):
        _above(axes, drawn_name(line), above + 1.3 * size * number, INK, "normal", whole)
    for number, line in enumerate(reversed(own)):
        height = above + 1.3 * size * (len(lines) + number)
        _above(axes, line, height, WARNING, "bold", whole)


def _above(axes: Axes, words: str, points: float, colour: str, weight: str, whole: bool) -> None:
    axes.annotate(
        words,
        (0.01 if whole else 0, 1),
        xycoords=("figure fraction" if whole else "axes fraction", "axes fraction"),
        xytext=(0, points),
        textcoords="offset points",
        color=colour,
        fontweight=weight,
        va="bottom",
    )
