"""The kind *identification*: probes searched in a gallery, open or closed set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings, joined
from facebench.faces.types import Progress
from facebench.protocols.cards import IdentificationCard, SearchCard
from facebench.protocols.kinds.named_faces import find_named_faces, people_of
from facebench.protocols.kinds.search_lists import (
    SearchList,
    listed_names,
    search_lists,
    subjects_of,
)
from facebench.protocols.outcome import Decided, Outcome, Rate, Series
from facebench.protocols.prepared import PreparedProtocol, refuse_pooling, refused
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity.base import Projection, Similarity
from facebench.similarity.candidates import search_faces
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.intervals.searches import SearchTable, dir_key, rank_key, search_intervals
from facebench.statistics.rates import most_frequent, over_people
from facebench.statistics.roc import OperatingPoint
from facebench.statistics.searches import (
    Searches,
    cmc,
    curve_counts,
    curve_ranks,
    dir_at_counts,
    dir_at_far,
    found_at,
    ranks_of,
    search_scores,
)


@dataclass(frozen=True, eq=False)
class PreparedIdentification(PreparedProtocol):
    """Searches. people: int64[len(faces.keys)], numbers; listed, subjects: names of the people that
    the card names, and of those of whom there are probe and gallery; lists: the draws.
    """

    card: IdentificationCard
    people: NDArray[np.int64]
    listed: tuple[str, ...]
    subjects: tuple[str, ...]
    lists: tuple[SearchList, ...]

    @property
    def published_list(self) -> bool | None:
        """False where subjects or counts are not the published ones. Which image is which is not
        published, so even where they are nobody can say that the searches are.
        """
        card, counts = self.card, self.counts
        there = ("gallery images", "gallery identities", "mated probes", "non-mated probes")
        published = (card.gallery, card.identities, card.mated_probes, card.nonmated_probes)
        same = sorted(self.listed) == sorted(self.subjects)
        same = same and tuple(counts[name] for name in there) == published
        return None if same or self.faces.kind == "synthetic" else False

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> Outcome:
        """Search every draw; UserError where there are no mated or no non-mated probes.

        Searches of the first draw count as failed where the probe was not acquired, or, of a mated
        probe, no gallery face of its person: they stay among all searches and are never a hit.
        """
        self.pooling(settings)
        faces = joined(embeddings)
        projection = similarity.project(faces.vectors)
        later = self.rows_before_probes(settings)
        found = [self._searched(projection, faces, drawn, later) for drawn in self.lists]
        tables = list(map(self._table, found, self.lists))
        try:
            rates = search_rates(self._fars, self.card.ranks, found, tables)
            series = search_series(self.card, found)
        except ValueError as error:
            raise refused(self.card.name, error) from error
        first, searches = self.lists[0], found[0]
        mated = int(np.count_nonzero(searches.mated))
        lost = ~faces.acquired
        return Outcome(
            parts="draws",
            number_of_parts=len(self.lists),
            rates=rates,
            series=series,
            total=len(searches),
            mated=mated,
            nonmated=len(searches) - mated,
            subjects=int(np.unique(self.people[first.probes]).size),
            failed=int(np.count_nonzero(lost[first.probes] | _lost_in_gallery(searches))),
            fingerprint=self.fingerprint,
            rule="exact",
            draws=settings.draws,
            decided=searches_decided(self.card, rates[0], tables),
            counts=self.counts
            | {
                "gallery images not acquired": int(lost[first.gallery].sum()),
                "mated probes of one person at most": most_searched(tables[0]),
            },
        )

    @property
    def _fars(self) -> tuple[float, ...]:
        """Of an open set."""
        return self.card.fars if self.card.task == "open" else ()

    @property
    def counts(self) -> dict[str, int]:
        """Of one draw, taken from the data at hand; all draws have the same."""
        gallery, probes = self.people[self.lists[0].gallery], self.people[self.lists[0].probes]
        mated = int(np.isin(probes, gallery).sum())
        return {
            "gallery images": gallery.size,
            "gallery identities": int(np.unique(gallery).size),
            "mated probes": mated,
            "non-mated probes": probes.size - mated,
            "mated subjects": len(self.subjects),
        }

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over the faces and who is searched among whom."""
        digest = hashlib.sha256("\n".join(self.faces.keys).encode())
        for drawn in self.lists:
            for side in (drawn.gallery, drawn.probes):
                digest.update(np.append(side.size, side).astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def pooling(self, settings: Settings) -> str:
        """``none``: every face is searched by itself; UserError where a pooling was asked for."""
        refuse_pooling(self.card.name, settings)
        return "none"

    def _searched(
        self, faces: Projection, acquired: Embeddings, drawn: SearchList, later: int
    ) -> Searches:
        """later: rows from a face to it as a probe."""
        return search_faces(
            faces[drawn.gallery],
            faces[drawn.probes + later],
            self.people[drawn.gallery],
            self.people[drawn.probes],
            gallery_acquired=acquired.acquired[drawn.gallery],
            probes_acquired=acquired.acquired[drawn.probes],
        )

    def _table(self, searches: Searches, drawn: SearchList) -> SearchTable:
        return table_of(searches, self.people[drawn.probes])


def table_of(searches: Searches, people: NDArray[np.int64]) -> SearchTable:
    """What intervals are made of; people: int64[n], of the probes."""
    return SearchTable(search_scores(searches), searches.mated, people, ranks_of(searches))


def _lost_in_gallery(searches: Searches) -> NDArray[np.bool_]:
    """bool[n]: mated probes without an own score, since they or their gallery faces are lost."""
    lost: NDArray[np.bool_] = searches.mated & (searches.own == -np.inf)
    return lost


def prepare(
    card: IdentificationCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedIdentification:
    """Find the faces and draw probes and galleries; see `find_named_faces`.

    All images of the data are embedded, those that a draw leaves out too: so the open set, the
    closed set and all pairs share one set of stored embeddings. UserError: what is missing, or
    wrong.
    """
    faces = find_named_faces(card, data, settings, images=images, progress=progress)
    names, people = people_of(faces.keys)
    listed = listed_names(card)
    subjects = subjects_of(card, listed, names, people, faces.kind)
    drawn = search_lists(card, faces.keys, names, people, subjects, card.identities - len(listed))
    return PreparedIdentification(card, faces, people, tuple(listed), tuple(subjects), tuple(drawn))


def search_rates(
    fars: Sequence[float],
    ranks: Sequence[int],
    found: Sequence[Searches],
    tables: Sequence[SearchTable],
    *,
    level: float = 0.95,
) -> tuple[Rate, ...]:
    """DIR at every FAR, then the rates at the ranks; means over the draws.

    found, tables: of every draw. ValueError: probes of one kind only.
    """
    intervals = search_intervals(tables, fars, ranks, level=level)
    points = [dir_at_far(searches, fars) for searches in found] if fars else []
    rates = []
    for number, far in enumerate(fars):
        of_far = [point[number] for point in points]
        hits = [t.scores >= p.threshold for t, p in zip(tables, of_far, strict=True)]
        rate = _detection(of_far, intervals.get(dir_key(far)))
        rates.append(replace(rate, over_people=searched_people(tables, hits)))
    for rank in ranks:
        shares = [_share(searches, rank) for searches in found]
        rate = _rate("rank", rank, shares, intervals.get(rank_key(rank)))
        hits = [table.found(rank) for table in tables]
        rates.append(replace(rate, over_people=searched_people(tables, hits)))
    return tuple(rates)


def searched_people(tables: Sequence[SearchTable], hits: Sequence[NDArray[np.bool_]]) -> float:
    """The mean over tables of the rate over people; hits: bool[n] of all searches of each."""
    mated = [table.mated for table in tables]
    return over_people(
        np.concatenate([hit[own] for hit, own in zip(hits, mated, strict=True)]),
        np.repeat(np.arange(len(tables)), [np.count_nonzero(own) for own in mated]),
        np.concatenate([t.subjects[own] for t, own in zip(tables, mated, strict=True)]),
    )


def most_searched(table: SearchTable) -> int:
    """How many mated searches of a draw are of one person, at most."""
    own = table.subjects[table.mated]
    return round(most_frequent(own)[1] * own.size)


def _detection(points: Sequence[OperatingPoint], interval: Interval | None) -> Rate:
    """DIR at one FAR; a point per draw."""
    return replace(
        _rate("DIR", points[0].target, [point.tar for point in points], interval),
        reached=tuple(point.far for point in points),
        thresholds=tuple(point.threshold for point in points),
        resolvable=all(point.resolvable for point in points),
    )


def _rate(name: str, target: float, values: Sequence[float], interval: Interval | None) -> Rate:
    """The mean over draws; one draw alone has no spread."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Rate(
        name=name,
        target=target,
        value=float(np.mean(values)),
        spread=spread,
        spread_kind="standard deviation",
        per_part=tuple(values),
        interval=interval,
    )


def search_series(
    card: IdentificationCard | SearchCard, found: Sequence[Searches]
) -> tuple[Series, ...]:
    """CMC, and for an open set DIR over FAR: means over the draws at the same ranks and FARs.

    FARs are whole numbers of false alarms: y is the DIR at the largest operating point whose FAR is
    at most x.
    """
    ranks = curve_ranks(found[0].identities)
    matched = np.mean([cmc(searches)[ranks - 1] for searches in found], axis=0)
    curves = [Series("CMC", "rank", "identification rate", ranks.astype(np.float64), matched)]
    if card.fars:
        n_nonmated = int(np.count_nonzero(~found[0].mated))
        counts = curve_counts(n_nonmated)
        detected = np.mean([dir_at_counts(searches, counts) for searches in found], axis=0)
        name = "detection and identification rate"
        curves.append(Series("DIR", "false alarm rate", name, counts / n_nonmated, detected))
    return tuple(curves)


def searches_decided(
    card: IdentificationCard | SearchCard, headline: Rate, tables: Sequence[SearchTable]
) -> Decided:
    """All searches, draw after draw; decisions at the headline's thresholds, or at rank 1.

    scores: of mated probes the own score where their identity is ranked first, else -inf; ranks are
    kept where others than the first are reported.
    """
    decisions = []
    for number, table in enumerate(tables):
        if headline.thresholds:
            decisions.append(table.scores >= headline.thresholds[number])
        else:
            decisions.append(table.found(int(headline.target)))
    return Decided(
        scores=np.concatenate([table.scores for table in tables]),
        decisions=np.concatenate(decisions),
        mated=np.concatenate([table.mated for table in tables]),
        parts=np.repeat(np.arange(1, len(tables) + 1), [len(table.mated) for table in tables]),
        left_subjects=np.concatenate([table.subjects for table in tables]),
        ranks=kept_ranks(tables) if max(card.ranks, default=1) > 1 else None,
    )


def kept_ranks(tables: Sequence[SearchTable]) -> NDArray[np.uint32]:
    """uint32[n] of all searches, table after table."""
    ranks = [table.ranks for table in tables if table.ranks is not None]
    return np.concatenate(ranks).astype(np.uint32)


def _share(searches: Searches, rank: int) -> float:
    return int(found_at(searches, rank).sum()) / int(searches.mated.sum())
