"""From embedded faces to pooled templates, in one pass over the faces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facebench.faces.template_lists import TemplateSet
from facebench.protocols.running import Embed
from facebench.protocols.template_faces import ListedFaces, by_detector
from facebench.similarity.base import Similarity
from facebench.similarity.pooling import MeanPooler, Pooled


def pool_sets(
    faces: ListedFaces,
    sets: Sequence[TemplateSet],
    embed: Embed,
    similarity: Similarity,
    pooling: str,
) -> list[Pooled]:
    """Every set's templates, pooled in one pass over the faces; a face is embedded once.

    pooling: as `facebench.protocols.template_faces.chosen_pooling` gives it. A template none of
    whose faces was acquired is there, with ``acquired`` False. UserError: negative detector scores.
    """
    rows = _Rows(faces.keys, sets)
    by_media = pooling.startswith("media-mean")
    pooler = MeanPooler(
        pooling, similarity, rows.templates, rows.medium_template if by_media else None
    )
    scores = faces.ordered_scores if by_detector(pooling) else None
    for part in embed.stream(faces.keys):
        chosen, face = rows.of(part.keys)
        kept = part.acquired[face]
        chosen, face = chosen[kept], face[kept]
        pooler.add(
            rows.template[chosen],
            part.vectors[face],
            rows.medium[chosen] if by_media else None,
            None if scores is None else scores[rows.face[chosen]],
        )
    return rows.parted(pooler.finish())


class _Rows:
    """The rows of several sets as one list by face: face, template, medium int64[R]."""

    def __init__(self, keys: Sequence[str], sets: Sequence[TemplateSet]) -> None:
        self._position = {key: number for number, key in enumerate(keys)}
        self._ends = np.cumsum([0] + [len(one) for one in sets])
        media = np.cumsum([0] + [len(one.medium_template) for one in sets])
        face = [self._positions(one.keys)[one.row_face] for one in sets]
        template = [one.row_template + start for one, start in zip(sets, self._ends, strict=False)]
        medium = [one.row_medium + start for one, start in zip(sets, media, strict=False)]
        owner = [one.medium_template + start for one, start in zip(sets, self._ends, strict=False)]
        order = np.argsort(np.concatenate(face), kind="stable")
        self.face = np.concatenate(face)[order]
        self.template, self.medium = np.concatenate(template)[order], np.concatenate(medium)[order]
        self.medium_template = np.concatenate(owner)
        self.templates = int(self._ends[-1])
        self._starts = np.searchsorted(self.face, np.arange(len(keys) + 1))

    def of(self, keys: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of these faces, and for each the position of its face in ``keys``."""
        at = self._positions(keys)
        counts = self._starts[at + 1] - self._starts[at]
        face = np.repeat(np.arange(len(keys)), counts)
        within = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(self._starts[at], counts) + within, face

    def parted(self, pooled: Pooled) -> list[Pooled]:
        """The sets' shares of templates that were pooled together."""
        spans = [slice(a, b) for a, b in pairwise(self._ends)]
        return [
            Pooled(pooled.projection[span], pooled.acquired[span], pooled.faces[span])
            for span in spans
        ]

    def _positions(self, keys: Sequence[str]) -> NDArray[np.int64]:
        return np.fromiter((self._position[key] for key in keys), np.int64, len(keys))
