"""The kind *search*: probes in a gallery with distractors, which is read part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.rows.spool import in_order
from facebench.embedding.types import Embeddings, joined
from facebench.faces.distractors import Crowd
from facebench.faces.lfw.rendered import kind_of_people
from facebench.faces.locate import locate_images
from facebench.faces.tables.galleries import ListedSearch, read_search
from facebench.faces.types import Progress
from facebench.protocols.beside import file_beside, folders_of
from facebench.protocols.cards import SearchCard
from facebench.protocols.kinds.identification import (
    most_searched,
    search_rates,
    search_series,
    searches_decided,
    table_of,
)
from facebench.protocols.outcome import Outcome
from facebench.protocols.prepared import (
    PreparedProtocol,
    ProtocolFaces,
    chosen_aligner,
    refuse_pooling,
    refused,
)
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity.base import Projection, Similarity
from facebench.similarity.galleries.approximate import ApproximateSearch
from facebench.similarity.galleries.flat import FlatWalk
from facebench.similarity.galleries.index import GalleryIndex, faiss_for, index_of
from facebench.similarity.galleries.walk import FloatWalk, GallerySearch, Walker

_DEPTH = 50  # faces that an approximate index returns, at least
SLAB = 1 << 16  # gallery faces that are searched together: 32 MiB of 128 numbers


@dataclass(frozen=True, eq=False)
class PreparedSearch(PreparedProtocol):
    """Searches of a list."""

    card: SearchCard
    listed: ListedSearch

    @property
    def published_list(self) -> bool | None:
        """Whether the list has the card's fingerprint; None: the card pins none."""
        return None if self.card.searches is None else self.card.searches == self.listed.fingerprint

    @property
    def named_people(self) -> frozenset[str]:
        """Who is searched and enrolled, by name."""
        return frozenset(self.listed.names.values())

    def keys(self, settings: Settings) -> tuple[str, ...]:
        """Probes, then the gallery of their people, then all else, identity by identity."""
        return self.listed.images

    def pooling(self, settings: Settings) -> str:
        """``none``: every face is searched by itself; UserError where a pooling was asked for."""
        refuse_pooling(self.card.name, settings)
        return "none"

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> Outcome:
        """Search all probes; UserError where no probe is of a person in the gallery, or, where the
        card has FARs, none is of another.

        Failed are searches as of the kind identification: they stay in every number.
        """
        self.pooling(settings)
        listed, people = self.listed, self.listed.people[: self.listed.probes]
        reader = _Reader(in_order(embeddings, listed.images))
        search, failed, lost = self._searched(reader, similarity, index_of(settings.index))
        searches = search.searches()
        tables = [table_of(searches, people)]
        try:
            rates = search_rates(self.card.fars, self.card.ranks, [searches], tables)
            series = search_series(self.card, [searches])
        except ValueError as error:
            raise refused(self.card.name, error) from error
        mated = int(np.count_nonzero(searches.mated))
        return Outcome(
            parts="draws",
            number_of_parts=1,
            rates=rates,
            series=series,
            total=len(searches),
            mated=mated,
            nonmated=len(searches) - mated,
            subjects=int(np.unique(people).size),
            failed=failed,
            fingerprint=listed.fingerprint,
            rule=self._rule(index_of(settings.index)),
            draws=settings.draws,
            decided=searches_decided(self.card, rates[0], tables),
            counts=self.counts
            | {
                "gallery images not acquired": lost,
                "mated probes of one person at most": most_searched(tables[0]),
            },
            recall=search.recall() if isinstance(search, ApproximateSearch) else None,
            searched_by=search.walker.name if isinstance(search, GallerySearch) else "",
        )

    @property
    def _depth(self) -> int:
        """How many faces an approximate index returns of each search."""
        return max(_DEPTH, *self.card.ranks)

    def _rule(self, index: GalleryIndex) -> str:
        """Of thresholds; numbers of an approximate index are compared with none but its own."""
        return "exact" if index.exact else f"exact, index={index.recorded(self._depth)}"

    @property
    def counts(self) -> dict[str, int]:
        """Of images and identities; distractors are in the gallery."""
        listed = self.listed
        probes = listed.people[: listed.probes]
        mated = int(np.count_nonzero(probes < listed.identities))
        return {
            "gallery images": len(listed.images) - listed.probes,
            "gallery identities": listed.identities,
            "distractors": int(np.count_nonzero(listed.distractors)),
            "mated probes": mated,
            "non-mated probes": listed.probes - mated,
        }

    def _searched(
        self, reader: _Reader, similarity: Similarity, index: GalleryIndex
    ) -> tuple[GallerySearch | ApproximateSearch, int, int]:
        """(the search, how many failed, gallery images not acquired)."""
        listed = self.listed
        probes = reader.take(listed.probes)
        people = listed.people[: listed.probes]
        inside = np.where(people < listed.identities, people, -1)
        faces_of_probes = _projected(similarity, probes), inside, listed.identities, probes.acquired
        search: GallerySearch | ApproximateSearch
        if index.exact:
            walker: Walker = FlatWalk() if index.kind == "flat" else FloatWalk()
            search = GallerySearch(*faces_of_probes, walker=walker)
        else:
            search = ApproximateSearch(*faces_of_probes, index=index, depth=self._depth)
        present = np.zeros(listed.identities, dtype=np.bool_)
        lost, row = 0, listed.probes
        for count in self._slabs():
            part = reader.take(count)
            faces = _projected(similarity, part), listed.people[row : row + count], part.acquired
            if row < listed.probes + listed.mates:
                search.enrol(*faces)
            search.add(*faces)
            present[faces[1][part.acquired]] = True
            lost, row = lost + int(np.count_nonzero(~part.acquired)), row + count
        reader.finish()
        alone = (inside >= 0) & ~present[inside]  # no gallery face of theirs was acquired
        return search, int(np.count_nonzero(~probes.acquired | alone)), lost

    def _slabs(self) -> Iterator[int]:
        """How many images each part of the gallery has: first all of searched people, whose scores
        all others are held against, then about `SLAB`, cut between identities.
        """
        listed = self.listed
        if listed.mates:
            yield listed.mates
        rest = listed.people[listed.probes + listed.mates :]
        start = 0
        while start < len(rest):
            end = min(start + SLAB, len(rest))
            end = int(np.searchsorted(rest, rest[end - 1], side="right"))
            yield end - start
            start = end


