"""Poolings that need the scores of all pairs of frames: the largest, and the median."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.similarity.base import Similarity, score_block
from facebench.similarity.pooling import ALL_FRAMES_POOLINGS, check_pooling

_REDUCE: dict[str, Callable[[NDArray[np.floating]], np.floating]] = {
    "max-score": np.max,
    "median-score": np.median,
}


def frame_scores(
    pooling: str,
    similarity: Similarity,
    read: Callable[[int], NDArray[np.float32]],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Scores float64 n of videos left[i] and right[i]: of all pairs of frames ``max-score`` takes
    the largest, ``median-score`` the median (of an even number the mean of the middle two).

    read: the acquired frames of a video by its number, float32 F×D; without one the score is -inf.
    One pair of videos is in memory at a time. UserError: another pooling.
    """
    check_pooling(pooling)
    if pooling not in ALL_FRAMES_POOLINGS:
        raise UserError(f"pooling {pooling!r} is a mean over frames; MeanPooler takes it")
    reduce = _REDUCE[pooling]
    scores = np.full(len(left), -np.inf, dtype=np.float64)
    for index, (first, second) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        a, b = read(first), read(second)
        if len(a) and len(b):
            scores[index] = reduce(score_block(similarity.project(a), similarity.project(b)))
    known = np.isfinite(scores)
    scores[known] = np.clip(scores[known], similarity.low, similarity.high)
    return scores
