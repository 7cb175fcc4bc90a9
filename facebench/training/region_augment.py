"""Augmented face regions, warped from the training crop in one step so that no detail is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.faces.aligners import TemplateCrop
from facebench.faces.alignment import TEMPLATE_WIDTH
from facebench.faces.types import Image
from facebench.nets.regions import Region, cut, in_colour, region_matrix
from facebench.training.augment import Change, disturb, movement, warp_crop

_MIRROR = np.array([[-1.0, 0.0, TEMPLATE_WIDTH - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def region_change(region: Region) -> Change:
    """The augmentation of `facebench.training.augment`, followed by the cut of a region.

    The face is moved and mirrored before the region is cut, as an ensemble mirrors the whole
    canvas: a region left of the middle sees the right side of every other face, mirrored.
    """
    into = region_matrix(region)

    def change(crop: Image, rng: np.random.Generator) -> Image:
        moved = np.vstack([movement(rng), (0.0, 0.0, 1.0)])
        if rng.random() < 0.5:
            moved = _MIRROR @ moved
        face = disturb(warp_crop(crop, into @ moved, region.size), rng)
        return in_colour(face, region.colour)

    return change


def regions_of(crops: Image, region: Region) -> NDArray[np.uint8]:
    """A region of N×128×112×3 training crops as the embedder would cut it: uint8 N×h×w×3."""
    align = TemplateCrop()
    return cut(np.stack([align("", crop, region.canvas) for crop in crops]), region)
