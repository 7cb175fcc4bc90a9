"""The faces of template lists, found; and what template protocols of both kinds share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.missing import require_faces
from facebench.embedding.types import Embeddings
from facebench.faces.ijb.align import FaceHints, make_template_aligner
from facebench.faces.ijb.ijbc import read_face_points
from facebench.faces.ijb.images import TemplateFaces
from facebench.faces.ijb.locate import LocatedLists, require_image_folder, require_kind
from facebench.faces.ijb.templates import TemplatePairs, TemplateSearch, TemplateSet
from facebench.faces.twins.ijba import TEMPLATE_CONTENTS
from facebench.protocols.cards import ProtocolCard, TemplateCard, TemplateSearchCard
from facebench.protocols.prepared import PreparedProtocol, ProtocolFaces
from facebench.protocols.settings import Settings
from facebench.similarity.base import Similarity
from facebench.similarity.pooling import MEAN_POOLINGS, MeanPooler, Pooled, check_pooling


@dataclass(frozen=True, eq=False)
class ListedFaces(ProtocolFaces):
    """All faces of a protocol's lists. scores: the detector's by key, or None."""

    scores: dict[str, float] | None = None

    @cached_property
    def ordered_scores(self) -> NDArray[np.float64] | None:
        """The detector's score of every face, 0 of one that its list leaves out: float64 in the
        order of keys; None where there is no list.
        """
        if self.scores is None:
            return None
        return np.array([self.scores.get(key, 0.0) for key in self.keys], dtype=np.float64)

    @cached_property
    def scores_digest(self) -> str:
        """8 hexadecimal digits of the SHA-256 over ordered_scores."""
        scores = np.empty(0) if self.ordered_scores is None else self.ordered_scores
        return hashlib.sha256(scores.astype("<f8").tobytes()).hexdigest()[:8]


def listed_faces(
    card: ProtocolCard,
    located: LocatedLists,
    sets: Sequence[TemplateSet],
    hints: FaceHints,
    remarks: tuple[str, ...],
    settings: Settings,
    images: bool,
) -> ListedFaces:
    """The faces of all sets. remarks: on the lists; images: False where embeddings are given
    instead of them.

    UserError: absent images under ``on_missing="error"``, synthetic faces taken for photographs,
    or a list of pairs, which these protocols have no use for.
    """
    if settings.pairs is not None:
        raise UserError(
            f"protocol {card.name}: --pairs {settings.pairs} has no effect, since it compares "
            "templates; leave it out"
        )
    keys = tuple(sorted(set().union(*(templates.keys for templates in sets))))
    kind = require_kind(located, keys, images)
    scores = hints.points[0].scores if hints.points else None
    if not images:
        return ListedFaces(
            keys, card.dataset, kind, told=located.notice, list_remarks=remarks, scores=scores
        )
    require_image_folder(located, keys)
    name, pinned = card.dataset, None
    if located.rendering is not None:
        name = f"synthetic-{card.dataset}"
        pinned = (located.rendering, TEMPLATE_CONTENTS.get(located.rendering))
    source = TemplateFaces(name, located.images, keys, kind, pinned)
    if settings.on_missing == "error":
        require_faces(source, keys)
    aligner = make_template_aligner(
        settings.align,
        hints,
        keys,
        landmarks=settings.landmarks,
        landmarks_order=settings.landmarks_order,
        detector=settings.detector,
        faces=settings.faces,
        on_missing=settings.on_missing,
    )
    return ListedFaces(keys, name, kind, source, aligner, located.notice, remarks, scores)


def detector_hints(meta: Path, dataset: str) -> FaceHints:
    """Where the detector of IJB-B's or IJB-C's list found the faces."""
    path = meta / f"{dataset}_name_5pts_score.txt"
    points = read_face_points(path)
    return FaceHints(absent=path) if points is None else FaceHints(points=(points, path))


def by_detector(pooling: str) -> bool:
    """Whether a pooling weights faces by the detector's scores."""
    return pooling.endswith("+detector")


def pool_sets(
    faces: ListedFaces,
    sets: Sequence[TemplateSet],
    embeddings: Iterable[Embeddings],
    similarity: Similarity,
    pooling: str,
) -> list[Pooled]:
    """Every set's templates, pooled in one pass over the faces; a face is embedded once.

    embeddings: of faces, in parts; pooling: one of means. A template none of whose
    faces was acquired is there, with ``acquired`` False. UserError: negative detector scores.
    """
    rows = _Rows(faces.keys, sets)
    by_media = pooling.startswith("media-mean")
    pooler = MeanPooler(
        pooling, similarity, rows.templates, rows.medium_template if by_media else None
    )
    scores = faces.ordered_scores if by_detector(pooling) else None
    for part in embeddings:
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


@dataclass(frozen=True, eq=False)
class PreparedSplits(PreparedProtocol):
    """Lists of templates in splits, and their faces; the kinds say what is compared in a split."""

    card: TemplateCard | TemplateSearchCard
    faces: ListedFaces
    splits: tuple[TemplatePairs, ...] | tuple[TemplateSearch, ...]

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over all that records say of the lists."""
        return hashlib.sha256(b"".join(split.digest() for split in self.splits)).hexdigest()[:16]

    def is_ijba(self, published: str, fault: str | None) -> bool | None:
        """True for IJB-A's own lists, False where counts are not those published; None: not known.

        published: fingerprint of its own lists; fault: why these are not they, None: no reason.
        """
        if self.faces.kind == "synthetic" or self.card.dataset != "ijba":
            return None
        if self.fingerprint == published:
            return True
        return None if fault is None else False

    def pooling(self, settings: Settings) -> str:
        """The chosen pooling, and where it weights by the detector's scores a digest of them, as in
        ``media-mean+detector(1a2b3c4d)``, since the numbers depend on them.
        """
        name = self._chosen(settings)
        return f"{name}({self.faces.scores_digest})" if by_detector(name) else name

    def pooled(
        self,
        sets: Sequence[TemplateSet],
        embeddings: Iterable[Embeddings],
        similarity: Similarity,
        settings: Settings,
    ) -> list[Pooled]:
        """Templates by the chosen pooling; see `pool_sets`. A set that stands in several places is
        pooled once.
        """
        distinct = list({id(one): one for one in sets}.values())
        found = pool_sets(self.faces, distinct, embeddings, similarity, self._chosen(settings))
        of = {id(one): pooled for one, pooled in zip(distinct, found, strict=True)}
        return [of[id(one)] for one in sets]

    def _chosen(self, settings: Settings) -> str:
        """The pooling of a run. UserError: unknown, for videos only, by detector scores that the
        data do not have, or frames were chosen.
        """
        card = self.card
        if settings.frames is not None:
            raise UserError(
                f"protocol {card.name}: --frames {settings.frames} has no effect, since its "
                "templates say which frames they hold; leave it out"
            )
        name = card.pooling if settings.pooling is None else settings.pooling
        check_pooling(name)
        if name not in MEAN_POOLINGS:
            raise UserError(
                f"protocol {card.name}: pooling {name!r} is for videos; choose one of "
                f"{', '.join(MEAN_POOLINGS)}"
            )
        if by_detector(name) and self.faces.scores is None:
            raise UserError(
                f"pooling {name!r} needs the detector's score of every face, and these data have "
                f"none; choose {name.partition('+')[0]!r} or its '+norm'"
            )
        return name


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
