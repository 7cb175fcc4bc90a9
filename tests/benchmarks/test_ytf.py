"""YouTube Faces: what the closed form saves against the loop over pairs of frames.

Ratios are of one run on one machine, so that a slow machine does not fail them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from facebench.similarity.base import projected_pairs
from facebench.similarity.cosine import Cosine, cosine_pairs
from facebench.similarity.pooling import MeanPooler

FRAMES, DIMENSION, VIDEOS, PAIRS = 181, 160, 60, 300  # frames: YouTube Faces' mean per video


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least of several runs: other work on the machine only adds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


@pytest.mark.slow
def test_the_closed_form_is_fifty_times_faster_than_the_loop() -> None:
    """300 pairs of videos of 181 frames, the pooling of their 60 videos included."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((VIDEOS * FRAMES, DIMENSION)).astype(np.float32)
    groups = np.repeat(np.arange(VIDEOS), FRAMES)
    left, right = rng.integers(0, VIDEOS, (2, PAIRS))

    def closed() -> np.ndarray:
        pooler = MeanPooler("mean-score", Cosine(), VIDEOS)
        pooler.add(groups, vectors)
        return projected_pairs(pooler.finish(np.float64).projection, left, right)

    left_frame = np.repeat(np.arange(FRAMES), FRAMES)
    right_frame = FRAMES + np.tile(np.arange(FRAMES), FRAMES)
    videos = vectors.reshape(VIDEOS, FRAMES, DIMENSION)

    def loop() -> np.ndarray:
        """The mean over all pairs of frames, each scored as a pair of faces is."""
        both = (np.concatenate([videos[i], videos[j]]) for i, j in zip(left, right, strict=True))
        return np.array([cosine_pairs(v, left_frame, right_frame).mean() for v in both])

    def products() -> np.ndarray:
        """The same by one matrix product per pair of videos: told beside it, not required."""
        every = Cosine().project(vectors).rows.reshape(VIDEOS, FRAMES, -1)
        return np.array([(every[i] @ every[j].T).mean() for i, j in zip(left, right, strict=True)])

    started = time.perf_counter()
    expected = loop()
    slow, fast = time.perf_counter() - started, seconds(closed)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(closed(), expected, rtol=1e-5, atol=1e-5 * scale)
    print(
        f"\nloop {slow:.2f} s, closed form {fast:.4f} s: {slow / fast:.0f} times "
        f"({seconds(products) / fast:.1f} times against matrix products)"
    )
    assert slow / fast >= 50
