"""The five-point template, the similarity transform that reaches it, and the warp."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.faces.types import Aligner, Image

Matrix = NDArray[np.float64]

# Left eye, right eye, nose, left and right mouth corner (left in the image), x y, in 112×96.
TEMPLATE_112X96 = (
    (30.2946, 51.6963),
    (65.5318, 51.5014),
    (48.0252, 71.7366),
    (33.5493, 92.3655),
    (62.7299, 92.2041),
)
TEMPLATE_HEIGHT, TEMPLATE_WIDTH = 112, 96


def template(size: tuple[int, int]) -> Matrix:
    """The template's five points for crops of (height, width): float64 5×2, x y in pixels.

    It is scaled by height / 112 and centred across, which adds 8 to every x for 112×112.
    """
    scale, shift = template_frame(size)
    return np.asarray(TEMPLATE_112X96) * scale + (shift, 0.0)


def template_frame(size: tuple[int, int]) -> tuple[float, float]:
    """Scale, and shift of x in pixels, from the 112×96 template to one of (height, width)."""
    height, width = size
    scale = height / TEMPLATE_HEIGHT
    return scale, (width - TEMPLATE_WIDTH * scale) / 2


def similarity_transform(points: ArrayLike, size: tuple[int, int]) -> Matrix:
    """The rotation, scale and shift that bring five points nearest to the template: float64 2×3.

    ``points``: 5×2, x y in pixels. Least squares in closed form over [[a, -b], [b, a]] and a
    shift, so never a reflection (Umeyama 1991, eq. 39-42, which agrees where no reflection is
    asked for). ValueError where the points coincide or are not finite.
    """
    found = np.asarray(points, np.float64)
    if found.shape != (5, 2) or not usable(found[None])[0]:
        raise ValueError("expected five finite points that do not coincide")
    goal = template(size)
    middle, goal_middle = found.mean(0), goal.mean(0)
    x, y = (found - middle).T
    u, v = (goal - goal_middle).T
    spread = float(x @ x + y @ y)
    a, b = (x @ u + y @ v) / spread, (x @ v - y @ u) / spread
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, goal_middle - turn @ middle])


def usable(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of N×5×2 points are finite and do not coincide, so that a similarity exists: bool N."""
    with np.errstate(invalid="ignore"):
        middle = points.mean(1, keepdims=True)
        spread = np.square(points - middle).sum((1, 2))
        least = 1e-9 * np.maximum(1.0, np.square(middle).sum((1, 2)))
        fit: NDArray[np.bool_] = np.isfinite(points).all((1, 2)) & (spread >= least)
        return fit


def share_inside(matrix: Matrix, size: tuple[int, int], shape: tuple[int, int]) -> float:
    """How much of a crop of (height, width) is inside its image, 0 to 1, by 16×16 points of it."""
    height, width = size
    across, down = (np.arange(16) + 0.5) / 16 * width, (np.arange(16) + 0.5) / 16 * height
    grid = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2) - matrix[:, 2]
    points = grid @ np.linalg.inv(matrix[:, :2]).T
    return float(((points >= 0) & (points <= (shape[1], shape[0]))).all(1).mean())


def warp(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The crop of (height, width) that a 2×3 similarity cuts: bilinear, black outside."""
    import cv2  # late: the template's frame needs no picture

    height, width = size
    crop = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return crop.astype(np.uint8, copy=False)


class WarpedAligner(Aligner):
    """A rule that is one similarity transform per image, of which other crops can be made."""

    @abstractmethod
    def matrix(self, key: str, image: Image, size: tuple[int, int]) -> Matrix | None:
        """From the image to its crop of (height, width): 2×3, or None: no face was acquired."""

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One aligned face, uint8 height×width×3 RGB, or None: it was not acquired."""
        matrix = self.matrix(key, image, size)
        return None if matrix is None else warp(image, matrix, size)
