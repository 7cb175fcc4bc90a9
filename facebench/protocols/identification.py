"""The kind *identification*: probes searched in a gallery, open or closed set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.types import Embeddings
from facebench.faces.locate import Progress
from facebench.faces.types import Aligner, DataKind, FaceSource
from facebench.protocols.cards import IdentificationCard
from facebench.protocols.named_faces import find_named_faces, people_of
from facebench.protocols.outcome import Outcome
from facebench.protocols.prepared import FaceFiles
from facebench.protocols.refused import refused
from facebench.protocols.running import Choices, Embed, PreparedRun, refuse_pooling
from facebench.protocols.search_lists import (
    SearchList,
    listed_names,
    search_lists,
    subjects_of,
)
from facebench.protocols.search_outcome import (
    most_searched,
    search_rates,
    search_series,
    searches_decided,
)
from facebench.similarity.base import Projection, Similarity, score_block
from facebench.statistics.identification import ranks_of, search_scores
from facebench.statistics.search_intervals import SearchTable
from facebench.statistics.searching import Searches, search


@dataclass(eq=False)
class PreparedIdentification(PreparedRun):
    """See `PreparedRun`. people: int64[len(keys)], numbers; subjects: of how many people there are
    probe and gallery; lists: the draws.
    """

    card: IdentificationCard
    source: FaceSource | None
    aligner: Aligner | None
    name: str
    kind: DataKind
    told: str | None
    keys: tuple[str, ...]
    published_list: bool | None
    contents: str | None
    label: str
    people: NDArray[np.int64]
    subjects: int
    lists: tuple[SearchList, ...]

    def run(self, embed: Embed, similarity: Similarity, choices: Choices) -> Outcome:
        """Search every draw; UserError where there are no mated or no non-mated probes.

        Searches of the first draw count as failed where the probe was not acquired, or, of a mated
        probe, no gallery face of its person: they stay among all searches and are never a hit.
        """
        self.pooling(choices)
        faces = embed.all(self.keys)
        projection = similarity.project(faces.vectors)
        found = [self._searched(projection, faces, drawn) for drawn in self.lists]
        tables = list(map(self._table, found, self.lists))
        try:
            rates = search_rates(self.card, found, tables)
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
            draws=choices.draws,
            decided=searches_decided(self.card, rates[0], tables),
            counts=self.counts
            | {
                "gallery images not acquired": int(lost[first.gallery].sum()),
                "mated probes of one person at most": most_searched(tables[0]),
            },
        )

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
            "mated subjects": self.subjects,
        }

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over the faces and who is searched among whom."""
        digest = hashlib.sha256("\n".join(self.keys).encode())
        for drawn in self.lists:
            for side in (drawn.gallery, drawn.probes):
                digest.update(np.append(side.size, side).astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def pooling(self, choices: Choices) -> str:
        """``none``: every face is searched by itself; UserError where a pooling was asked for."""
        refuse_pooling(self.card.name, choices)
        return "none"

    def _searched(self, faces: Projection, acquired: Embeddings, drawn: SearchList) -> Searches:
        return search(
            lambda g, p: score_block(faces[drawn.gallery[g]], faces[drawn.probes[p]]),
            self.people[drawn.gallery],
            self.people[drawn.probes],
            gallery_acquired=acquired.acquired[drawn.gallery],
            probes_acquired=acquired.acquired[drawn.probes],
        )

    def _table(self, searches: Searches, drawn: SearchList) -> SearchTable:
        return SearchTable(
            search_scores(searches),
            searches.mated,
            self.people[drawn.probes],
            ranks_of(searches),
        )


def _lost_in_gallery(searches: Searches) -> NDArray[np.bool_]:
    """bool[n]: mated probes without an own score, since they or their gallery faces are lost."""
    return searches.mated & (searches.own == -np.inf)


def prepare(
    card: IdentificationCard,
    files: FaceFiles,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedIdentification:
    """Find the faces and draw probes and galleries; see `find_named_faces`.

    All images of the data are embedded, those that a draw leaves out too: so the open set, the
    closed set and all pairs share one set of stored embeddings. UserError: what is missing, or
    wrong.
    """
    faces = find_named_faces(card, files, images=images, progress=progress)
    names, people = people_of(faces.keys)
    listed = listed_names(card)
    subjects = subjects_of(card, listed, names, people, faces.kind)
    drawn = search_lists(card, faces.keys, names, people, subjects, card.identities - len(listed))
    prepared = PreparedIdentification(
        card=card,
        published_list=None,
        people=people,
        subjects=len(subjects),
        lists=tuple(drawn),
        **vars(faces),
    )
    if faces.kind == "real" and not _as_published(card, listed, subjects, prepared.counts):
        prepared.published_list = False
    return prepared


def _as_published(
    card: IdentificationCard, listed: Sequence[str], subjects: Sequence[str], counts: dict[str, int]
) -> bool:
    """Whether subjects and counts are the published ones. Which image is which is not published, so
    even then nobody can say that the searches are.
    """
    return sorted(listed) == sorted(subjects) and (
        counts["gallery images"],
        counts["gallery identities"],
        counts["mated probes"],
        counts["non-mated probes"],
    ) == (card.gallery, card.identities, card.mated_probes, card.nonmated_probes)
