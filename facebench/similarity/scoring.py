"""Scores of comparisons between embedded faces."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.text import printable
from facebench.base.threads import over_cores
from facebench.embedding.types import Embeddings
from facebench.similarity.base import Projection, Similarity, projected_pairs, score_block

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


TILE = 2048  # templates on a side of a block: 16 MiB of float32 scores
# A product costs about a hundredth of a gathered inner product (measured: 1.5 s and 31 s for
# the same pairs, of which a fifth of the cells are wanted).
_DENSE = 0.02
_MANY = 1 << 20  # fewer pairs than this are scored one by one, with sums in float64


def many_pairs(
    projected: Projection,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    low: float = -np.inf,
    high: float = np.inf,
) -> NDArray[np.floating]:
    """Scores of pairs left[i], right[i], clipped to [low, high]: float64 n, or float32 where many.

    A million pairs and more are put in order of the blocks of 2,048 × 2,048 templates they lie in;
    a block of which at least 2% is wanted is one matrix product and a gather, any other one inner
    product a pair. Beyond the result memory is 10 bytes a pair and a block for each core.
    """
    if len(left) < _MANY:
        return projected_pairs(projected, left, right, low, high)  # type: ignore[arg-type]
    across = -(-len(projected) // TILE)
    tile = left // TILE * across + right // TILE
    small = tile.astype(np.uint16) if across**2 < 1 << 16 else tile
    order = np.argsort(small, kind="stable")  # a radix sort for 16 bits
    counts = np.bincount(tile, minlength=across**2)
    del tile, small
    scores = np.empty(len(left), dtype=np.float32)

    def score(rows: NDArray[np.int64]) -> None:
        scores[rows] = _tile_scores(projected, left[rows], right[rows])

    list(over_cores(score, np.split(order, np.cumsum(counts[counts > 0])[:-1])))
    return np.clip(scores, low, high, out=scores)


def _tile_scores(
    projected: Projection, left: NDArray[np.int32], right: NDArray[np.int32]
) -> NDArray[np.floating]:
    rows, row = _used(left)
    columns, column = _used(right)
    if len(left) < _DENSE * len(rows) * len(columns):
        return projected_pairs(projected, left, right)  # type: ignore[arg-type]
    return np.asarray(score_block(projected[rows], projected[columns])[row, column])


def _used(positions: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct positions of a tile, ascending, and where each pair's is among them."""
    first = int(positions.min()) // TILE * TILE
    inside = positions - first
    used = np.zeros(TILE, dtype=np.bool_)
    used[inside] = True
    rank = np.cumsum(used) - 1
    return first + np.flatnonzero(used), rank[inside]
