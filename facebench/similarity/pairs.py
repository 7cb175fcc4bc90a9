"""Scores of comparisons between embedded faces."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings
from facebench.foreign import printable
from facebench.similarity.base import Similarity

SIMILARITIES = ("cosine", "joint-bayesian", "projection")

_LOG = logging.getLogger(__name__)


def no_effect(metric: Path) -> str:
    """What to tell a user who named a metric's file and not the similarity."""
    learned = " or ".join(SIMILARITIES[1:])
    return (
        f"--metric {metric} has no effect with the similarity cosine; add --similarity {learned} "
        "(`facebench metric show` tells which it is), or leave it out"
    )


def pair_scores(
    embeddings: Embeddings,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    similarity: Similarity,
) -> NDArray[np.float64]:
    """Scores of comparisons, higher is more alike: float64 n, -inf where a face was not acquired.

    left, right: int64 n, rows of the embeddings. An acquired face whose embedding is all zero (a
    dead network) scores 0 with every face under cosine and projection, and a warning counts such
    faces. It is no failure to acquire, and no error either: the model answered, its answer
    distinguishes nobody, and a heavily pruned model that dies on one face must still get its, bad,
    number.

    ValueError: indices outside the rows.
    """
    scores = similarity.pairs(embeddings.vectors, left, right)
    warn_of_dead(embeddings)
    acquired = embeddings.acquired[left] & embeddings.acquired[right]
    return np.where(acquired, scores, -np.inf)


def warn_of_dead(embeddings: Embeddings) -> None:
    """Log how many acquired faces have an embedding that is all zero."""
    dead = embeddings.acquired & ~embeddings.vectors.any(axis=1)
    if dead.any():
        _LOG.warning(
            "%d of %d embeddings are all zero (first: %s); they are alike to nobody",
            np.count_nonzero(dead),
            len(dead),
            printable(embeddings.keys[int(np.argmax(dead))]),
        )
