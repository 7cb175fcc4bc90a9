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
from tests.helpers.acceptance import HELD, acceptance

FRAMES, DIMENSION, VIDEOS, PAIRS = 181, 160, 60, 300  # frames: YouTube Faces' mean per video
LOOP, PRODUCTS = "loop over pairs of frames", "a matrix product per pair of videos"
PLAIN = "a plain closed form in float32"
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


@acceptance
@pytest.mark.slow
def test_the_closed_form_is_fifty_times_faster_than_the_loop(beside) -> None:
    """300 pairs of 60 videos of 181 frames; the bound is issue 4's, and far from what is found."""
    check(beside, VIDEOS, FRAMES, PAIRS)
    closed, others = ways(VIDEOS, FRAMES, PAIRS)
    assert beside.ratio(closed, others[LOOP]) >= 50


def scored(count: int, width: int, pairs: int) -> tuple[Way, dict[str, Way]]:
    """Ours beside a plain closed form in float32, and a product per pair of videos."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count * FRAMES, width), dtype=np.float32)
    groups = np.repeat(np.arange(count), FRAMES)
    left, right = rng.integers(0, count, (2, pairs))
    videos = vectors.reshape(count, FRAMES, width)

    def ours() -> np.ndarray:
        pooler = MeanPooler("mean-score", Cosine(), count)
        pooler.add(groups, vectors)
        return projected_pairs(pooler.finish(np.float64).projection, left, right)

    def plain() -> np.ndarray:
        norms = np.sqrt(np.einsum("vfd,vfd->vf", videos, videos))
        means = np.matmul((1 / norms / FRAMES)[:, None, :], videos)[:, 0]
        return np.einsum("ij,ij->i", means[left], means[right])

    def products() -> np.ndarray:
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        unit = (vectors / norms[:, None]).reshape(count, FRAMES, width)
        return np.array([(unit[i] @ unit[j].T).mean() for i, j in zip(left, right, strict=True)])

    return ours, {PLAIN: plain, PRODUCTS: products}


@pytest.mark.slow
@pytest.mark.parametrize("width", [160, 512])
def test_pooling_costs_little_more_than_a_plain_closed_form(beside, width: int) -> None:
    """A tenth of YouTube Faces: 342 videos of 181 frames, 500 pairs. Found: 1.2 to 1.6 times the
    plain form with AVX-512, 2.3 to 2.7 with AVX2; issue 21 asks for 3, which `make acceptance`
    holds, by the best of many rounds, thrice if need be.
    """
    ours, others = scored(342, width, 500)
    found, _ = beside(ours, {})
    for way in others.values():
        np.testing.assert_allclose(found, way(), rtol=1e-4, atol=1e-6)

    def within(name: str, times: float, rounds: int) -> bool:
        for _ in range(3):
            ratio = 1 / beside.ratio(ours, others[name], rounds=rounds)
            beside.note(width=width, **{name: round(ratio, 2)})
            if ratio <= times:
                return True
        return False

    if HELD:
        assert within(PLAIN, 3.0, 6)
        assert within(PRODUCTS, 1.0, 2)
