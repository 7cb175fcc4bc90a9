"""From the faces of a template to one row: poolings by name, without ever holding the faces.

A similarity's score is an inner product of projections plus a bias of each side. It is linear in
each of them, so the mean over all pairs of two videos' frames is the score of the frames' mean row
and mean bias: exact, at the cost of frames instead of frames².

Means of embeddings are of directions, as every face counts alike; a mean gets back the length that
the faces have in the mean, since a metric may have been fitted on lengths as the network gives them
(cosine, and Joint Bayesian with ``unit`` or ``centred``, do not look at it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.similarity.base import Projection, Similarity, score_block
from facebench.similarity.segments import Segments, inverse, quick_norms

_MEANS = ("mean-score", "mean-embedding", "media-mean")
_WEIGHTS = ("", "+norm", "+detector")
MEAN_POOLINGS = tuple(mean + weight for mean in _MEANS for weight in _WEIGHTS)
ALL_FRAMES_POOLINGS = ("max-score", "median-score")
POOLINGS: tuple[str, ...] = (*MEAN_POOLINGS, *ALL_FRAMES_POOLINGS)
"""Names of all poolings; those of `ALL_FRAMES_POOLINGS` need every frame, see `frame_scores`."""

_BLOCK = 4096  # faces that are projected and summed at once
_LEAST = float(np.finfo(np.float32).tiny)  # weights of 0 everywhere then mean equal weights


@dataclass(frozen=True, eq=False)
class Pooled:
    """G templates. projection: of G rows (zero where not acquired); acquired: bool G, False where
    none of the template's faces was; faces: int64 G, how many were.
    """

    projection: Projection
    acquired: NDArray[np.bool_]
    faces: NDArray[np.int64]


class MeanPooler:
    """Means over the faces of G templates, added in parts: memory G×D, and M×D for ``media-mean``.

    pooling: ``mean-score``: the mean of the scores of all pairs of faces (Sun et al. 2016, Section
    5); ``mean-embedding``: the mean of the embeddings at unit length, matched once; ``media-mean``:
    that mean per medium, and the mean over media. Both have the direction of that mean, and the
    mean of the faces' norms, weighted as in it, as their length (0: no direction, or no face). With
    ``+norm`` a face's weight is the norm of its embedding, with ``+detector`` the detector's score;
    a medium's is its faces' mean.

    groups: G. media_group: int64 M, the template of each medium (a medium of two templates is two).
    UserError: an unknown pooling, or one that needs all frames. ValueError: media where none are
    expected, or the other way round; a medium of no template.
    """

    def __init__(
        self,
        pooling: str,
        similarity: Similarity,
        groups: int,
        media_group: NDArray[np.int64] | None = None,
    ) -> None:
        check_pooling(pooling)
        if pooling not in MEAN_POOLINGS:
            raise UserError(
                f"pooling {pooling!r} needs all frames at once, which only videos offer; choose "
                f"one of {', '.join(MEAN_POOLINGS)}"
            )
        self.pooling, self.similarity, self.groups = pooling, similarity, groups
        self._mean, _, self._weight = pooling.partition("+")
        self._media_group = None if media_group is None else np.asarray(media_group, np.int64)
        if (self._mean == "media-mean") != (self._media_group is not None):
            raise ValueError("media_group goes with media-mean, and with nothing else")
        if self._media_group is not None:
            _check_range("media_group", self._media_group, groups)
        places = groups if self._media_group is None else len(self._media_group)
        self._rows: NDArray[np.floating] | None = None  # sums, made when their width is known
        self._bias = np.zeros(places, dtype=np.float64)
        self._weights = np.zeros(places, dtype=np.float64)
        self._lengths = np.zeros(places, dtype=np.float64)  # sums of weight times norm
        self._count = np.zeros(places, dtype=np.int64)
        self._faces = np.zeros(groups, dtype=np.int64)

    def add(
        self,
        group: NDArray[np.int64],
        vectors: NDArray[np.float32],
        media: NDArray[np.int64] | None = None,
        detector: NDArray[np.floating] | None = None,
    ) -> None:
        """Add n acquired faces; one that is of several templates is added for each.

        group: int64 n, from 0 to G - 1; vectors: float32 n×D as the model gave them; media: int64
        n, positions in media_group (``media-mean`` only); detector: float n, at least 0.

        UserError: ``+detector`` without the scores, or with negative ones. ValueError: lengths,
        widths or numbers that do not fit, a medium of another template.
        """
        group = np.asarray(group, dtype=np.int64)
        _check_range("group", group, self.groups)
        if vectors.ndim != 2 or len(vectors) != len(group):
            raise ValueError(f"{len(group)} groups for vectors of shape {vectors.shape}")
        places = group
        if self._media_group is not None:
            if media is None or len(media) != len(group):
                raise ValueError("media-mean needs the medium of every face")
            places = np.asarray(media, dtype=np.int64)
            _check_range("media", places, len(self._media_group))
            if not np.array_equal(self._media_group[places], group):
                raise ValueError("a face is in a medium of another template")
        if self._weight == "detector":
            detector = _checked_scores(self.pooling, detector, len(group))
        for start in range(0, len(group), _BLOCK):
            part = slice(start, start + _BLOCK)
            scores = detector[part] if self._weight == "detector" and detector is not None else None
            self._add_block(places[part], vectors[part], scores)
        self._faces += np.bincount(group, minlength=self.groups)

    def finish(self, dtype: type[np.floating] = np.float32) -> Pooled:
        """The pooled templates, their rows in ``dtype``; the pooler must not be used after it."""
        rows = np.zeros((len(self._bias), 0)) if self._rows is None else self._rows
        if self._media_group is None:
            pooled = self._finished(rows, dtype)
        else:
            pooled = self._over_media(rows, dtype)
        return Pooled(pooled, self._faces > 0, self._faces)

    def _add_block(
        self,
        places: NDArray[np.int64],
        vectors: NDArray[np.float32],
        detector: NDArray[np.floating] | None,
    ) -> None:
        plain = self._mean == "mean-score"
        norms = np.ones(len(vectors)) if plain and not self._weight else quick_norms(vectors)
        if plain:
            rows, scale, bias = self.similarity.scaled(vectors)
        else:
            rows, scale, bias = vectors, inverse(norms), np.zeros(len(vectors))
        weights = np.ones(len(vectors))
        if self._weight:
            given = norms if detector is None else np.asarray(detector, dtype=np.float64)
            weights = np.maximum(given, _LEAST)
        if self._rows is None:
            # Sums of a medium are of few faces: float32 halves what may be a gigabyte.
            dtype = np.float64 if self._media_group is None else np.float32
            self._rows = np.zeros((len(self._bias), rows.shape[1]), dtype=dtype)
        if rows.shape[1] != self._rows.shape[1]:
            raise ValueError(f"embeddings of {rows.shape[1]} after {self._rows.shape[1]} numbers")
        segments = Segments.of(places)
        which = segments.which
        self._rows[which] += segments.rows(rows, weights * scale)
        self._bias[which] += segments.numbers(weights * bias)
        self._weights[which] += segments.numbers(weights)
        self._lengths[which] += segments.numbers(weights * norms)
        self._count[which] += np.diff(np.append(segments.starts, len(places)))

    def _over_media(self, rows: NDArray[np.floating], dtype: type[np.floating]) -> Projection:
        """Sums over media of each medium's sum over its number of faces, at the faces' length."""
        assert self._media_group is not None
        total = np.zeros((self.groups, rows.shape[1]), dtype=np.float64)
        count = np.maximum(self._count, 1)
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            segments = Segments.of(self._media_group[part])
            total[segments.which] += segments.rows(rows[part], 1 / count[part])
        weights, lengths = (
            np.asarray(np.bincount(self._media_group, sums / count, self.groups), np.float64)
            for sums in (self._weights, self._lengths)
        )
        return self._projected(_at_length(total, lengths, weights), self._faces > 0, dtype)

    def _finished(self, rows: NDArray[np.floating], dtype: type[np.floating]) -> Projection:
        there = self._weights > 0
        if self._mean == "mean-score":
            divisor = np.where(there, self._weights, 1.0)
            return Projection((rows / divisor[:, None]).astype(dtype), self._bias / divisor)
        return self._projected(_at_length(rows, self._lengths, self._weights), there, dtype)

    def _projected(
        self, means: NDArray[np.floating], there: NDArray[np.bool_], dtype: type[np.floating]
    ) -> Projection:
        """The projection of mean embeddings; a template without a face has a row and bias of 0."""
        if not means.shape[1]:
            return Projection(means.astype(dtype), np.zeros(len(means)))
        projected = self.similarity.project(means, dtype)
        rows, bias = projected.rows.copy(), projected.bias.copy()
        rows[~there], bias[~there] = 0, 0
        return Projection(rows, bias)


def check_pooling(name: str) -> None:
    """UserError with the nearest name where no pooling is called so."""
    if name not in POOLINGS:
        raise UserError(
            f"unknown pooling {name!r}{nearest(name, POOLINGS)} (known: {', '.join(POOLINGS)})"
        )


def _norms(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return norms


def _at_unit_length(
    vectors: NDArray[np.floating], norms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """float64; a vector of zeros (a dead network's) stays one."""
    return np.asarray(vectors / np.where(norms > 0, norms, 1.0)[:, None], dtype=np.float64)


def _at_length(
    sums: NDArray[np.floating], lengths: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """float64: the directions of weighted sums, at the weighted mean of their faces' norms."""
    length = lengths / np.where(weights > 0, weights, 1.0)
    return _at_unit_length(sums, _norms(sums)) * length[:, None]


def _checked_scores(
    pooling: str, detector: NDArray[np.floating] | None, count: int
) -> NDArray[np.floating]:
    if detector is None:
        raise UserError(
            f"pooling {pooling!r} needs the detector's score of every face, and these data have "
            f"none; choose {pooling.partition('+')[0]!r} or its '+norm'"
        )
    if len(detector) != count:
        raise ValueError(f"{len(detector)} detector scores for {count} faces")
    if not np.all(np.isfinite(detector)) or np.any(detector < 0):
        raise UserError(f"pooling {pooling!r}: detector scores must be finite and at least 0")
    return detector


def _check_range(what: str, numbers: NDArray[np.int64], size: int) -> None:
    if numbers.ndim != 1 or (numbers.size and (numbers.min() < 0 or numbers.max() >= size)):
        raise ValueError(f"{what} must be numbers from 0 to {size - 1}")


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
