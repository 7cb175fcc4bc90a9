"""A picture of a card's regions: where each lies on the face, and what its network is given."""

from __future__ import annotations

import io
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.align.aligners import TemplateCrop
from facebench.faces.synthetic.render import render
from facebench.models.cards.card import ModelCard
from facebench.models.regions import Region, cut

_COLUMNS = 5
_RENDERED = (0, 29, 10)  # a frontal, well-lit face
_COLOURS = {"rgb": "#e69f00", "grey": "#999999", "red": "#d62728", "green": "#2ca02c",
            "blue": "#1f77b4"}  # fmt: skip


def regions_picture(card: ModelCard, face: NDArray[np.uint8] | None = None) -> bytes:
    """A PNG of all regions of an ensemble, or of a member's one.

    face: uint8 H×W×3, an aligned face as `TemplateCrop` takes it; None: a rendered one.
    UserError where the card has no regions.
    """
    regions = dict(card.regions) or ({card.name: card.region} if card.region else {})
    if not regions:
        raise UserError(f"model {card.name!r} sees the whole face: its card has no regions to draw")
    if face is None:
        face = render(*_RENDERED)
    columns = min(_COLUMNS, len(regions))
    rows = math.ceil(len(regions) / columns)
    figure = Figure(figsize=(2.9 * columns, 1.9 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 2 * columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for place, (name, region) in enumerate(regions.items()):
        row, column = divmod(place, columns)
        _draw(grid[row, 2 * column], grid[row, 2 * column + 1], name, region, face)
    figure.suptitle(f"{card.name}: regions of the aligned face, and the networks' inputs")
    buffer = io.BytesIO()
    # Without the version of matplotlib in it the same card gives the same bytes.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _draw(where: Axes, what: Axes, name: str, region: Region, face: NDArray[np.uint8]) -> None:
    canvas = TemplateCrop()("", face, region.canvas)
    left, top, right, bottom = region.pixels
    where.imshow(canvas)
    frame = Rectangle(
        (left - 0.5, top - 0.5), right - left, bottom - top,
        fill=False, linewidth=2.5, edgecolor=_COLOURS[region.colour],
    )  # fmt: skip
    frame.set_clip_on(False)
    where.add_patch(frame)
    where.set_title(name, fontsize=9, loc="left")
    what.imshow(cut(canvas[None], region)[0])
    height, width = region.size
    what.set_title(f"{height}×{width} {region.colour}", fontsize=8, loc="right")
