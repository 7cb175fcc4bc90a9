"""The kind *template*: pairs of templates in splits, TAR at FAR (IJB-A 1:1, IJB-B, IJB-C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.embedding.types import Embeddings
from facebench.faces.ijb.align import FaceHints
from facebench.faces.ijb.ijba import read_ijba_verification
from facebench.faces.ijb.ijbc import meta_folder, read_ijbc
from facebench.faces.ijb.locate import LocatedLists, locate_lists
from facebench.faces.ijb.published import VERIFICATION_FINGERPRINT, verification_fault
from facebench.faces.ijb.templates import TemplatePairs
from facebench.faces.lfw.remarks import template_remarks
from facebench.faces.twins.ijba import SPLITS as TWIN_SPLITS
from facebench.faces.types import Progress
from facebench.protocols.cards import TemplateCard
from facebench.protocols.kinds.templates.faces import PreparedSplits, detector_hints, listed_faces
from facebench.protocols.outcome import Decided, Outcome, Rate, Series
from facebench.protocols.prepared import refused
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity.base import Similarity
from facebench.similarity.pooling import Pooled
from facebench.similarity.scoring import many_pairs
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.templates import (
    MANY,
    SplitScores,
    SplitTars,
    people_by_mated,
    people_if_consistent,
    roc_of_splits,
    tar_intervals,
    tar_over_splits,
)


@dataclass(frozen=True, eq=False)
class PreparedTemplates(PreparedSplits):
    """Pairs of templates in splits."""

    card: TemplateCard
    splits: tuple[TemplatePairs, ...]

    @property
    def published_list(self) -> bool | None:
        """False where the comparisons are not as many as published; None: nothing more is known,
        but of IJB-A's; see `PreparedSplits.is_ijba`.
        """
        if self.faces.kind == "real" and self.card.comparisons is not None:
            return None if sum(map(len, self.splits)) == self.card.comparisons else False
        return self.is_ijba(VERIFICATION_FINGERPRINT, verification_fault(self.splits))

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> Outcome:
        """TAR at the card's FARs in every split; a template without a face matches nobody."""
        sets = [split.templates for split in self.splits]
        pooled = self.pooled(sets, embeddings, similarity, settings)
        scored = [
            score_split(split, templates, similarity)
            for split, templates in zip(self.splits, pooled, strict=True)
        ]
        try:
            return self._outcome(scored, settings)
        except ValueError as error:
            raise refused(self.card.name, error) from error

    def _outcome(self, scored: Sequence[SplitScores], settings: Settings) -> Outcome:
        tars = tar_over_splits(scored, self.card.targets)
        intervals = tar_intervals(scored, tars)
        far, tar = roc_of_splits(scored)
        total, mated = sum(map(len, self.splits)), sum(int(s.mated.sum()) for s in scored)
        last = min(tars, key=lambda found: found.target)
        templates = sum(len(split.templates) for split in self.splits)
        return Outcome(
            parts="splits",
            number_of_parts=len(scored),
            rates=tuple(
                _rate(found, interval, self.card)
                for found, interval in zip(tars, intervals, strict=True)
            ),
            series=(Series("ROC", "FAR", "TAR", far, tar),),
            total=total,
            mated=mated,
            nonmated=total - mated,
            subjects=_people(self.splits),
            failed=sum(int(np.isneginf(split.scores).sum()) for split in scored),
            fingerprint=self.fingerprint,
            rule="exact",
            draws=settings.draws,
            decided=_decided(scored, tars[0]) if total < MANY else None,
            counts={
                "templates": templates,
                "faces": len(self.faces.keys),
                f"false accepts at FAR {last.target:g} in the split with the fewest": min(
                    point.false_accepts for point in last.points
                ),
            },
        )


def prepare(
    card: TemplateCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedTemplates:
    """Find a template protocol's lists and faces. images: False where embeddings are given.

    progress: told of every synthetic face that is rendered. UserError: what is missing or wrong.
    """
    located = locate_lists(card.dataset, data, layout=card.layout, images=images, progress=progress)
    splits, hints = _read(card, located)
    sets = [split.templates for split in splits]
    faces = listed_faces(card, located, sets, hints, template_remarks(splits), settings, images)
    return PreparedTemplates(card, faces, splits)


def score_split(split: TemplatePairs, pooled: Pooled, similarity: Similarity) -> SplitScores:
    """Scores of a split's comparisons, -inf where a template has no acquired face."""
    scores = many_pairs(pooled.projection, split.left, split.right, similarity.low, similarity.high)
    scores[~(pooled.acquired[split.left] & pooled.acquired[split.right])] = -np.inf
    people = split.templates.subjects
    if people is None and len(split) < MANY:
        people = people_if_consistent(split.left, split.right, split.mated, len(split.templates))
        if people is None:
            return SplitScores(scores, split.mated)
    if people is None:
        people = people_by_mated(split.left, split.right, split.mated, len(split.templates))
        # Of the mated comparisons alone, which is where anything is known of people.
        who = np.full(len(split), -1, dtype=np.int32)
        who[split.mated] = people[split.left[split.mated]]
        return SplitScores(scores, split.mated, who, who)
    return SplitScores(scores, split.mated, people[split.left], people[split.right])


def _read(card: TemplateCard, located: LocatedLists) -> tuple[tuple[TemplatePairs, ...], FaceHints]:
    aligned = located.rendering is not None
    if card.layout == "ijba":
        count = TWIN_SPLITS if aligned else card.splits
        lists = read_ijba_verification(located.folder, count)
        return lists.splits, FaceHints(lists.boxes, aligned=aligned)
    meta = meta_folder(located.folder, card.dataset)
    assert meta is not None
    return (read_ijbc(meta, card.dataset),), detector_hints(meta, card.dataset)


def _rate(found: SplitTars, interval: Interval, card: TemplateCard) -> Rate:
    return Rate(
        name="TAR",
        target=found.target,
        value=found.mean,
        spread=found.spread,
        spread_kind=card.spread,
        per_part=tuple(point.tar for point in found.points),
        reached=tuple(point.far for point in found.points),
        thresholds=tuple(point.threshold for point in found.points),
        resolvable=found.resolvable,
        interval=interval,
    )


def _decided(scored: Sequence[SplitScores], headline: SplitTars) -> Decided:
    thresholds = [point.threshold for point in headline.points]
    sides = [[getattr(split, side) for split in scored] for side in ("left", "right")]
    known = all(array is not None for side in sides for array in side)
    left, right = (np.concatenate(side) if known else None for side in sides)
    return Decided(
        scores=np.concatenate([split.scores for split in scored]),
        decisions=np.concatenate(
            [split.scores >= t for split, t in zip(scored, thresholds, strict=True)]
        ),
        mated=np.concatenate([split.mated for split in scored]),
        parts=np.repeat(np.arange(1, len(scored) + 1), [len(split.mated) for split in scored]),
        left_subjects=left,
        right_subjects=right,
    )


def _people(splits: Sequence[TemplatePairs]) -> int | None:
    named = [split.templates.subjects for split in splits]
    if any(people is None for people in named):
        return None
    return len(np.unique(np.concatenate([people for people in named if people is not None])))
