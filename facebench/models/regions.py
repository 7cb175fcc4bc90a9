"""Face regions: boxes on the aligned face, the input that each becomes, and its colour.

A box is in template coordinates: pixels of the 112×96 face (x to the right, 0 to 96; y down, 0 to
112), edges and not centres, so that (0, 0, 96, 112) is the whole face. It is cut out of a *canvas*,
an aligned face of any size; one wider than the template's 6:7 has a margin left and right, and x
may then lie outside 0 to 96. There is no margin above and below (`facebench.faces.align.template`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from facebench.faces.align.template import template_frame

RegionColour = Literal["rgb", "grey", "red", "green", "blue"]
Side = Annotated[int, Field(ge=8, le=4096)]
Faces = NDArray[np.uint8]

CANVAS = (112, 112)  # the template at its own scale, with a margin of 8 left and right
_CHANNELS = ("red", "green", "blue")


class Region(BaseModel):
    """One region of the face.

    box: x0, y0, x1, y1 in template coordinates; its edges must fall on pixels of the canvas, so
    that nothing is interpolated twice. size: height and width of what is given to the network;
    colour: three channels (``rgb``), or one three times; canvas: height and width of the aligned
    face that it is cut from. ValueError (pydantic's) where the box is empty, off the canvas or
    between its pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    box: tuple[float, float, float, float]
    size: tuple[Side, Side] = (112, 96)
    colour: RegionColour = "rgb"
    canvas: tuple[Side, Side] = CANVAS

    @model_validator(mode="after")
    def _on_the_canvas(self) -> Self:
        left, top, right, bottom = edges = self._edges()
        height, width = self.canvas
        if not (left < right and top < bottom):
            raise ValueError("box is x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        if min(left, top) < 0 or right > width or bottom > height:
            scale, shift = template_frame(self.canvas)
            margin = shift / scale
            raise ValueError(
                f"box {_listed(self.box)} leaves the canvas, which spans x {0 - margin:g} to "
                f"{width / scale - margin:g} and y 0 to {height / scale:g} of the template"
            )
        if not all(edge.is_integer() for edge in edges):
            raise ValueError(
                f"the edges of box {_listed(self.box)} fall between pixels of the {height}x{width} "
                "canvas"
            )
        return self

    @property
    def pixels(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom edge on the canvas, in pixels."""
        left, top, right, bottom = (int(edge) for edge in self._edges())
        return left, top, right, bottom

    @property
    def signature(self) -> str:
        """The region in one word, for signatures."""
        (height, width), (tall, wide) = self.size, self.canvas
        return f"{_listed(self.box)}/{tall}x{wide}->{height}x{width}:{self.colour}"

    def _edges(self) -> tuple[float, ...]:
        scale, shift = template_frame(self.canvas)
        x0, y0, x1, y1 = self.box
        return (scale * x0 + shift, scale * y0, scale * x1 + shift, scale * y1)


def cut(faces: Faces, region: Region) -> Faces:
    """A region of canvases: uint8 N×H×W×3 RGB → uint8 N×h×w×3, C-contiguous.

    Averaged over areas where both sides shrink, bilinear otherwise, the pixels themselves where the
    box has the size already. ValueError where faces are not of the canvas size.
    """
    if faces.ndim != 4 or faces.shape[1:] != (*region.canvas, 3):
        raise ValueError(f"expected N×{region.canvas[0]}×{region.canvas[1]}×3, not {faces.shape}")
    left, top, right, bottom = region.pixels
    parts: Faces = faces[:, top:bottom, left:right]
    height, width = region.size
    if parts.shape[1:3] != region.size:
        shrinks = parts.shape[1] >= height and parts.shape[2] >= width
        import cv2  # late: lists of models need no picture

        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = np.empty((len(parts), height, width, 3), np.uint8)
        for row, part in enumerate(parts):
            resized[row] = cv2.resize(
                np.ascontiguousarray(part), (width, height), interpolation=how
            )
        parts = resized
    return in_colour(parts, region.colour)


def in_colour(faces: Faces, colour: RegionColour) -> Faces:
    """RGB faces in a region's colour, still with three channels: uint8 …×3 → uint8 …×3.

    Grey is the luma of ITU-R BT.601 as OpenCV rounds it.
    """
    if colour == "rgb" or not faces.size:
        return np.ascontiguousarray(faces)
    if colour == "grey":
        import cv2

        flat = np.ascontiguousarray(faces).reshape(-1, 1, 3)
        one: NDArray[Any] = cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY).reshape(faces.shape[:-1])
    else:
        one = faces[..., _CHANNELS.index(colour)]
    return np.repeat(one[..., None], 3, axis=-1)


def region_matrix(region: Region) -> NDArray[np.float64]:
    """Pixel centres of the template → pixel centres of the region's input: float64 2×3, x y.

    What `cut` does at the template's own scale, as one affine map that augmentation can follow.
    """
    x0, y0, x1, y1 = region.box
    height, width = region.size
    across, down = width / (x1 - x0), height / (y1 - y0)
    return np.array(
        [
            [across, 0.0, (0.5 - x0) * across - 0.5],
            [0.0, down, (0.5 - y0) * down - 0.5],
        ]
    )


def _listed(box: tuple[float, ...]) -> str:
    return ",".join(f"{edge:g}" for edge in box)
