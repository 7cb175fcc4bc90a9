"""TAR at FAR of comparisons of templates in splits: exact for millions of scores.

The operating points are those of `facebench.statistics.roc.tar_at_far`: at most the target, none
dropped, no interpolation; it sorts the non-mated tail only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facebench.statistics.checks import FloatArray, IntArray
from facebench.statistics.intervals import Interval, percentile_interval, wilson
from facebench.statistics.resample import Units
from facebench.statistics.roc import OperatingPoint, tar_at_far
from facebench.statistics.weighted import SortedComparisons, WeightedRoc

MANY = 1_000_000  # comparisons, from which on intervals rest on the mated ones only
CURVE_POINTS = 120
_WHERE = "tar_intervals"
_ROWS = 64  # draws at a time
_VALUES = 1 << 21  # weights at a time


@dataclass(frozen=True, eq=False)
class SplitScores:
    """The scores of one split: float[n], -inf for a failure to acquire; mated: bool[n].

    left, right: int64[n], people; for a split of `MANY` or more only those of mated comparisons are
    looked at. None: nobody knows them.
    """

    scores: NDArray[np.floating]
    mated: NDArray[np.bool_]
    left: NDArray[np.integer] | None = None
    right: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class SplitTars:
    """TAR at one FAR: the operating point of every split, mean, and standard deviation (ddof 1).

    spread: 0.0 where there is one split only; resolvable: whether it is in every split.
    """

    target: float
    points: tuple[OperatingPoint, ...]
    mean: float
    spread: float
    resolvable: bool


def tar_over_splits(splits: Sequence[SplitScores], targets: Sequence[float]) -> list[SplitTars]:
    """TAR at each target FAR in each split, with mean and standard deviation over splits.

    ValueError: as for `facebench.statistics.roc.tar_at_far`. Source: Klare et al. 2015, Section 4.
    """
    by_split = [tar_at_far(split.scores, split.mated, targets) for split in splits]
    found = []
    for number, target in enumerate(targets):
        points = tuple(points[number] for points in by_split)
        mean, spread = mean_and_deviation([point.tar for point in points])
        resolvable = all(point.resolvable for point in points)
        found.append(SplitTars(float(target), points, mean, spread, resolvable))
    return found


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (ddof 1; 0.0 of one value)."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else 0.0


def tar_intervals(
    splits: Sequence[SplitScores],
    tars: Sequence[SplitTars],
    draws: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> list[Interval | None]:
    """An interval of the mean over splits of each of ``tars``; None without draws.

    Up to a million comparisons in all: bootstrap over subjects, the same people drawn in all
    splits, thresholds learned again in every draw; over comparisons where people are unknown, which
    is too narrow if comparisons share people. Beyond: the thresholds of the data are kept and
    the mated comparisons resampled by person (``bootstrap over subjects, mated comparisons``); that
    leaves the threshold's own uncertainty out, which is small at a target with many false accepts.
    Where people are unknown, and the comparisons are many: Wilson over mated comparisons.
    ValueError: as for `facebench.statistics.resample.Units`.
    """
    if draws < 1:
        return [None] * len(tars)
    if sum(len(split.mated) for split in splits) < MANY:
        values = tar_draws([splits], [tar.target for tar in tars], draws, rng)[:, 0]
        kind = "comparisons" if splits[0].left is None else "subjects"
        return [percentile_interval(column, level, kind) for column in values.T]
    if any(split.left is None for split in splits):
        return [_wilson(tar, level) for tar in tars]
    return _mated_bootstrap(splits, tars, draws, rng, level)


def tar_draws(
    models: Sequence[Sequence[SplitScores]],
    targets: Sequence[float],
    draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    """float64[draws, models, targets]: mean TAR over the splits in which a draw has both kinds.

    models: each one's splits, of the same comparisons; all are weighted by the same draws, and the
    threshold of each is found again in every draw and split. Draws without such a split are left
    out. ValueError: that is so for all.
    """
    units = [Units.of(split.mated, split.left, split.right, _WHERE) for split in models[0]]
    ordered = [
        [SortedComparisons.of(split.scores, split.mated, _WHERE) for split in one_split]
        for one_split in zip(*models, strict=True)
    ]
    people = _people_of_units(models[0])
    out = np.full((draws, len(models), len(targets)), np.nan)
    rows = max(1, min(_ROWS, _VALUES // max(len(split.mated) for split in models[0])))
    count = int(max(names.max() for names in people)) + 1
    for start, drawn in _drawn(count, draws, rows, rng):
        total = np.zeros((len(drawn), len(models), len(targets)))
        usable = np.zeros(len(drawn))
        for unit, of_models, names in zip(units, ordered, people, strict=True):
            weights = unit.weights(drawn[:, names])
            genuine = weights @ unit.mated.astype(np.int64)
            both = (genuine > 0) & (genuine < weights.sum(axis=1))
            usable += both
            for model, comparisons in enumerate(of_models):
                curve = WeightedRoc(comparisons, weights[both])
                for number, target in enumerate(targets):
                    total[both, model, number] += curve.tar_at_far(target)
        shape = usable[:, None, None]
        out[start : start + len(drawn)] = np.divide(
            total, shape, out=np.full(total.shape, np.nan), where=shape > 0
        )
    found = out[~np.isnan(out).any(axis=(1, 2))]
    if not len(found):
        raise ValueError(
            f"{_WHERE}: no resample of the people has both kinds of comparison in any split; they "
            "are too few for a bootstrap, use draws=0"
        )
    return found


def _people_of_units(splits: Sequence[SplitScores]) -> list[IntArray]:
    """For every split, the positions among all people of its units, in the order of `Units`."""
    if splits[0].left is None:
        offsets = np.cumsum([0] + [len(split.mated) for split in splits])
        return [np.arange(a, b) for a, b in pairwise(offsets)]
    named = []
    for split in splits:
        assert split.left is not None and split.right is not None
        named.append(np.unique(np.concatenate([split.left, split.right])))
    everyone = np.unique(np.concatenate(named))
    return [np.searchsorted(everyone, names) for names in named]


def _drawn(
    count: int, draws: int, rows: int, rng: np.random.Generator
) -> Iterator[tuple[int, IntArray]]:
    """Blocks int[b, count]: how often each of ``count`` units came up in each draw."""
    for start in range(0, draws, rows):
        b = min(rows, draws - start)
        picks = rng.integers(0, count, size=(b, count)) + count * np.arange(b)[:, None]
        yield start, np.bincount(picks.ravel(), minlength=b * count).reshape(b, count)


def _mated_bootstrap(
    splits: Sequence[SplitScores],
    tars: Sequence[SplitTars],
    draws: int,
    rng: np.random.Generator,
    level: float,
) -> list[Interval | None]:
    names = []
    for split in splits:
        assert split.left is not None
        names.append(np.asarray(split.left)[split.mated])
    everyone = np.unique(np.concatenate(names))
    total = np.zeros((len(splits), len(everyone)))
    accepted = np.zeros((len(tars), len(splits), len(everyone)))
    for s, split in enumerate(splits):
        person = np.searchsorted(everyone, names[s])
        total[s] = np.bincount(person, minlength=len(everyone))
        genuine = split.scores[split.mated]
        for t, tar in enumerate(tars):
            hits = person[genuine >= tar.points[s].threshold]
            accepted[t, s] = np.bincount(hits, minlength=len(everyone))
    values = np.empty((draws, len(tars)))
    for start, drawn in _drawn(len(everyone), draws, _ROWS, rng):
        found = np.einsum("bp,tsp->bts", drawn, accepted)
        # A split of which a draw has nobody says nothing; some split has somebody in every draw.
        of = (drawn @ total.T)[:, None, :]
        tar_of = np.divide(found, of, out=np.zeros_like(found), where=of > 0)
        values[start : start + len(drawn)] = tar_of.sum(axis=2) / (of > 0).sum(axis=2)
    kind = "subjects, mated comparisons"
    return [percentile_interval(column, level, kind) for column in values.T]


def _wilson(tar: SplitTars, level: float) -> Interval:
    accepts = sum(point.true_accepts for point in tar.points)
    found = wilson(accepts, sum(point.n_mated for point in tar.points), level)
    return Interval(found.low, found.high, level, "wilson over mated comparisons")


def people_by_mated(
    left: NDArray[np.integer], right: NDArray[np.integer], mated: NDArray[np.bool_], templates: int
) -> IntArray:
    """int64[templates]: a number of the person of each template, told by the mated comparisons.

    Templates that are joined by mated comparisons are of one person. Two that are not may be of one
    person as well, so this serves to resample comparisons, not to count people.
    """
    # Here, since it is slow to import and only lists without people need it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    i, j = left[mated], right[mated]
    graph = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(templates, templates))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def people_if_consistent(
    left: NDArray[np.integer], right: NDArray[np.integer], mated: NDArray[np.bool_], templates: int
) -> IntArray | None:
    """As `people_by_mated`, for resampling non-mated comparisons too; None where one of these is of
    two templates that mated ones join, so that the labels contradict each other.
    """
    people = people_by_mated(left, right, mated, templates)
    contradicted = bool((people[left[~mated]] == people[right[~mated]]).any())
    return None if contradicted else people


def roc_of_splits(splits: Sequence[SplitScores]) -> tuple[FloatArray, FloatArray]:
    """FAR (ascending, log-spaced) and the mean over splits of TAR at the largest operating point
    whose FAR does not exceed it: float64[p] each, to be drawn as steps.

    It begins where every split can tell the FAR from zero, and its FARs are shares of the largest
    split's non-mated comparisons, so that one split gives operating points only.
    """
    counts = [int(np.count_nonzero(~split.mated)) for split in splits]
    most, least = max(counts), min(counts)
    accepts = np.unique(np.geomspace(-(-most // least), most, CURVE_POINTS).astype(np.int64))
    curves = []
    for split, n in zip(splits, counts, strict=True):
        impostor, genuine = np.sort(split.scores[~split.mated]), np.sort(split.scores[split.mated])
        allowed = accepts * n // most
        # The (k+1)-th highest non-mated score is refused; -inf, never accepted, bounds the last.
        limit = np.full(len(allowed), -np.inf, dtype=impostor.dtype)
        inner = allowed < n
        limit[inner] = impostor[n - 1 - allowed[inner]]
        above = len(genuine) - np.searchsorted(genuine, limit, side="right")
        curves.append(above / len(genuine))
    return accepts / most, np.mean(curves, axis=0)
