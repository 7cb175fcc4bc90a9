"""What both drawings of curves (ROC, DET, DIR, CMC) share: axes, colours, labels apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from facebench.records.comparability import told_apart
from facebench.records.record import Record
from facebench.records.sections import SeriesSection

# Okabe and Ito's colours, told apart with any colour vision; yellow is left out (too pale).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 2), (9, 3, 2, 3))
MOST_BANDS = 4  # that can be told apart where they overlap
POINTED_DRAWS = 200  # of a band that is shown only while its curve is pointed at
_MOST_LABEL, _LEAST_LABEL = 28, 8  # characters


@dataclass(frozen=True)
class DrawnCurve:
    """One model's steps: from far[i] (ascending, within the axis) on, the TAR is tar[i].

    For other curves ``far`` is what the x axis shows (an FPIR, a rank), ``tar`` what y does.
    band: of the same x and y; whiskers: intervals at single x, where there is no band.
    """

    label: str
    far: tuple[float, ...]
    tar: tuple[float, ...]
    colour: int
    dash: tuple[float, ...]
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

    def far_position(self, far: float) -> float:
        """Where a FAR lies on the axis, 0 to 1."""
        low, high = math.log10(self.far_low), math.log10(self.far_high)
        return (math.log10(min(max(far, self.far_low), self.far_high)) - low) / (high - low)

    def tar_position(self, tar: float) -> float:
        """Where a TAR lies on the axis, 0 to 1."""
        within = min(max(tar, self.tar_low), self.tar_high)
        if self.log:
            return math.log(within / self.tar_low) / math.log(self.tar_high / self.tar_low)
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

    def label_positions(self, gap: float) -> list[float]:
        """Heights (0 to 1) of the curves' labels at the left edge, at least ``gap`` apart.

        A label stands just below the start of its curve, since the curve rises from there; above
        one that falls.
        """
        return spread(self._wanted(gap), gap, low=gap / 2, high=1 - gap / 2)

    def direct(self, gap: float) -> bool:
        """Whether every label stands at its curve; else a key of lines and names is clearer."""
        pairs = zip(self._wanted(gap), self.label_positions(gap), strict=True)
        return all(abs(wanted - placed) <= 0.6 * gap for wanted, placed in pairs)

    @property
    def key(self) -> list[DrawnCurve]:
        """Curves for a key in the corner that they leave empty (below them, above falling ones):
        best at the finest FAR first.
        """
        finest = self.resolution or self.far_low
        better = 1 if self.log else -1
        at = [max(finest, curve.far[0]) for curve in self.curves]
        order = sorted(range(len(at)), key=lambda n: better * self.curves[n].tar_at(at[n]))
        return [self.curves[n] for n in order]

    @property
    def shows_all_bands(self) -> bool:
        """Whether bands are few enough to be drawn over each other; else the first one's is."""
        return sum(curve.band is not None for curve in self.curves) <= MOST_BANDS

    def _wanted(self, gap: float) -> list[float]:
        away = 0.7 * gap if self.log else -0.7 * gap
        return [self.tar_position(curve.tar[0]) + away for curve in self.curves]


def layout_of(records: Sequence[Record], name: str | None = None) -> RocLayout:
    """The drawing of records of the same comparisons: the curve of a name, None: the main one."""
    first = records[0]
    name = name or main_curve(first)
    series = [series_of(record, name) for record in records]
    words = words_of(first, name)
    nonmated = nonmated_of(first)
    resolution = 1 / nonmated if words.finest else None
    far_low = 10.0 ** math.floor(math.log10(resolution) - 0.25) if resolution else 1.0
    furthest = max(drawn.x[-1] for drawn in series)
    # A rate is drawn to 1, or to where the curve was cut; ranks to 100 at most.
    far_high = 10.0 ** math.ceil(math.log10(max(furthest, 10 * far_low)) - 1e-9)
    far_high = min(1.0, far_high) if words.finest else max(10.0, min(100.0, furthest))
    labels = _labels_of(records)
    curves = tuple(
        _curve(
            record, drawn, labels[n], n, far_low, far_high, few=n > 0 and len(records) > MOST_BANDS
        )
        for n, (record, drawn) in enumerate(zip(records, series, strict=True))
    )
    synthetic = first.data.kind == "synthetic"
    layout = RocLayout(far_low, 0.0, resolution, nonmated, synthetic, curves, far_high, words)
    return _mirrored(layout) if name == DET else replace(layout, tar_low=_lowest(curves))


def _labels_of(records: Sequence[Record]) -> list[str]:
    """The models' names, short enough to be drawn; what differs, where one is there twice."""
    labels = []
    for record, own in zip(records, told_apart(records), strict=True):
        name, aside = record.model.id, f", {own}" if own else ""
        room = max(_MOST_LABEL - len(aside), _LEAST_LABEL)
        short = name if len(name) <= room else f"{name[: room - 1]}…"
        labels.append(f"{short}{aside}")
    return labels


def _lowest(curves: Sequence[DrawnCurve]) -> float:
    """Where the axis of curves that rise begins."""
    lowest = min(curve.tar[0] for curve in curves)
    room = 0.03 if lowest > 0.9 else 0.1  # for the labels below the lowest curve
    step = 0.05 if lowest > 0.9 else 0.1
    return max(0.0, round(math.floor((lowest - room) / step) * step, 6))


def _mirrored(layout: RocLayout) -> RocLayout:
    """The same curves as a DET: what is missed, both axes logarithmic."""
    curves = tuple(_missed(curve) for curve in layout.curves)
    shown = [tar for curve in curves for tar in curve.tar if tar > 0]
    highest = max(0.005, *(curve.tar[0] for curve in curves))
    high = _one_two_five(min(1.0, 1.6 * highest), up=True)  # room for the labels
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


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in the same order of height, ``gap`` apart, within limits.

    Where all of them do not fit, they are closer than ``gap``.
    """
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], -index))
    placed = [0.0] * len(wanted)
    floor = low
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def _curve(
    record: Record,
    series: SeriesSection,
    label: str,
    number: int,
    far_low: float,
    far_high: float,
    *,
    few: bool,
) -> DrawnCurve:
    inside = [
        (max(far, far_low), tar)
        for far, tar in zip(series.x, series.y, strict=True)
        if far <= far_high
    ]
    # The point without false accepts lies at FAR 0, which a logarithmic axis has at its left edge.
    band = band_of(record, series, POINTED_DRAWS if few else None)
    whiskers = () if band else whiskers_of(record, series.name)
    return DrawnCurve(
        label=label,
        far=tuple(far for far, _ in inside),
        tar=tuple(tar for _, tar in inside),
        colour=number % len(COLOURS),
        dash=DASHES[number // len(COLOURS) % len(DASHES)],
        band=band,
        whiskers=tuple(w for w in whiskers if far_low <= w.x <= far_high),
    )
