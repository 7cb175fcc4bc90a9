"""What both drawings of curves (ROC, DET, DIR, CMC) share: axes, looks, and the key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from facebench.figures.curves.bands import Band, Whisker, band_of, whiskers_of
from facebench.figures.curves.curves import (
    DET,
    ROC,
    Words,
    main_curve,
    nonmated_of,
    series_of,
    words_of,
)
from facebench.figures.styles import LineStyle, Styled, Styles, kind_of
from facebench.records.record import Record
from facebench.records.sections import SeriesSection
from facebench.statistics.checks import FloatArray

MOST_BANDS = 4  # that can be told apart where they overlap


@dataclass(frozen=True)
class DrawnCurve:
    """One model's steps: from far[i] (ascending, within the axis) on, the TAR is tar[i].

    For other curves ``far`` is what the x axis shows (an FPIR, a rank), ``tar`` what y does.
    kind: the similarity; band: of the same x and y; whiskers: intervals at single x, where there
    is no band.
    """

    label: str
    far: tuple[float, ...]
    tar: tuple[float, ...]
    look: LineStyle
    kind: str = ""
    band: Band | None = None
    whiskers: tuple[Whisker, ...] = ()

    def tar_at(self, far: float) -> float:
        """The TAR that holds at a FAR: that of the last step at or below it."""
        reached = [tar for at, tar in zip(self.far, self.tar, strict=True) if at <= far * 1.000001]
        return reached[-1]


@dataclass(frozen=True)
class RocLayout:
    """Axes from (far_low, tar_low) to (far_high, tar_high), x logarithmic, y too where ``log``.

    resolution: 1 / non-mated, None where x is no false rate; words: what is drawn, and the axes.
    log: a DET, whose curves fall: y is the share of mated comparisons that are missed.
    """

    far_low: float
    tar_low: float
    resolution: float | None
    nonmated: int
    synthetic: bool
    curves: tuple[DrawnCurve, ...]
    far_high: float = 1.0
    words: Words = ROC
    tar_high: float = 1.0
    log: bool = False

    def far_position(self, far: ArrayLike) -> FloatArray:
        """Where FARs lie on the axis, 0 to 1."""
        low, high = math.log10(self.far_low), math.log10(self.far_high)
        within = np.clip(np.asarray(far, np.float64), self.far_low, self.far_high)
        shares: FloatArray = (np.log10(within) - low) / (high - low)
        return shares

    def tar_position(self, tar: ArrayLike) -> FloatArray:
        """Where TARs lie on the axis, 0 to 1."""
        within: FloatArray = np.clip(np.asarray(tar, np.float64), self.tar_low, self.tar_high)
        if self.log:
            return np.log(within / self.tar_low) / math.log(self.tar_high / self.tar_low)
        return (within - self.tar_low) / (self.tar_high - self.tar_low)

    @property
    def decades(self) -> list[float]:
        """Ticks of the FAR axis, ascending."""
        low = math.ceil(math.log10(self.far_low) - 1e-9)
        high = math.floor(math.log10(self.far_high) + 1e-9)
        return [10.0**power for power in range(low, high + 1)]

    @property
    def tar_ticks(self) -> list[float]:
        """Ticks of the TAR axis, ascending, at most eight."""
        if self.log:
            return _log_ticks(self.tar_low, self.tar_high)
        span = 1 - self.tar_low
        step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if span / step <= 7.001)
        count = math.floor(span / step + 1e-9)
        return [round(1 - index * step, 6) for index in range(count, -1, -1)]

    @property
    def key(self) -> list[DrawnCurve]:
        """The curves that stand out, best at the finest FAR first."""
        finest = self.resolution or self.far_low
        better = 1 if self.log else -1
        standing = [curve for curve in self.curves if curve.look.colour is not None]
        return sorted(standing, key=lambda c: better * c.tar_at(max(finest, c.far[0])))

    @property
    def kinds(self) -> dict[str, int]:
        """The similarities, if several, and the number of the dash of each."""
        found = {curve.kind: curve.look.dash for curve in self.curves}
        return found if len(found) > 1 else {}

    @property
    def shows_intervals(self) -> bool:
        """Whether curves are few enough for their bands or bars to be told apart."""
        return len(self.curves) <= MOST_BANDS


def layout_of(
    records: Sequence[Record], name: str | None = None, looks: Styles | None = None
) -> RocLayout:
    """The drawing of records of the same comparisons: the curve of a name, None: the main one.

    looks: of the page that it stands on.
    """
    first = records[0]
    name = name or main_curve(first)
    named = (looks or Styles()).named(records)
    series = [series_of(record, name) for record in records]
    words = words_of(first, name)
    nonmated = nonmated_of(first)
    resolution = 1 / nonmated if words.finest else None
    far_low = 10.0 ** math.floor(math.log10(resolution) - 0.25) if resolution else 1.0
    furthest = max(drawn.x[-1] for drawn in series)
    # A rate is drawn to 1, or to where the curve was cut; ranks to 100 at most.
    far_high = 10.0 ** math.ceil(math.log10(max(furthest, 10 * far_low)) - 1e-9)
    far_high = min(1.0, far_high) if words.finest else max(10.0, min(100.0, furthest))
    bands = len(records) <= MOST_BANDS
    curves = tuple(
        _curve(one, drawn, far_low, far_high, bands=bands)
        for one, drawn in zip(named, series, strict=True)
    )
    synthetic = first.data.kind == "synthetic"
    layout = RocLayout(far_low, 0.0, resolution, nonmated, synthetic, curves, far_high, words)
    return _mirrored(layout) if name == DET else replace(layout, tar_low=_lowest(curves))


def _lowest(curves: Sequence[DrawnCurve]) -> float:
    """Where the axis of curves that rise begins."""
    lowest = min(curve.tar[0] for curve in curves)
    step = 0.01 if lowest > 0.97 else 0.05 if lowest > 0.9 else 0.1
    return max(0.0, round(math.floor((lowest - step / 10) / step) * step, 6))


def _mirrored(layout: RocLayout) -> RocLayout:
    """The same curves as a DET: what is missed, both axes logarithmic."""
    curves = tuple(_missed(curve) for curve in layout.curves)
    shown = [tar for curve in curves for tar in curve.tar if tar > 0]
    highest = max(0.005, *(curve.tar[0] for curve in curves))
    high = _one_two_five(min(1.0, highest), up=True)
    low = _one_two_five(max(min(shown, default=0.1 * high), 1e-4 * high), up=False)
    return replace(layout, curves=curves, tar_low=min(low, 0.1 * high), tar_high=high, log=True)


def _missed(curve: DrawnCurve) -> DrawnCurve:
    band = curve.band and replace(
        curve.band,
        low=tuple(1 - high for high in curve.band.high),
        high=tuple(1 - low for low in curve.band.low),
    )
    whiskers = tuple(replace(w, low=1 - w.high, high=1 - w.low) for w in curve.whiskers)
    # Rounded, so that a TAR of 0.9 misses 0.1.
    missed = tuple(round(1 - tar, 12) for tar in curve.tar)
    return replace(curve, tar=missed, band=band, whiskers=whiskers)


def _one_two_five(value: float, *, up: bool) -> float:
    """The nearest of … 0.01, 0.02, 0.05, 0.1 … at or above a value, or at or below it."""
    power = math.floor(math.log10(value))
    steps = [digit * 10.0**at for at in (power - 1, power, power + 1) for digit in (1, 2, 5)]
    steps = [float(f"{step:.0e}") for step in steps]
    near = 1e-9 * value
    return (
        min(step for step in steps if step >= value - near)
        if up
        else max(step for step in steps if step <= value + near)
    )


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of every decade, or the decades alone where these would be more than eight."""
    powers = range(math.floor(math.log10(low) + 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{digit}e{power}") for power in powers for digit in digits]
        found = [tick for tick in found if 0.999 * low <= tick <= 1.001 * high]
        if len(found) <= 8:
            return found
    return found


def _curve(
    one: Styled, series: SeriesSection, far_low: float, far_high: float, *, bands: bool
) -> DrawnCurve:
    inside = [
        (max(far, far_low), tar)
        for far, tar in zip(series.x, series.y, strict=True)
        if far <= far_high
    ]
    # The point without false accepts lies at FAR 0, which a logarithmic axis has at its left edge.
    band = band_of(one.record, series) if bands else None
    whiskers = () if band else whiskers_of(one.record, series.name)
    return DrawnCurve(
        label=one.name,
        far=tuple(far for far, _ in inside),
        tar=tuple(tar for _, tar in inside),
        look=one.look,
        kind=kind_of(one.record),
        band=band,
        whiskers=tuple(w for w in whiskers if far_low <= w.x <= far_high),
    )
