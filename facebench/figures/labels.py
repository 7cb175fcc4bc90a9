"""Labels of drawings: names as matplotlib takes them, the mark of synthetic faces, free places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from facebench.base.text import printable
from facebench.base.vocabulary import SYNTHETIC_LABEL

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


def mark_synthetic(axes: Axes, height: float, alpha: float) -> None:
    """Write over a panel that its faces are rendered; height: of the words, a share of the axes."""
    axes.text(
        0.5,
        height,
        SYNTHETIC_LABEL.replace(" (", "\n("),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=17,
        fontweight="bold",
        color="#B00020",
        alpha=alpha,
        zorder=0,
    )
