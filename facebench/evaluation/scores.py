"""Scores in, honest statistics out: for those who have scores and no faces.

The numbers, intervals and kinds are those of a record of the same scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.base.errors import UserError, nearest
from facebench.evaluation.build import accuracy_section, rate_section, roc_estimates
from facebench.protocols.kinds.identification import search_rates
from facebench.records.frames import Shown, estimate_row, frame_of
from facebench.records.sections import AccuracySection, Estimate
from facebench.statistics.checks import (
    AnyFloatArray,
    BoolArray,
    IntArray,
    checked_comparisons,
    checked_level,
    checked_scores,
)
from facebench.statistics.folds import ten_fold_accuracy
from facebench.statistics.given import (
    SubjectPair,
    given_array,
    given_fars,
    given_mated,
    given_people,
    given_scores,
    given_subjects,
    refused_in,
)
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.searches import SearchTable
from facebench.statistics.searches import ranks_of, search, search_scores
from facebench.statistics.verification import accuracy_interval, roc_statistics

if TYPE_CHECKING:
    from pandas import DataFrame

FARS = (0.1, 0.01, 0.001)
SEARCH_FARS = (0.01, 0.1, 0.001)


@dataclass(frozen=True, eq=False)
class ScoreStatistics(Shown):
    """What scores tell, by the names that rules and reports use: ``found["TAR@FAR=0.01"].value``.

    statistics: every number with its interval, the headline first, as a record holds them. total,
    mated, nonmated: comparisons, or searches; subjects: people in them, None where nobody said;
    failures: comparisons or searches with a failure to acquire, which count in every number.
    """

    statistics: Mapping[str, Estimate]
    total: int
    mated: int
    nonmated: int
    subjects: int | None
    failures: int

    def __getitem__(self, name: str) -> Estimate:
        """The statistic of that name; UserError with the nearest where there is none."""
        if name not in self.statistics:
            known = list(self.statistics)
            raise UserError(f"no statistic {name!r}{nearest(name, known)} ({', '.join(known)})")
        return self.statistics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.statistics)

    def __len__(self) -> int:
        return len(self.statistics)

    def to_frame(self) -> DataFrame:
        """One row for every statistic; shares."""
        return frame_of(estimate_row(name, one) for name, one in self.statistics.items())


def verification(
    scores: ArrayLike,
    mated: ArrayLike,
    folds: ArrayLike | None = None,
    subjects: SubjectPair | None = None,
    *,
    fars: Sequence[float] = FARS,
    rule: str = "exact",
    level: float = 0.95,
) -> ScoreStatistics:
    """Accuracy over folds, AUC, EER and TAR at FARs of scores, each with its interval.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        A score for every comparison of two faces; higher is more alike. ``-inf`` is a failure to
        acquire: such a comparison stays in every number and is never accepted.
    mated : array_like of bool, shape (n,)
        Whether both faces are of one person; 1 and 0 will do.
    folds : array_like of int, shape (n,), optional
        The fold of every comparison, two folds at least. Each is decided at the threshold that is
        best on the others. Without folds there is no accuracy, since a threshold must not be chosen
        on the comparisons that it is tested on.
    subjects : pair of array_like, each of shape (n,), optional
        The person on the left and on the right of every comparison, as names or numbers. With them
        intervals allow for comparisons that share a person; without, they take comparisons for
        independent and are too narrow where people come back.
    fars : sequence of float, optional
        The false accept rates at which TAR is wanted.
    rule : str, optional
        How a fold's threshold is chosen: ``exact``, or ``facenet-grid`` to reproduce its numbers.
    level : float, optional
        Of the intervals.

    Returns
    -------
    ScoreStatistics
        ``accuracy`` (where folds are given), ``auc``, ``eer``, ``TAR@FAR=0.1`` and so on, each with
        ``value`` and ``interval``: what a record of the same scores holds.

    Raises
    ------
    UserError
        NaN or +inf among the scores, lists of different lengths, only one kind of comparison, a
        mated comparison of two people, a FAR outside (0, 1], one fold only.

    Examples
    --------
    >>> import facebench
    >>> scores = [0.9, 0.8, 0.35, 0.7, 0.2, 0.4, 0.1, 0.5]
    >>> mated = [True, True, True, True, False, False, False, False]
    >>> found = facebench.verification(scores, mated, folds=[1, 1, 2, 2, 1, 1, 2, 2])
    >>> found["accuracy"].value, found["auc"].value
    (0.75, 0.875)
    >>> point = found["TAR@FAR=0.1"]
    >>> point.value, point.resolvable  # four non-mated comparisons cannot tell 0.1 from 0
    (0.75, False)
    """
    with refused_in("verification"):
        values = given_scores(scores)
        _, flags = checked_comparisons(values, given_mated(mated, values.size), "verification")
        left, right = given_subjects(subjects, values.size)
        units = Units.of(flags, left, right, "verification")
        checked_level(level, "verification")
        found = roc_estimates(roc_statistics(values, units, given_fars(fars), level=level))
        if folds is not None:
            found = {"accuracy": _accuracy(values, units, folds, rule, level), **found}
    mates = int(np.count_nonzero(flags))
    return ScoreStatistics(
        statistics=found,
        total=flags.size,
        mated=mates,
        nonmated=flags.size - mates,
        subjects=units.count if units.kind == "subjects" else None,
        failures=int(np.count_nonzero(values == -np.inf)),
    )


def _accuracy(
    scores: AnyFloatArray, units: Units, folds: ArrayLike, rule: str, level: float
) -> AccuracySection:
    parts, mated = given_array(folds, "folds"), units.mated
    accuracy = ten_fold_accuracy(scores, mated, parts, rule)
    right, sharing = accuracy.decisions == mated, Sharing.of(units)
    interval = accuracy_interval(accuracy.accuracy, right, units, parts, sharing, level)
    return accuracy_section("standard error", accuracy, interval)


def identification(
    scores: ArrayLike,
    probes: ArrayLike,
    gallery: ArrayLike,
    *,
    fars: Sequence[float] | None = None,
    ranks: Sequence[int] = (1, 5),
    level: float = 0.95,
) -> ScoreStatistics:
    """DIR at FARs and identification rates at ranks of probes that are searched in a gallery.

    Parameters
    ----------
    scores : array_like of float, shape (n_probes, n_gallery)
        The score of every probe with every face of the gallery; higher is more alike. ``-inf``
        stands where either was not acquired.
    probes : array_like, shape (n_probes,)
        The person on every probe, as names or whole numbers.
    gallery : array_like, shape (n_gallery,)
        The person on every face of the gallery, who may have several.
    fars : sequence of float, optional
        The shares of searches of strangers that may find anybody. By default 0.01, 0.1 and 0.001
        where there are probes of people who are not in the gallery, else none.
    ranks : sequence of int, optional
        Of a person's best face among the best faces of all people; ties count against the system.
    level : float, optional
        Of the intervals.

    Returns
    -------
    ScoreStatistics
        ``DIR@FAR=0.01`` and so on, then ``rank-1`` and so on. Intervals are over the people of the
        probes, whose searches may depend on each other; the gallery is kept as it is.

    Raises
    ------
    UserError
        A shape that does not fit, NaN or +inf, no probe of a person in the gallery, FARs but no
        probe of a stranger, a FAR outside (0, 1], a rank below 1.

    Examples
    --------
    >>> import facebench
    >>> scores = [[0.9, 0.2, 0.1],  # of Ann
    ...           [0.4, 0.3, 0.2],  # of Bob, taken for Ann
    ...           [0.1, 0.2, 0.5]]  # of a stranger
    >>> found = facebench.identification(scores, ["Ann", "Bob", "Eve"], ["Ann", "Bob", "Cy"])
    >>> found["rank-1"].value, found["rank-5"].value
    (0.5, 1.0)
    >>> found["DIR@FAR=0.01"].value
    0.5
    """
    with refused_in("identification"):
        matrix = _matrix(scores)
        who, whom = _numbered(
            given_people(probes, matrix.shape[0], "probes"),
            given_people(gallery, matrix.shape[1], "gallery"),
        )
        searches = search(lambda g, p: matrix[np.ix_(p, g)].T, whom, who)
        fars = given_fars(_fars(fars, searches.mated))
        table = SearchTable(search_scores(searches), searches.mated, who, ranks_of(searches))
        rates = search_rates(fars, _whole(ranks), [searches], [table], level=level)
    mates = int(np.count_nonzero(searches.mated))
    lost = (matrix == -np.inf).all(axis=1) | (searches.mated & (searches.own == -np.inf))
    return ScoreStatistics(
        statistics={rate.label: rate for rate in map(rate_section, rates)},
        total=len(searches),
        mated=mates,
        nonmated=len(searches) - mates,
        subjects=int(np.unique(who).size),
        failures=int(np.count_nonzero(lost)),
    )


def _matrix(scores: ArrayLike) -> AnyFloatArray:
    """float[P, G]; ValueError: of another shape or type, NaN or +inf."""
    array: NDArray[Any] = given_array(scores, "scores")
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"scores has shape {array.shape}; give one row a probe and one column a gallery face"
        )
    wrong = np.argwhere(~(array < np.inf)) if array.dtype.kind in "fiu" else np.zeros((0, 2), int)
    for row, column in wrong[:1]:
        raise ValueError(
            f"scores has {array[row, column]} in row {row}, column {column}; scores are finite, or "
            "-inf where a face was not acquired"
        )
    return checked_scores(array.ravel(), "scores").reshape(array.shape)


def _fars(fars: Sequence[float] | None, mated: BoolArray) -> Sequence[float]:
    """The FARs that were asked for, or those that the probes allow; ValueError: they do not."""
    if not mated.any():
        raise ValueError("no probe is of a person in the gallery, so there is nothing to find")
    if fars and mated.all():
        raise ValueError("all probes are of people in the gallery; a FAR needs others, too")
    if fars is None:
        return () if mated.all() else SEARCH_FARS
    return fars


def _whole(ranks: Sequence[int]) -> Sequence[int]:
    """The ranks; ValueError: no whole numbers."""
    if isinstance(ranks, str) or not isinstance(ranks, Iterable):
        raise ValueError(f"ranks is {ranks!r}; give a list of whole numbers, such as [1, 5]")
    for rank in ranks:
        if not isinstance(rank, Integral):
            raise ValueError(f"ranks has {rank!r}; ranks are whole numbers from 1")
    return ranks


def _numbered(one: NDArray[Any], other: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """People as numbers, the same person the same number; ValueError: names beside numbers."""
    if (one.dtype.kind in "US") != (other.dtype.kind in "US"):
        raise ValueError("probes and gallery must both be names, or both whole numbers")
    _, numbers = np.unique(np.concatenate((one, other)), return_inverse=True)
    return numbers[: one.size].astype(np.int64), numbers[one.size :].astype(np.int64)
