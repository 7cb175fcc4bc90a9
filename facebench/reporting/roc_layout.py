"""What both drawings of curves (ROC, DIR, CMC) share: axes, colours, labels that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facebench.reporting.record import Record

# Okabe and Ito's colours, told apart with any colour vision; yellow is left out (too pale).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 2), (9, 3, 2, 3))
_MOST_LABEL = 28  # characters


@dataclass(frozen=True)
class Curve:
    """One model's steps: from far[i] (ascending, within the axis) on, the TAR is tar[i].

    For other curves ``far`` is what the x axis shows (an FPIR, a rank), ``tar`` what y does.
    """

    label: str
    far: tuple[float, ...]
    tar: tuple[float, ...]
    colour: int
    dash: tuple[float, ...]

    def tar_at(self, far: float) -> float:
        """The TAR that holds at a FAR: that of the last step at or below it."""
        return max(tar for at, tar in zip(self.far, self.tar, strict=True) if at <= far * 1.000001)


@dataclass(frozen=True)
class Words:
    """What a drawing says: the kind of curve, its axes, and y in short."""

    name: str
    x: str
    y: str
    y_short: str
    finest: str = ""


ROC = Words(
    "ROC",
    "FAR (share of non-mated comparisons accepted)",
    "TAR % (mated comparisons accepted)",
    "TAR %",
    "finest FAR",
)


@dataclass(frozen=True)
class RocLayout:
    """Axes from (far_low, tar_low) to (far_high, 1), x logarithmic.

    resolution: 1 / non-mated, None where x is no false rate; words: what is drawn, and the axes.
    """

    far_low: float
    tar_low: float
    resolution: float | None
    nonmated: int
    synthetic: bool
    curves: tuple[Curve, ...]
    far_high: float = 1.0
    words: Words = ROC

    def far_position(self, far: float) -> float:
        """Where a FAR lies on the axis, 0 to 1."""
        low, high = math.log10(self.far_low), math.log10(self.far_high)
        return (math.log10(max(far, self.far_low)) - low) / (high - low)

    def tar_position(self, tar: float) -> float:
        """Where a TAR lies on the axis, 0 to 1."""
        return (max(tar, self.tar_low) - self.tar_low) / (1 - self.tar_low)

    @property
    def decades(self) -> list[float]:
        """Ticks of the FAR axis, ascending."""
        low = math.ceil(math.log10(self.far_low) - 1e-9)
        high = math.floor(math.log10(self.far_high) + 1e-9)
        return [10.0**power for power in range(low, high + 1)]

    @property
    def tar_ticks(self) -> list[float]:
        """Ticks of the TAR axis, ascending, at most eight."""
        span = 1 - self.tar_low
        step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if span / step <= 7.001)
        count = math.floor(span / step + 1e-9)
        return [round(1 - index * step, 6) for index in range(count, -1, -1)]

    def label_positions(self, gap: float) -> list[float]:
        """Heights (0 to 1) of the curves' labels at the left edge, at least ``gap`` apart.

        A label stands just below the start of its curve, since the curve rises from there.
        """
        return spread(self._wanted(gap), gap, low=gap / 2, high=1 - gap / 2)

    def direct(self, gap: float) -> bool:
        """Whether every label stands at its curve; else a key of lines and names is clearer."""
        pairs = zip(self._wanted(gap), self.label_positions(gap), strict=True)
        return all(abs(wanted - placed) <= 0.6 * gap for wanted, placed in pairs)

    @property
    def key(self) -> list[Curve]:
        """Curves for a key in the empty corner below them: best at the finest FAR first."""
        finest = self.resolution or self.far_low
        return sorted(self.curves, key=lambda curve: -curve.tar_at(finest))

    def _wanted(self, gap: float) -> list[float]:
        return [self.tar_position(curve.tar[0]) - 0.7 * gap for curve in self.curves]


def layout_of(records: Sequence[Record]) -> RocLayout:
    """The drawing of records of the same comparisons: their ROC, or the first of their series."""
    first = records[0]
    words = _words(first)
    false_rate = bool(words.finest)
    nonmated = first.comparisons.nonmated
    resolution = 1 / nonmated if false_rate else None
    far_low = 10.0 ** math.floor(math.log10(resolution) - 0.25) if resolution else 1.0
    far_high = 1.0 if false_rate else max(10.0, min(100.0, max(_points(first)[0])))
    curves = tuple(_curve(record, n, far_low, far_high) for n, record in enumerate(records))
    lowest = min(curve.tar[0] for curve in curves)
    room = 0.03 if lowest > 0.9 else 0.1  # for the labels below the lowest curve
    step = 0.05 if lowest > 0.9 else 0.1
    tar_low = max(0.0, round(math.floor((lowest - room) / step) * step, 6))
    synthetic = first.data.kind == "synthetic"
    return RocLayout(far_low, tar_low, resolution, nonmated, synthetic, curves, far_high, words)


def drawable(records: Sequence[Record]) -> bool:
    """Whether the records have a curve."""
    return all(record.curve is not None or record.series for record in records)


def _words(record: Record) -> Words:
    if record.curve is not None:
        return ROC
    series = record.series[0]
    short = series.name if series.name != "ROC" else "TAR"
    # A CMC has no false rate to be finest at.
    finest = "" if series.name == "CMC" else f"finest {series.x_label.split()[0]}"
    return Words(series.name, series.x_label, series.y_label, f"{short} %", finest)


def _points(record: Record) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if record.curve is not None:
        return record.curve.far, record.curve.tar
    return record.series[0].x, record.series[0].y


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


def _curve(record: Record, number: int, far_low: float, far_high: float) -> Curve:
    inside = [
        (max(far, far_low), tar)
        for far, tar in zip(*_points(record), strict=True)
        if far <= far_high
    ]
    # The point without false accepts lies at FAR 0, which a logarithmic axis has at its left edge.
    label = record.model.id
    if len(label) > _MOST_LABEL:
        label = f"{label[: _MOST_LABEL - 1]}…"
    return Curve(
        label=label,
        far=tuple(far for far, _ in inside),
        tar=tuple(tar for _, tar in inside),
        colour=number % len(COLOURS),
        dash=DASHES[number // len(COLOURS) % len(DASHES)],
    )
