"""The kind *all pairs*: verification at every pair of a data set's faces."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.progress import counting_bar
from facebench.embedding.types import Embeddings, joined
from facebench.faces.types import Progress
from facebench.protocols.cards import AllPairsCard
from facebench.protocols.kinds.named_faces import find_named_faces, people_of
from facebench.protocols.outcome import Outcome, Rate, Series
from facebench.protocols.pair_parts import PairParts
from facebench.protocols.prepared import PreparedProtocol, refuse_pooling, refused
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity.base import Projection, Similarity, score_block
from facebench.similarity.tiles import Tiles
from facebench.statistics.all_pairs.points import (
    PairTail,
    tail_curve,
    tail_over_people,
    tail_points,
)
from facebench.statistics.all_pairs.walk import walk_pairs
from facebench.statistics.intervals.all_pairs import MOST_TAIL, tail_length, walk_with_draws
from facebench.statistics.intervals.exact import (
    Interval,
    exact_binomial,
    percentile_interval,
    tar_key,
)
from facebench.statistics.paired import all_agree
from facebench.statistics.roc import OperatingPoint, allowed_false_accepts

LEVEL = 0.95
ALL = (0, 1)  # the one part that is everything
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class MadePart:
    """A part of the pairs that is kept now. pairs: of it, None: it was there before; present,
    of: how many parts are there.
    """

    pairs: int | None
    seconds: float
    present: int
    of: int


@dataclass(frozen=True, eq=False)
class PreparedAllPairs(PreparedProtocol):
    """All pairs of faces. people: int64[len(faces.keys)], the number of each face's person."""

    card: AllPairsCard
    people: NDArray[np.int64]

    @property
    def published_list(self) -> bool | None:
        """Whether photographs are as many as published."""
        if self.faces.kind == "synthetic":
            return None
        n = len(self.people)
        return n * (n - 1) // 2 == self.card.comparisons

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> Outcome:
        """TAR at the card's FARs, without an interval and with a warning where the false accepts
        hang on too few people for one.

        UserError: no mated or no non-mated pairs, scores that are NaN or infinite.
        """
        self.pooling(settings)
        faces = joined(embeddings)
        rows = self._projected(faces, similarity)
        n, targets = len(faces.keys), self.card.targets
        parts = PairParts.of(rows, self.people, faces.acquired) if settings.store else None

        def walk(length: int, part: tuple[int, int] = ALL) -> PairTail:
            title = f"pairs of {self.card.name}"
            with counting_bar(title, settings.progress, "pairs") as advance:
                return self._walk(rows, faces.acquired, length, part, advance)

        def found_or_walked(length: int) -> PairTail:
            found = None if parts is None else parts.whole(walk, length)
            return walk(length) if found is None else found

        try:
            pairs, drawn = walk_with_draws(
                found_or_walked,
                targets,
                length=tail_length(targets, n * (n - 1) // 2, settings.draws),
                draws=settings.draws,
                seed=settings.seed,
            )
        except ValueError as error:
            raise refused(self.card.name, error) from error
        points = tail_points(pairs, targets)
        if settings.draws:
            self._warn([t for t in targets if tar_key(t) not in drawn], pairs)
        return Outcome(
            parts="splits",
            number_of_parts=1,
            rates=tuple(_rate(p, pairs, drawn.get(tar_key(p.target))) for p in points),
            series=(_roc(pairs, targets),),
            total=pairs.n_mated + pairs.n_nonmated,
            mated=pairs.n_mated,
            nonmated=pairs.n_nonmated,
            subjects=int(pairs.faces.size),
            failed=pairs.failed,
            fingerprint=hashlib.sha256("\n".join(faces.keys).encode()).hexdigest()[:16],
            rule="exact",
            draws=settings.draws,
            decided=None,
            counts={
                "faces": n,
                "faces not acquired": int(np.count_nonzero(~faces.acquired)),
                "most images of one person": int(pairs.faces.max()),
                "most mated pairs of one person": int(pairs.own.max()),
            },
        )

    def pooling(self, settings: Settings) -> str:
        """``none``: every face is compared by itself; UserError where a pooling was asked for."""
        refuse_pooling(self.card.name, settings)
        return "none"

    def _projected(self, faces: Embeddings, similarity: Similarity) -> Projection:
        """UserError: faces that the similarity maps to NaN or infinity."""
        rows = similarity.project(faces.vectors)
        finite = np.isfinite(rows.rows).all(axis=1) & np.isfinite(rows.bias)
        broken = np.flatnonzero(faces.acquired & ~finite)
        if broken.size:
            raise UserError(
                f"protocol {self.card.name}: this model's scores under {similarity.signature} are "
                f"NaN or infinite for {broken.size:,} faces, first {faces.keys[broken[0]]}; look "
                "at its embeddings there, or choose another similarity"
            )
        return rows

    def make_part(
        self,
        embeddings: Iterable[Embeddings],
        similarity: Similarity,
        settings: Settings,
        part: tuple[int, int],
    ) -> MadePart:
        """Walk one of n parts of the pairs, from 0, and keep it where `run` finds it; with a store
        one that is there already stays. Its bits are the same whatever the number of parts and of
        threads.

        UserError: as of `run`.
        """
        self.pooling(settings)
        faces = joined(embeddings)
        rows = self._projected(faces, similarity)
        n = len(faces.keys)
        parts, mine = PairParts.of(rows, self.people, faces.acquired), 0
        length = max(MOST_TAIL, tail_length(self.card.targets, n * (n - 1) // 2, draws=1))
        started = perf_counter()
        if settings.store and parts.has(part, length):
            return MadePart(None, 0.0, len(parts.present(part[1])), part[1])
        try:
            with counting_bar(f"pairs of {self.card.name}", settings.progress, "pairs") as shown:

                def advance(done: int, whole: int) -> None:
                    nonlocal mine
                    mine = whole
                    shown(done, whole)

                found = self._walk(rows, faces.acquired, length, part, advance)
        except ValueError as error:
            raise refused(self.card.name, error) from error
        parts.write(part, found)
        return MadePart(mine, perf_counter() - started, len(parts.present(part[1])), part[1])

    def _walk(
        self,
        rows: Projection,
        acquired: NDArray[np.bool_],
        tail: int,
        part: tuple[int, int],
        advance: Callable[[int, int], None],
    ) -> PairTail:
        return walk_pairs(
            lambda a, b: score_block(rows[a], rows[b]),
            self.people,
            acquired=acquired,
            tail=tail,
            part=part,
            rough=Tiles.of(rows),
            advance=advance,
        )

    def _warn(self, targets: Sequence[float], pairs: PairTail) -> None:
        """Tell why targets have no interval."""
        if targets:
            _LOG.warning(
                "protocol %s: TAR at FAR %s has no interval: in a resample of the people more "
                "non-mated pairs are accepted than the %s that are kept, since few people have "
                "most of the false accepts",
                self.card.name,
                ", ".join(f"{target:g}" for target in targets),
                f"{pairs.tail.size:,}",
            )


def prepare(
    card: AllPairsCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedAllPairs:
    """Find all faces; see `find_named_faces`. UserError: what is missing or wrong."""
    faces = find_named_faces(card, data, settings, images=images, progress=progress)
    _, people = people_of(faces.keys)
    return PreparedAllPairs(card, faces, people)


def _rate(point: OperatingPoint, pairs: PairTail, drawn: NDArray[np.float64] | None) -> Rate:
    return Rate(
        name="TAR",
        target=point.target,
        value=point.tar,
        spread=0.0,  # one part: there is nothing to spread over
        spread_kind="standard deviation",
        per_part=(point.tar,),
        reached=(point.far,),
        thresholds=(point.threshold,),
        resolvable=point.resolvable,
        interval=None if drawn is None else _interval(point, pairs, drawn),
        over_people=tail_over_people(pairs, point),
        drawn=drawn,
    )


def _interval(point: OperatingPoint, pairs: PairTail, drawn: NDArray[np.float64]) -> Interval:
    """Percentiles of the draws; the exact one for the people of mated pairs where all draws agree,
    of which these tell nothing.
    """
    found = percentile_interval(drawn, LEVEL, "subjects")
    if not all_agree(drawn):
        return found
    people = int(np.count_nonzero(pairs.own))
    low, high = exact_binomial(point.tar, people, LEVEL)
    return Interval(low, high, LEVEL, f"exact for {people:,} subjects, all alike")


def _roc(pairs: PairTail, targets: tuple[float, ...]) -> Series:
    """Up to the largest target: of the non-mated scores below it nothing is kept."""
    most = max(allowed_false_accepts(target, pairs.n_nonmated) for target in targets)
    curve = tail_curve(pairs, most)
    return Series("ROC", "false accept rate", "true accept rate", curve.far, curve.tar)