class _Reader:
    """So many rows at a time of embeddings in parts."""

    def __init__(self, parts: Iterable[Embeddings]) -> None:
        self._parts = iter(parts)
        self._left: Embeddings | None = None

    def take(self, count: int) -> Embeddings:
        """The next rows."""
        found: list[Embeddings] = []
        while count:
            part = self._left or next(self._parts)
            self._left = None
            if len(part.keys) > count:
                self._left = _rows(part, slice(count, None))
                part = _rows(part, slice(0, count))
            found.append(part)
            count -= len(part.keys)
        return joined(found)

    def finish(self) -> None:
        """Go past the end, where whoever gives parts refuses what is wrong with all of them."""
        for _ in self._parts:
            raise AssertionError("more embeddings than faces")


def _rows(part: Embeddings, rows: slice) -> Embeddings:
    return Embeddings(part.keys[rows], part.vectors[rows], part.acquired[rows])


def _projected(similarity: Similarity, part: Embeddings) -> Projection:
    """The projection; of no acquired face, whose dimension is not known, nothing."""
    if not part.vectors.shape[1]:
        return Projection(np.zeros((len(part.keys), 1), np.float32), np.zeros(len(part.keys)))
    return similarity.project(part.vectors)


def prepare(
    card: SearchCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedSearch:
    """Read the list, and find its images where there is a model. UserError: what is missing or
    wrong.
    """
    if settings.pairs is not None:
        path: Path | None = Path(settings.pairs)
    else:
        path = file_beside(card, "search_list", card.search_list)
    if path is None:
        places = ", ".join(str(folder) for folder in dict.fromkeys(folders_of(card)))
        raise UserError(f"protocol {card.name}: there is no list {card.search_list} in {places}")
    if settings.index != "exact":
        faiss_for(settings.index)
    listed = read_search(path)
    keys = tuple(sorted(listed.images))
    if not images:
        kind = kind_of_people(set(listed.names.values()), str(path))
        return PreparedSearch(card, ProtocolFaces(keys, card.dataset, kind), listed)
    located = locate_images(card.dataset, data, progress=progress)
    source, aligner = located.source, chosen_aligner(located, settings)
    if settings.distractors is not None:
        source = Crowd(source, settings.distractors, _distractors(listed, card, path))
    faces = ProtocolFaces(keys, source.name, source.kind, source, aligner, located.notice)
    return PreparedSearch(card, faces, listed)


def _distractors(listed: ListedSearch, card: SearchCard, path: Path) -> list[str]:
    rows: NDArray[np.int64] = np.flatnonzero(listed.distractors)
    if not rows.size:
        raise UserError(
            f"protocol {card.name}: --distractors has no effect, since {path} names none; leave it "
            "out"
        )
    return [listed.images[row] for row in rows]
