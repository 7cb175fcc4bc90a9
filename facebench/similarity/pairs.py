"""Scores of comparisons between embedded faces, by the name of a similarity."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings
from facebench.errors import UserError, nearest
from facebench.similarity.cosine import cosine_pairs

PairSimilarity = Callable[
    [NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]
]

# Joint Bayesian is to join here: its score_pairs, once it has been fitted or loaded.
SIMILARITIES: Mapping[str, PairSimilarity] = {"cosine": cosine_pairs}

_LOG = logging.getLogger(__name__)


def pair_scores(
    embeddings: Embeddings,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    similarity: str = "cosine",
) -> NDArray[np.float64]:
    """Scores of comparisons, higher is more alike: float64 n, -inf where a face was not acquired.

    left, right: int64 n, rows of the embeddings. An acquired face whose embedding is all zero (a
    dead network) scores 0 with every face, and a warning counts such faces. It is no failure to
    acquire, and no error either: the model answered, its answer distinguishes nobody, and a
    heavily pruned model that dies on one face must still get its, bad, number.

    UserError: unknown similarity. ValueError: indices outside the rows.
    """
    if similarity not in SIMILARITIES:
        raise UserError(
            f"unknown similarity {similarity!r}{nearest(similarity, SIMILARITIES)} "
            f"(known: {', '.join(SIMILARITIES)})"
        )
    scores = SIMILARITIES[similarity](embeddings.vectors, left, right)
    dead = embeddings.acquired & ~embeddings.vectors.any(axis=1)
    if dead.any():
        _LOG.warning(
            "%d of %d embeddings are all zero (first: %s); they are alike to nobody",
            np.count_nonzero(dead),
            len(dead),
            embeddings.keys[int(np.argmax(dead))],
        )
    acquired = embeddings.acquired[left] & embeddings.acquired[right]
    return np.where(acquired, scores, -np.inf)
