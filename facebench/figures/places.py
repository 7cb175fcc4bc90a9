"""Names beside the points of a matplotlib panel, placed as those of pages are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facebench.figures.files import font_size
from facebench.figures.labels import Extent, drawn_name
from facebench.figures.pages.place import place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_PLACED = 12.0  # the size of letters for which places are found, in units


def mark_box(
    axes: Axes, x: float, y: float, ends: tuple[float, float] | None, half: float
) -> Extent:
    """What a point and its interval take, in pixels, upside down as pages are; half: of the point,
    in points of print.
    """
    half *= axes.figure.dpi / 72
    middle, height = axes.transData.transform((x, y))
    low, high = (axes.transData.transform((x, end))[1] for end in ends or (y, y))
    top, bottom = max(high, height + half), min(low, height - half)
    return float(middle - half), float(-top), float(middle + half), float(-bottom)


def text_box(axes: Axes, text: Text) -> Extent:
    """What a text takes, likewise."""
    left, bottom, right, top = (float(end) for end in text.get_window_extent().extents)
    return left, -top, right, -bottom


def place_names(
    axes: Axes,
    names: Sequence[str],
    boxes: Sequence[Extent],
    colours: Sequence[str],
    taken: Sequence[Extent] = (),
    also: Sequence[Extent] = (),
) -> None:
    """Write the names of marks where they hide nothing, with a line to those that stand apart.

    boxes: of `mark_box`, of every name one; also: of marks without names. The axes have their final
    size and limits.
    """
    size = font_size()
    scale = size * axes.figure.dpi / 72 / _PLACED  # pixels to a unit
    area = axes.get_window_extent()
    edges = (area.x0 + 2, -area.y1 + 2, axes.figure.bbox.x1 - 2, -area.y0 - 2)
    units = [_scaled(box, scale) for box in (*boxes, *also)]
    widths = [_width(axes, name, size) / scale for name in names]
    labels = place_labels(
        units, widths, _scaled(edges, scale), [_scaled(box, scale) for box in taken]
    )
    back = axes.transAxes.inverted()
    for name, colour, label in zip(names, colours, labels, strict=True):
        if label is None:
            continue
        if label.leader:
            x1, y1, x2, y2 = (scale * end for end in label.leader)
            (ax, ay), (bx, by) = back.transform([(x1, -y1), (x2, -y2)])
            axes.plot(
                [ax, bx], [ay, by], transform=axes.transAxes, color=colour, linewidth=0.6,
                clip_on=False, gid="leader",
            )  # fmt: skip
        x, y = back.transform((scale * label.x, -scale * label.y))
        words = axes.text(x, y, drawn_name(name), transform=axes.transAxes, color=colour, zorder=5)
        words.set_gid("name")


def _scaled(box: Extent, scale: float) -> Extent:
    return box[0] / scale, box[1] / scale, box[2] / scale, box[3] / scale


def _width(axes: Axes, name: str, size: float) -> float:
    """Of a name, in pixels."""
    text = axes.text(0, 0, drawn_name(name), fontsize=size)
    width = text.get_window_extent().width
    text.remove()
    return float(width)
