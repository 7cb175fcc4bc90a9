"""YouTube Faces: what the closed form saves against the loop over pairs of frames.

Ratios are of one run on one machine, so that a slow machine does not fail them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facebench.similarity.base import projected_pairs
from facebench.similarity.cosine import Cosine, cosine_pairs
from facebench.similarity.pooling import MeanPooler

FRAMES, DIMENSION, VIDEOS, PAIRS = 181, 160, 60, 300  # frames: YouTube Faces' mean per video
LOOP, PRODUCTS = "loop over pairs of frames", "a matrix product per pair of videos"
Way = Callable[[], np.ndarray]


def ways(count: int, frames: int, pairs: int) -> tuple[Way, dict[str, Way]]:
    """The mean over all pairs of frames: closed form with the pooling of all videos, and others."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count * frames, DIMENSION)).astype(np.float32)
    groups = np.repeat(np.arange(count), frames)
    left, right = rng.integers(0, count, (2, pairs))

    def closed() -> np.ndarray:
        pooler = MeanPooler("mean-score", Cosine(), count)
        pooler.add(groups, vectors)
        return projected_pairs(pooler.finish(np.float64).projection, left, right)

    left_frame = np.repeat(np.arange(frames), frames)
    right_frame = frames + np.tile(np.arange(frames), frames)
    videos = vectors.reshape(count, frames, DIMENSION)

    def loop() -> np.ndarray:
        both = (np.concatenate([videos[i], videos[j]]) for i, j in zip(left, right, strict=True))
        return np.array([cosine_pairs(v, left_frame, right_frame).mean() for v in both])

    def products() -> np.ndarray:
        every = Cosine().project(vectors).rows.reshape(count, frames, -1)
        return np.array([(every[i] @ every[j].T).mean() for i, j in zip(left, right, strict=True)])

    return closed, {LOOP: loop, PRODUCTS: products}


def check(beside, count: int, frames: int, pairs: int) -> None:
    closed, others = ways(count, frames, pairs)
    found, results = beside(closed, others)
    for expected in results.values():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


def test_a_few_videos(beside) -> None:
    check(beside, 6, 20, 12)


@pytest.mark.slow
def test_the_closed_form_is_fifty_times_faster_than_the_loop(beside) -> None:
    """300 pairs of 60 videos of 181 frames; the bound is issue 4's, and far from what is found."""
    check(beside, VIDEOS, FRAMES, PAIRS)
    closed, others = ways(VIDEOS, FRAMES, PAIRS)
    assert beside.ratio(closed, others[LOOP]) >= 50
