"""Decode and warp: a JPEG of LFW's size to a 112×96 crop, OpenCV beside Pillow."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image

from facebench.faces.align.template import similarity_transform, warp
from facebench.faces.images import decode

POINTS = ((104, 112), (146, 110), (125, 137), (108, 158), (144, 156))
SIZE = (112, 96)


def photograph() -> bytes:
    """A smooth 250×250 picture with some grain, as JPEG of about 15 kB."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), (250, 250))
    grain = rng.normal(0, 4, coarse.shape)
    pixels = np.clip(coarse + grain, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def test_decode_and_warp(beside) -> None:
    data = photograph()

    def ours() -> np.ndarray:
        return warp(decode("a.jpg", data), similarity_transform(POINTS, SIZE), SIZE)

    def pillow() -> np.ndarray:
        matrix = np.linalg.inv(np.vstack([similarity_transform(POINTS, SIZE), [0, 0, 1]]))
        # Pillow counts from the corners of pixels, OpenCV from their centres.
        matrix[:2, 2] += 0.5 - 0.5 * matrix[:2, :2].sum(axis=1)
        image = PIL.Image.open(io.BytesIO(data)).convert("RGB")
        crop = image.transform(
            (SIZE[1], SIZE[0]), PIL.Image.Transform.AFFINE, tuple(matrix[:2].ravel()),
            PIL.Image.Resampling.BILINEAR,
        )  # fmt: skip
        return np.asarray(crop)

    crop, others = beside(ours, {"Pillow": pillow}, rounds=200)
    assert crop.shape == (*SIZE, 3)
    difference = np.abs(crop.astype(int) - others["Pillow"].astype(int))
    assert difference.mean() < 1 and np.percentile(difference, 99) <= 4
