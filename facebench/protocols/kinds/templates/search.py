"""The kind *template-search*: probe templates searched in each split's gallery (IJB-A 1:N), or in
each of two galleries (IJB-B and IJB-C 1:N).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings
from facebench.faces.ijb.align import FaceHints
from facebench.faces.ijb.galleries import gallery_name, read_galleries
from facebench.faces.ijb.ijba import read_ijba_search
from facebench.faces.ijb.ijbc import meta_folder
from facebench.faces.ijb.locate import locate_lists
from facebench.faces.ijb.published import SEARCH_FINGERPRINT, galleries_fault, search_fault
from facebench.faces.ijb.templates import TemplateSearch
from facebench.faces.lfw.remarks import search_remarks
from facebench.faces.twins.ijba import SPLITS as TWIN_SPLITS
from facebench.faces.types import Progress
from facebench.protocols.cards import TemplateSearchCard
from facebench.protocols.kinds.identification import kept_ranks, searched_people
from facebench.protocols.kinds.templates.faces import PreparedSplits, detector_hints, listed_faces
from facebench.protocols.outcome import Decided, Outcome, Rate, Series
from facebench.protocols.prepared import refused
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity.base import Similarity
from facebench.similarity.candidates import search_faces
from facebench.similarity.pooling import Pooled
from facebench.statistics.checks import FloatArray
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.intervals.searches import SearchTable, dir_key, rank_key, search_intervals
from facebench.statistics.roc import tar_at_far
from facebench.statistics.searches import (
    Searches,
    cmc,
    curve_counts,
    dir_at_counts,
    ranks_of,
    search_scores,
)
from facebench.statistics.templates import mean_and_deviation


@dataclass(frozen=True, eq=False)
class PreparedTemplateSearch(PreparedSplits):
    """Searches of templates; every split has a gallery of its own."""

    card: TemplateSearchCard
    splits: tuple[TemplateSearch, ...]

    @property
    def published_list(self) -> bool | None:
        """Of splits, galleries and probes: see `PreparedSplits.is_ijba`. Of IJB-B and -C False
        where their counts are not those published; what else differs cannot be known.
        """
        if self.card.layout == "ijbc":
            fault = galleries_fault(self.card.dataset, self.splits)
            return None if fault is None else False
        return self.is_ijba(SEARCH_FINGERPRINT, search_fault(self.splits))

    @property
    def rule(self) -> str:
        """Of thresholds; and of which galleries the rates are means."""
        if self.card.layout == "ijba":
            return "exact"
        names = [gallery_name(split.gallery.path) for split in self.splits]
        return f"exact, each in its gallery, mean over {' and '.join(names)}"

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> Outcome:
        """TPIR at the card's FPIRs, at whatever rank, DIR at the same, at rank 1, and ranks."""
        sets = [part for split in self.splits for part in (split.gallery, split.probes)]
        pooled = self.pooled(sets, embeddings, similarity, settings)
        searched = [
            _search(split, gallery, probes)
            for split, gallery, probes in zip(self.splits, pooled[::2], pooled[1::2], strict=True)
        ]
        failed = sum(
            # A mated probe whose gallery template was lost is a failed search, too.
            int(np.count_nonzero(~probes.acquired | (found.mated & (found.own == -np.inf))))
            for probes, found in zip(pooled[1::2], searched, strict=True)
        )
        try:
            return self._outcome(searched, failed, settings)
        except ValueError as error:
            raise refused(self.card.name, error) from error

    def _outcome(self, searched: Sequence[Searches], failed: int, settings: Settings) -> Outcome:
        card, people = self.card, [_subjects(split) for split in self.splits]
        rates: list[Rate] = []
        tables = _tables(searched, map(_own_scores, searched), people)
        firsts = _tables(searched, map(search_scores, searched), people)
        for name, counted in (("TPIR", tables), ("DIR", firsts)):
            known = search_intervals(counted, card.fpirs, ())
            rates += [_detected(name, counted, f, card, known[dir_key(f)]) for f in card.fpirs]
        known = search_intervals(firsts, (), card.ranks)
        rates += [_rank(firsts, rank, card, known[rank_key(rank)]) for rank in card.ranks]
        mated = sum(int(s.mated.sum()) for s in searched)
        total = sum(map(len, searched))
        return Outcome(
            parts="splits",
            number_of_parts=len(searched),
            rates=tuple(rates),
            series=_series(searched),
            total=total,
            mated=mated,
            nonmated=total - mated,
            subjects=len(np.unique(np.concatenate(people))),
            failed=failed,
            fingerprint=self.fingerprint,
            rule=self.rule,
            draws=settings.draws,
            decided=_decided(tables, rates[0]),
            counts={
                "gallery templates": sum(len(split.gallery) for split in self.splits),
                "faces": len(self.faces.keys),
            },
        )


