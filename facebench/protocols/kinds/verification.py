"""The kind *verification*: pairs of faces in folds, decided by a threshold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.embedding.missing import require_faces
from facebench.embedding.types import Embeddings, joined
from facebench.faces.bin.source import BinSource
from facebench.faces.lfw.lists import PairList
from facebench.faces.lfw.remarks import pair_remarks
from facebench.faces.lfw.rendered import kind_of
from facebench.faces.locate import AS_BIN_FILES, installed_at, locate
from facebench.faces.tables.lists import Listing
from facebench.faces.tables.scores import GivenScores
from facebench.faces.types import Progress
from facebench.protocols.beside import list_beside
from facebench.protocols.cards import FoldsCard, VerificationCard
from facebench.protocols.groups.labels import labels_of
from facebench.protocols.groups.named import GroupOutcome, NamedLabels
from facebench.protocols.outcome import Comparisons, FoldOutcome
from facebench.protocols.prepared import (
    PreparedProtocol,
    ProtocolFaces,
    chosen_aligner,
    refuse_pooling,
    refused,
)
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity import Similarity, pair_scores
from facebench.statistics.groups.points import group_statistics
from facebench.statistics.verification import VerificationStatistics, verification_statistics


def comparisons_of(pairs: PairList) -> Comparisons:
    """The comparisons of a list of pairs.

    A list without names (a ``.bin`` file) gives every image, or mated pair, as a person of its own;
    its people are taken as unknown, not as facts.
    """
    keys = tuple(pairs.keys())
    position = {key: index for index, key in enumerate(keys)}
    people = pairs.people()
    known = any(person not in position for person in people.values())
    subjects, names = None, tuple(sorted(set(people.values()))) if known else ()
    if known:
        numbers = {name: number for number, name in enumerate(names)}
        subjects = np.array([numbers[people[key]] for key in keys], dtype=np.int64)
    return Comparisons(
        keys=keys,
        left=np.array([position[pair.left_key] for pair in pairs.pairs], dtype=np.int64),
        right=np.array([position[pair.right_key] for pair in pairs.pairs], dtype=np.int64),
        mated=np.array([pair.mated for pair in pairs.pairs], dtype=np.bool_),
        folds=np.array([pair.fold + 1 for pair in pairs.pairs], dtype=np.int64),
        subjects=subjects,
        names=names,
    )


def verification(
    card: FoldsCard,
    comparisons: Comparisons,
    scores: NDArray[np.floating],
    acquired: NDArray[np.bool_],
    *,
    rule: str = "exact",
    draws: int = 1000,
) -> VerificationStatistics:
    """The card's statistics of scores float[n] of its comparisons.

    acquired: bool[n], False where a face of the comparison was not; draws: of the bands of curves.
    UserError where the list cannot carry them: one fold only, comparisons of one kind only.
    """
    left = right = None
    if comparisons.subjects is not None:
        left = comparisons.subjects[comparisons.left]
        right = comparisons.subjects[comparisons.right]
    try:
        return verification_statistics(
            scores,
            comparisons.mated,
            comparisons.folds,
            left,
            right,
            acquired,
            rule=rule,
            targets=card.targets,
            draws=draws,
        )
    except ValueError as error:
        raise refused(card.name, error) from error


SINGLE_FACES = "none (single faces)"


@dataclass(frozen=True, eq=False)
class PreparedVerification(PreparedProtocol):
    """Pairs of faces in folds. list_named: the user named another list than the card's; labels: of
    its groups.
    """

    card: VerificationCard
    comparisons: Comparisons
    list_named: bool = False
    labels: tuple[NamedLabels, ...] = ()

    @property
    def published_list(self) -> bool | None:
        """Whether the comparisons are the protocol's published ones; None where none can tell.

        That is so for rendered faces, whose notice says enough, for a ``.bin`` file, which numbers
        its images, and for a card without ``pairs`` whose own list was read.
        """
        if self.faces.kind == "synthetic" or isinstance(self.faces.source, BinSource):
            return None
        if self.card.pairs is not None:
            return self.comparisons.fingerprint == self.card.pairs
        published = self.card.pair_list or self.card.parts or self.card.dataset in AS_BIN_FILES
        return False if published and self.list_named else None

    @property
    def named_people(self) -> frozenset[str]:
        """As its list says; a ``.bin`` file names nobody."""
        named = self.comparisons.people
        return super().named_people if named is None else named

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> FoldOutcome:
        """Scores of the pairs, and the card's statistics of them."""
        faces, left = joined(embeddings), self.comparisons.left
        right = self.comparisons.right + self.rows_before_probes(settings)
        scores = pair_scores(faces, left, right, similarity)
        return self._outcome(scores, faces.acquired[left] & faces.acquired[right], settings)

    def scored(self, given: GivenScores, settings: Settings) -> FoldOutcome:
        """As `run`, of scores that were computed elsewhere."""
        keys, compared = self.comparisons.keys, self.comparisons
        left = [keys[index] for index in compared.left.tolist()]
        right = [keys[index] for index in compared.right.tolist()]
        scores = given.of(left, right, settings.on_missing)
        return self._outcome(scores, scores > -np.inf, settings)

    def _outcome(
        self, scores: NDArray[np.float64], acquired: NDArray[np.bool_], settings: Settings
    ) -> FoldOutcome:
        statistics = verification(
            self.card,
            self.comparisons,
            scores,
            acquired,
            rule=settings.rule,
            draws=settings.draws,
        )
        groups = tuple(self._of_groups(one, scores, settings) for one in self.labels)
        return FoldOutcome(self.comparisons, scores, statistics, self.card.spread, groups)

    def _of_groups(
        self, labels: NamedLabels, scores: NDArray[np.float64], settings: Settings
    ) -> GroupOutcome:
        found = group_statistics(
            scores,
            self.comparisons.units,
            labels.labelled,
            self.card.targets,
            draws=settings.draws,
            seed=settings.seed,
        )
        return GroupOutcome(labels, found)

    def pooling(self, settings: Settings) -> str:
        """None: every comparison is of single faces."""
        refuse_pooling(self.card.name, settings)
        return SINGLE_FACES


