"""What a protocol's runner hands to reporting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facebench.protocols.cards import SpreadKind
from facebench.protocols.groups.named import GroupOutcome
from facebench.similarity.galleries.approximate import Recall
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.verification import VerificationStatistics


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Comparisons of single faces, in the order of the protocol's list.

    keys: every face once, sorted. left, right: int64[n], positions in keys. mated: bool[n]. folds:
    int64[n], from 1. subjects: int64[len(keys)], numbers of the people, or None where the list does
    not say who they are; names: of the people by their numbers, where the list has names.
    """

    keys: tuple[str, ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    mated: NDArray[np.bool_]
    folds: NDArray[np.int64]
    subjects: NDArray[np.int64] | None
    names: tuple[str, ...] = field(default=(), kw_only=True)

    def __len__(self) -> int:
        return len(self.mated)

    @property
    def named(self) -> dict[str, str]:
        """Who is in each face, by its key; nothing where the list has no names."""
        if self.subjects is None or not self.names:
            return {}
        return {key: self.names[of] for key, of in zip(self.keys, self.subjects, strict=True)}

    @property
    def people(self) -> frozenset[str] | None:
        """The names of all who are in its faces; None: the list has none."""
        return frozenset(self.named.values()) or None

    @property
    def units(self) -> Units:
        """The people of every comparison, or comparisons where the list does not say who they are.

        ValueError: labels and people contradict each other.
        """
        people = self.subjects
        left = None if people is None else people[self.left]
        right = None if people is None else people[self.right]
        return Units.of(self.mated, left, right, "comparisons")

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over the pairs, their labels and their folds."""
        digest = hashlib.sha256("\n".join(self.keys).encode())
        for array in (self.left, self.right, self.mated.astype(np.int64), self.folds):
            digest.update(array.astype("<i8").tobytes())
        return digest.hexdigest()[:16]


Parts = Literal["draws", "splits"]


@dataclass(frozen=True, eq=False)
class Rate:
    """One headline number: its mean over draws or splits, and how sure it is.

    name: as the protocol's paper says it, e.g. ``DIR``, ``TAR``, ``TPIR``, ``rank``; target: the
    FAR or FPIR, or the rank; per_part: the value of every draw or split; reached: the FAR or FPIR
    that each reached (empty for ranks); thresholds: likewise; spread: over the parts;
    resolvable: whether every part has enough non-mated comparisons for the target; over_people: the
    same rate with every person counted once, however often searched or compared, None: not told;
    drawn: float64[draws], its value in every draw of the bootstrap, where nothing else lets two
    models be compared.
    """

    name: str
    target: float
    value: float
    spread: float
    spread_kind: SpreadKind
    per_part: tuple[float, ...]
    reached: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    resolvable: bool = True
    interval: Interval | None = None
    over_people: float | None = None
    drawn: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """A curve to draw. name: ``ROC``, ``CMC``, ``DIR``; x ascending, y: float64, equally long;
    steps: drawn as steps from each point on, on a logarithmic x where ``log`` says so.
    """

    name: str
    x_label: str
    y_label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    log: bool = True


@dataclass(frozen=True, eq=False)
class Decided:
    """What paired tests need later, a row per comparison or search.

    scores: float64[n], -inf for a failure to acquire; decisions, mated: bool[n], a search's
    decision being whether its own identity was found (mated) or anybody was (non-mated); parts:
    int64[n], the draw or split from 1; left_subjects, right_subjects: int64[n], or None; ranks:
    uint32[n], of each search's own identity, 0 where it is found at none; None where only the first
    rank counts and scores are -inf of all others. labels: of groups, as
    `facebench.records.scores.ScoreTable` has them.
    """

    scores: NDArray[np.floating]
    decisions: NDArray[np.bool_]
    mated: NDArray[np.bool_]
    parts: NDArray[np.int64]
    left_subjects: NDArray[np.int64] | None = None
    right_subjects: NDArray[np.int64] | None = None
    ranks: NDArray[np.uint32] | None = None
    labels: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FoldOutcome:
    """Of verification and video: comparisons (of faces, or of videos: keys are their names), their
    scores float64[n], -inf for failures to acquire, and the statistics over folds. spread_kind: of
    the accuracy's ±; groups: of every column of labels.
    """

    comparisons: Comparisons
    scores: NDArray[np.float64]
    statistics: VerificationStatistics
    spread_kind: SpreadKind
    groups: tuple[GroupOutcome, ...] = ()

    @property
    def decided(self) -> Decided:
        """What paired tests need later."""
        compared, people = self.comparisons, self.comparisons.subjects
        return Decided(
            scores=self.scores,
            decisions=self.statistics.accuracy.decisions,
            mated=compared.mated,
            parts=compared.folds,
            left_subjects=None if people is None else people[compared.left],
            right_subjects=None if people is None else people[compared.right],
            labels={k: v for one in self.groups for k, v in one.labels.tensors().items()},
        )


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a protocol. The first rate is the headline.

    total, mated, nonmated: comparisons (searches for identification), those of one draw, or of all
    splits; subjects: people among them, None: unknown; failed: those with a face or template that
    was not acquired; fingerprint: 16 hexadecimal digits over the lists; counts: further numbers
    for the caption, e.g. {"gallery images": 3143}; draws: of the bootstrap; decided: None where
    there are too many to keep; recall: of an approximate index; searched_by: what made candidates,
    on which no number depends.
    """

    parts: Parts
    number_of_parts: int
    rates: tuple[Rate, ...]
    series: tuple[Series, ...]
    total: int
    mated: int
    nonmated: int
    subjects: int | None
    failed: int
    fingerprint: str
    rule: str
    draws: int
    decided: Decided | None
    counts: dict[str, int] = field(default_factory=dict)
    recall: Recall | None = None
    searched_by: str = ""