def prepare(
    card: TemplateSearchCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedTemplateSearch:
    """Find a template search's lists and faces. images: False where embeddings are given.

    progress: told of every synthetic face that is rendered. UserError: what is missing or wrong.
    """
    located = locate_lists(card.dataset, data, layout=card.layout, images=images, progress=progress)
    aligned = located.rendering is not None
    if card.layout == "ijbc":
        meta = meta_folder(located.folder, card.dataset)
        assert meta is not None
        searches, hints = read_galleries(meta, card.dataset), detector_hints(meta, card.dataset)
    else:
        lists = read_ijba_search(located.folder, TWIN_SPLITS if aligned else card.splits)
        searches, hints = lists.splits, FaceHints(lists.boxes, aligned=aligned)
    sets = [part for split in searches for part in (split.gallery, split.probes)]
    faces = listed_faces(card, located, sets, hints, search_remarks(searches), settings, images)
    return PreparedTemplateSearch(card, faces, searches)


def _search(split: TemplateSearch, gallery: Pooled, probes: Pooled) -> Searches:
    """One split's probes in its own gallery, and in no other's."""
    assert split.gallery.subjects is not None and split.probes.subjects is not None
    return search_faces(
        gallery.projection,
        probes.projection,
        split.gallery.subjects,
        split.probes.subjects,
        gallery_acquired=gallery.acquired,
        probes_acquired=probes.acquired,
    )


def _own_scores(searches: Searches) -> FloatArray:
    """As `search_scores`, at whatever rank the own template came."""
    return search_scores(searches, searches.identities)


def _tables(
    searched: Sequence[Searches], scores: Iterable[FloatArray], people: Sequence[NDArray[np.int64]]
) -> list[SearchTable]:
    """A table a split, with the scores that count."""
    return [
        SearchTable(one, searches.mated, of, ranks_of(searches))
        for searches, one, of in zip(searched, scores, people, strict=True)
    ]


def _detected(
    name: str,
    tables: Sequence[SearchTable],
    target: float,
    card: TemplateSearchCard,
    interval: Interval,
) -> Rate:
    """TPIR or DIR at an FPIR, by the scores that count for it."""
    points = [tar_at_far(table.scores, table.mated, [target])[0] for table in tables]
    mean, spread = mean_and_deviation([point.tar for point in points])
    hits = [t.scores >= point.threshold for t, point in zip(tables, points, strict=True)]
    return Rate(
        name=name,
        target=target,
        value=mean,
        spread=spread,
        spread_kind=card.spread,
        per_part=tuple(point.tar for point in points),
        reached=tuple(point.far for point in points),
        thresholds=tuple(point.threshold for point in points),
        resolvable=all(point.resolvable for point in points),
        interval=interval,
        over_people=searched_people(tables, hits),
    )


def _rank(
    tables: Sequence[SearchTable], rank: int, card: TemplateSearchCard, interval: Interval
) -> Rate:
    hits = [table.found(rank) for table in tables]
    values = [float(hit.sum() / t.mated.sum()) for hit, t in zip(hits, tables, strict=True)]
    mean, spread = mean_and_deviation(values)
    over = searched_people(tables, hits)
    return Rate(
        "rank", rank, mean, spread, card.spread, tuple(values), interval=interval, over_people=over
    )


def _series(searched: Sequence[Searches]) -> tuple[Series, ...]:
    """Means over splits: TPIR over FPIR, at shares that every split can reach, and the CMC."""
    counts = [int(np.count_nonzero(~searches.mated)) for searches in searched]
    steps = curve_counts(min(counts))
    fpir = steps / min(counts)
    tpir = np.mean(
        [
            dir_at_counts(searches, steps * n // min(counts), searches.identities)
            for searches, n in zip(searched, counts, strict=True)
        ],
        axis=0,
    )
    curves = [cmc(searches) for searches in searched]
    length = min(map(len, curves))
    ranks = np.arange(1, length + 1, dtype=np.float64)
    share = np.mean([curve[:length] for curve in curves], axis=0)
    return (
        Series("TPIR", "FPIR", "TPIR", fpir, tpir),
        Series("CMC", "rank", "identified", ranks, share),
    )


def _decided(tables: Sequence[SearchTable], headline: Rate) -> Decided:
    decisions = [t.scores >= limit for t, limit in zip(tables, headline.thresholds, strict=True)]
    return Decided(
        scores=np.concatenate([table.scores for table in tables]),
        decisions=np.concatenate(decisions),
        mated=np.concatenate([table.mated for table in tables]),
        parts=np.repeat(np.arange(1, len(tables) + 1), [len(table.mated) for table in tables]),
        left_subjects=np.concatenate([table.subjects for table in tables]),
        ranks=kept_ranks(tables),
    )


def _subjects(split: TemplateSearch) -> NDArray[np.int64]:
    assert split.probes.subjects is not None
    return split.probes.subjects