def prepare(
    card: VerificationCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedVerification:
    """Find a protocol's faces and pairs. images: False where embeddings are given instead of them.

    progress: told of every synthetic face that is rendered. UserError: what is missing or wrong.
    """
    listing = listing_of(card)
    named = settings.pairs is not None
    if not images and data is None:
        there = installed_at(card.dataset) is not None
        if (own := settings.pairs or (None if there else listing.file)) is not None:
            return _unseen(card, listing.read(own), str(own), named, settings)
        if not there:
            raise UserError(
                f"protocol {card.name}: embeddings and scores need the list of pairs: name it with "
                "--pairs, or the images with --data; a table of scores with a column same (1: one "
                "person, 0: two) is that list, too"
            )
    located = locate(card.dataset, data, pairs=settings.pairs, listing=listing, progress=progress)
    source, comparisons = located.source, comparisons_of(located.pairs)
    if images and settings.on_missing == "error":  # before the aligner misses their landmarks
        require_faces(source, comparisons.keys)
    faces = ProtocolFaces(
        comparisons.keys,
        source.name,
        source.kind,
        source,
        chosen_aligner(located, settings) if images else None,
        located.notice,
        pair_remarks(located.pairs),
    )
    labels = labels_of(
        card, settings, located.pairs, comparisons, source, None if data is None else Path(data)
    )
    return PreparedVerification(card, faces, comparisons, named, labels)


def listing_of(card: VerificationCard) -> Listing:
    """What a card says of its list."""
    return Listing(
        list_beside(card),
        card.pair_list or next(iter(card.parts.values()), ""),
        card.images,
        {str(ours): theirs for ours, theirs in card.columns.items()},
        card.folds,
        card.seed,
        card.get,
        card.parts,
        card.part_column,
    )


def _unseen(
    card: VerificationCard, pairs: PairList, where: str, named: bool, settings: Settings
) -> PreparedVerification:
    """Lists alone. Rendered faces are known by their names, and are never taken for photographs."""
    comparisons, kind = comparisons_of(pairs), kind_of(pairs, where)
    faces = ProtocolFaces(comparisons.keys, card.dataset, kind, list_remarks=pair_remarks(pairs))
    labels = labels_of(card, settings, pairs, comparisons)
    return PreparedVerification(card, faces, comparisons, named, labels)
