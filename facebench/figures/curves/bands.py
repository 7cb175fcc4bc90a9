"""What a record says of how sure its curves are: bands from its scores, else intervals of rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facebench.figures.curves.curves import nonmated_of
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.sections import IntervalSection, SeriesSection, VerificationSection
from facebench.statistics.intervals.bands import BandPart, tar_bands

LEVEL = 0.95
FEWEST_DRAWS = 200  # of which 95% percentiles are still worth drawing
# Draws times comparisons: what a page may spend on one record, about half a second.
MOST_WEIGHTS = 40_000_000
_STEPS = ("1", "1.3", "1.6", "2", "2.5", "3.2", "4", "5", "6.3", "8")  # of a decade


@dataclass(frozen=True)
class Band:
    """Pointwise percentiles at ``x`` ascending, each a share; draws: resamples; kind: of what."""

    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    draws: int
    kind: str


_BANDS: dict[tuple[str, str], Band | None] = {}  # a page draws a record's curve more than once


@dataclass(frozen=True)
class Whisker:
    """An interval [low, high] of the curve at one x."""

    x: float
    low: float
    high: float
    kind: str


def band_of(record: Record, series: SeriesSection) -> Band | None:
    """The 95% band of a ROC or DIR curve, from the scores that lie beside the record.

    As many draws as the record's own intervals have, with their seed, or fewer where the page would
    be slow. None: scores not kept or too many, no intervals asked for, people
    too few, or another curve (of ranks beyond the first, scores do not tell).
    """
    if record.table is None or series.name not in ("ROC", "DIR", "TPIR"):
        return None
    key = (record.digest(), series.name)
    if key not in _BANDS:
        _BANDS[key] = _band(record, record.table, series, record.bootstrap.draws)
    return _BANDS[key]


def _band(record: Record, table: ScoreTable, series: SeriesSection, wanted: int) -> Band | None:
    draws = _affordable(wanted, len(table.scores))
    fars = tuple(_fars(record, series.x[0], series.x[-1]))
    if not draws or not fars:
        return None
    parts = list(_parts(record, table, searches=series.name != "ROC"))
    try:
        low, high = tar_bands(parts, fars, draws=draws, seed=record.bootstrap.seed, level=LEVEL)
    except ValueError:  # people too few to resample: the curve is drawn without a band
        return None
    kind = "people" if parts[0].left is not None else "comparisons"
    return Band(fars, tuple(low.tolist()), tuple(high.tolist()), draws, kind)


def _affordable(wanted: int, comparisons: int) -> int:
    """How many of the wanted draws a page can make; 0 where they would be too few to show."""
    possible = MOST_WEIGHTS // max(comparisons, 1)
    return min(wanted, possible) if possible >= FEWEST_DRAWS else 0


def _parts(record: Record, table: ScoreTable, *, searches: bool) -> Iterator[BandPart]:
    """The comparisons of every draw or split; folds are one curve's."""
    one_curve = isinstance(record.statistics, VerificationSection)
    numbers = np.zeros_like(table.folds) if one_curve else table.folds
    left, right = table.left_subjects, table.right_subjects
    if not searches and right is None:
        left = None
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        yield BandPart(
            table.scores[rows],
            table.mated[rows],
            None if left is None else left[rows],
            None if searches or right is None else right[rows],
        )


def _fars(record: Record, first: float, last: float) -> Iterator[float]:
    """Ten FARs a decade within a curve; before one that begins at 0, one that accepts nothing."""
    finest = 1 / max(nonmated_of(record), 1)
    grid = [float(f"{step}e{power}") for power in range(-9, 0) for step in _STEPS] + [1.0]
    if first == 0:
        yield max(far for far in grid if far < finest or far == grid[0])
        first = finest
    yield from (far for far in grid if first <= far <= last)


def whiskers_of(record: Record, name: str) -> tuple[Whisker, ...]:
    """The intervals that the record holds of rates on a curve (``ROC``, ``DIR``, ``CMC``)."""
    return tuple(
        Whisker(x, found.low, found.high, found.kind)
        for x, found, resolvable in _intervals(record, name)
        if found is not None and resolvable
    )


def _intervals(record: Record, name: str) -> Iterator[tuple[float, IntervalSection | None, bool]]:
    statistics = record.statistics
    if isinstance(statistics, VerificationSection):
        for point in statistics.tar_at_far:
            yield point.target, point.interval, point.resolvable
        return
    wanted = {"ROC": ("TAR",), "CMC": ("rank",)}.get(name, (name,))
    for rate in statistics.rates:
        if rate.name in wanted:
            yield rate.target, rate.interval, rate.resolvable
