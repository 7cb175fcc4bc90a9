"""Rules that need no detector: landmarks from a file, fixed crops, and none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.faces.align.landmarks import ORDERS, impossible, impossible_remark, read_landmarks
from facebench.faces.align.template import (
    TEMPLATE_WIDTH,
    Matrix,
    WarpedAligner,
    share_inside,
    similarity_transform,
    template_frame,
    warp,
)
from facebench.faces.images import without_ending
from facebench.faces.lfw.lists import some
from facebench.faces.types import Aligner, Image

# Means over the landmarks of all 13,233 LFW images (in 250×250; the same file that is measured
# with the landmarks rule): where the face of an image that is centred like LFW's lies.
LFW_SIDE = 250
LFW_MEAN_LANDMARKS = (
    (104.669, 112.486),
    (145.090, 111.726),
    (124.850, 136.512),
    (107.596, 157.144),
    (143.560, 156.729),
)
# The share of a crop that must be in its image. Faces at the margin reach beyond it a little; with
# less than half inside, image and landmarks do not belong together.
INSIDE = 0.5
# Size (h, w) of a crop whose margins around the 112×96 template are known: left and upper margin.
# Every other size is taken for a crop of the template scaled to it.
_MARGINS = {(128, 112): (8, 8)}


class LandmarkAligner(WarpedAligner):
    """Least-squares similarity from five landmarks per image to the template.

    ``landmarks``: 5×2 points by key, in pixels of that image; ``digest`` names their origin.
    A key without landmarks is a UserError, or with ``on_missing="count"`` a failure to acquire.
    published: the points are a protocol's own, and are taken as they are; of others, what can be no
    face is a failure to acquire: points that are none from any side, or a crop of which less than
    half is in its image.
    """

    def __init__(
        self,
        landmarks: Mapping[str, NDArray[np.float64]],
        digest: str,
        on_missing: str = "error",
        published: bool = False,
    ) -> None:
        self.landmarks, self.on_missing = dict(landmarks), on_missing
        self.published = published
        self.signature = f"landmarks-5pt({digest[:8]})->similarity"
        self._impossible: frozenset[str] = frozenset()

    @classmethod
    def from_file(
        cls, path: str | Path, on_missing: str = "error", order: str = ORDERS[0]
    ) -> LandmarkAligner:
        """Landmarks from a file of rows of key and ten numbers in an order, separated by tabs.

        UserError with file and line, see `read_landmarks`.
        """
        path = Path(path)
        aligner = cls(read_landmarks(path, order), digest := sha256_file(path), on_missing)
        if order != ORDERS[0]:
            aligner.signature = f"landmarks-5pt({digest[:8]},{order})->similarity"
        return aligner

    def require(self, keys: Sequence[str]) -> None:
        """Look at all faces that are to be cut: UserError with the first few and their number where
        images have no landmarks; what can be no face is remarked. A row may name the image with
        another ending than it has.
        """
        self._take_other_endings(keys)
        if not self.published and (wrong := impossible(self.landmarks, keys)):
            self._impossible = frozenset(wrong)
            self.remarks = (impossible_remark(wrong, len(set(keys))),)
        self._require_landmarks(keys)

    def _take_other_endings(self, keys: Sequence[str]) -> None:
        without = set(keys) - self.landmarks.keys()
        if not without:
            return
        known: dict[str, list[str]] = {}
        for name in self.landmarks:
            known.setdefault(without_ending(name), []).append(name)
        for key in without:
            if len(names := known.get(without_ending(key), [])) == 1:
                self.landmarks[key] = self.landmarks[names[0]]

    def _require_landmarks(self, keys: Sequence[str]) -> None:
        missing = sorted(set(keys) - self.landmarks.keys())
        if missing and self.on_missing == "error":
            raise UserError(
                f"{some(missing)} of {len(set(keys))} images have no row in the landmarks file; "
                "complete it, or count them as failures to acquire with --on-missing count"
            )

    def matrix(self, key: str, image: Image, size: tuple[int, int]) -> Matrix | None:
        """See `WarpedAligner`; None: no landmarks, where these are counted, or no face."""
        points = self.landmarks.get(key)
        if points is None:
            self._require_landmarks([key])
            return None
        if key in self._impossible:
            return None
        matrix = similarity_transform(points, size)
        if not self.published and share_inside(matrix, size, image.shape[:2]) < INSIDE:
            return None
        return matrix


class CentreCrop(WarpedAligner):
    """One similarity for all images that are centred as LFW's are: its mean landmarks.

    It is scaled with the shorter side of the image and stays about its centre.
    """

    signature = "centre-crop(lfw-mean-landmarks)->similarity"

    def matrix(self, key: str, image: Image, size: tuple[int, int]) -> Matrix:
        """See `WarpedAligner`; never None."""
        return centre_matrix(image.shape[:2], size)


class TemplateCrop(WarpedAligner):
    """Crops that are aligned already, cut to another size by one fixed similarity.

    112×96, 112×112 and 128×112 (a margin of 8 all around) are known sizes; any other is taken for
    the template of its own size. Where no scaling is needed it is an exact slice.
    """

    signature = "template-crop"

    def matrix(self, key: str, image: Image, size: tuple[int, int]) -> Matrix:
        """See `WarpedAligner`; never None."""
        return template_matrix(image.shape[:2], size)

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image:
        """One crop; never None."""
        matrix = template_matrix(image.shape[:2], size)
        left, top = -matrix[0, 2], -matrix[1, 2]
        inside = (
            matrix[0, 0] == 1.0
            and float(left).is_integer()
            and float(top).is_integer()
            and 0 <= left <= image.shape[1] - size[1]
            and 0 <= top <= image.shape[0] - size[0]
        )
        if not inside:
            return warp(image, matrix, size)
        cut = image[int(top) : int(top) + size[0], int(left) : int(left) + size[1]]
        return np.ascontiguousarray(cut)


class NoAlignment(Aligner):
    """The image as it is, resized where its size is another (by area when it shrinks)."""

    signature = "none"

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image:
        """The whole image in the size asked for; never None."""
        height, width = size
        if image.shape[:2] == size:
            return image
        shrinks = image.shape[0] >= height and image.shape[1] >= width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(image, (width, height), interpolation=how).astype(np.uint8, copy=False)


@lru_cache(maxsize=64)
def centre_matrix(shape: tuple[int, int], size: tuple[int, int]) -> Matrix:
    """Similarity 2×3 from an image of (height, width) centred like LFW's to crops of ``size``."""
    height, width = shape
    points = np.asarray(LFW_MEAN_LANDMARKS) - LFW_SIDE / 2
    return similarity_transform(points * (min(shape) / LFW_SIDE) + (width / 2, height / 2), size)


@lru_cache(maxsize=64)
def template_matrix(shape: tuple[int, int], size: tuple[int, int]) -> Matrix:
    """Similarity 2×3 (no rotation) from an aligned crop of (height, width) to one of ``size``."""
    if shape in _MARGINS:
        scale, (left, top) = (shape[1] - 2 * _MARGINS[shape][0]) / TEMPLATE_WIDTH, _MARGINS[shape]
        origin = (float(left), float(top))
    else:
        scale, shift = template_frame(shape)
        origin = (shift, 0.0)
    goal_scale, goal_shift = template_frame(size)
    ratio = goal_scale / scale
    return np.array(
        [[ratio, 0.0, goal_shift - ratio * origin[0]], [0.0, ratio, -ratio * origin[1]]]
    )
