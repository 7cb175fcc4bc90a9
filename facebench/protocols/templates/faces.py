"""The faces of template lists, found; and what template protocols of both kinds share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.missing import absent_faces, faces_refused
from facebench.faces.ijb.align import FaceHints, make_template_aligner
from facebench.faces.ijb.images import TemplateFaces
from facebench.faces.ijb.locate import LocatedLists, require_image_folder, require_kind
from facebench.faces.ijb.templates import TemplateSet
from facebench.faces.twins.ijba import TEMPLATE_CONTENTS
from facebench.faces.types import Aligner, DataKind, FaceSource
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.prepared import SYNTHETIC_NOTICE, Embed, PreparedRun
from facebench.protocols.settings import Settings
from facebench.similarity.base import Similarity
from facebench.similarity.pooling import MEAN_POOLINGS, MeanPooler, Pooled, check_pooling

_UNSEEN = "unseen"


@dataclass(frozen=True, eq=False)
class ListedFaces:
    """All faces of a protocol's lists: keys, sorted; source, aligner: None where only lists are
    there; scores: the detector's by key, or None.
    """

    keys: tuple[str, ...]
    source: TemplateFaces | None
    aligner: Aligner | None
    name: str
    kind: DataKind
    told: str | None
    scores: dict[str, float] | None

    @cached_property
    def contents(self) -> str | None:
        """Fingerprint over the contents of the images, as the embedding store wants it."""
        return self.source.fingerprint(self.keys) if self.source else None

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

    @cached_property
    def label(self) -> str:
        """What records call the images; of faces that were never seen, a name that says so."""
        if self.source is None:
            real = self.kind == "real"
            return f"{self.name}-{_UNSEEN}" if real else f"synthetic-{self.name}-{_UNSEEN}"
        return self.source.label(self.keys, self.contents)


@dataclass(frozen=True, eq=False)
class TemplateRun(PreparedRun):
    """What template protocols of both kinds have: the faces of their lists."""

    faces: ListedFaces

    @property
    def source(self) -> FaceSource | None:
        """The images, or None where embeddings were given."""
        return self.faces.source

    @property
    def aligner(self) -> Aligner | None:
        """The rule that cuts faces out, or None where embeddings were given."""
        return self.faces.aligner

    @property
    def name(self) -> str:
        """Of the faces, as records say it."""
        return self.faces.name

    @property
    def kind(self) -> DataKind:
        """Of the faces."""
        return self.faces.kind

    @property
    def told(self) -> str | None:
        """What the user must be told of the faces now."""
        return self.faces.told

    @property
    def keys(self) -> tuple[str, ...]:
        """All faces of all templates, sorted."""
        return self.faces.keys

    @property
    def contents(self) -> str | None:
        """Fingerprint over the contents of the images."""
        return self.faces.contents

    @property
    def label(self) -> str:
        """What records call the images."""
        return self.faces.label


def listed_faces(
    card: ProtocolCard,
    located: LocatedLists,
    sets: Sequence[TemplateSet],
    hints: FaceHints,
    settings: Settings,
    images: bool,
) -> ListedFaces:
    """The faces of all sets. images: False where embeddings are given instead of them.

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
        told = located.notice or (SYNTHETIC_NOTICE if kind == "synthetic" else None)
        return ListedFaces(keys, None, None, card.dataset, kind, told, scores)
    require_image_folder(located, keys)
    name, pinned = card.dataset, None
    if located.rendering is not None:
        name = f"synthetic-{card.dataset}"
        pinned = (located.rendering, TEMPLATE_CONTENTS.get(located.rendering))
    source = TemplateFaces(name, located.images, keys, kind, pinned)
    if settings.on_missing == "error" and (absent := absent_faces(source, keys)):
        raise faces_refused(source, absent, len(keys))
    aligner = make_template_aligner(
        settings.align,
        hints,
        keys,
        landmarks=settings.landmarks,
        landmarks_order=settings.landmarks_order,
        detector=settings.detector,
        on_missing=settings.on_missing,
    )
    return ListedFaces(keys, source, aligner, name, kind, located.notice, scores)


def chosen_pooling(card: ProtocolCard, pooling: str, settings: Settings, faces: ListedFaces) -> str:
    """The pooling of a run. UserError: unknown, for videos only, by detector scores that the data
    do not have, or frames were chosen.
    """
    if settings.frames is not None:
        raise UserError(
            f"protocol {card.name}: --frames {settings.frames} has no effect, since its templates "
            "say which frames they hold; leave it out"
        )
    name = pooling if settings.pooling is None else settings.pooling
    check_pooling(name)
    if name not in MEAN_POOLINGS:
        raise UserError(
            f"protocol {card.name}: pooling {name!r} is for videos; choose one of "
            f"{', '.join(MEAN_POOLINGS)}"
        )
    if by_detector(name) and faces.scores is None:
        raise UserError(
            f"pooling {name!r} needs the detector's score of every face, and these data have "
            f"none; choose {name.partition('+')[0]!r} or its '+norm'"
        )
    return name


def recorded_pooling(
    card: ProtocolCard, pooling: str, settings: Settings, faces: ListedFaces
) -> str:
    """What records say of `chosen_pooling`: its name, and where it weights by the detector's scores
    a digest of them, as in ``media-mean+detector(1a2b3c4d)``, since the numbers depend on them.
    """
    name = chosen_pooling(card, pooling, settings, faces)
    return f"{name}({faces.scores_digest})" if by_detector(name) else name


def by_detector(pooling: str) -> bool:
    """Whether a pooling weights faces by the detector's scores."""
    return pooling.endswith("+detector")


def pool_sets(
    faces: ListedFaces,
    sets: Sequence[TemplateSet],
    embed: Embed,
    similarity: Similarity,
    pooling: str,
) -> list[Pooled]:
    """Every set's templates, pooled in one pass over the faces; a face is embedded once.

    pooling: as `facebench.protocols.templates.faces.chosen_pooling` gives it. A template none of
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
