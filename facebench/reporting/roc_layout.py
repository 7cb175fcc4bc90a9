"""What both drawings of curves (ROC, DIR, CMC) share: axes, colours, labels that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facebench.reporting.record import Record
from facebench.reporting.record_sections import RatesSection, SeriesSection

# Okabe and Ito's colours, told apart with any colour vision; yellow is left out (too pale).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 2), (9, 3, 2, 3))
_MOST_LABEL = 28  # characters
_MAIN = {"DIR": "DIR", "TPIR": "DIR", "TAR": "ROC", "rank": "CMC"}


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


def layout_of(records: Sequence[Record], name: str | None = None) -> RocLayout:
    """The drawing of records of the same comparisons: the curve of a name, None: the main one."""
    first = records[0]
    series = [_series(record, name or main_curve(first)) for record in records]
    words = _words(first, series[0])
    nonmated = first.comparisons.nonmated // _splits(first)
    resolution = 1 / nonmated if words.finest else None
    far_low = 10.0 ** math.floor(math.log10(resolution) - 0.25) if resolution else 1.0
    furthest = max(drawn.x[-1] for drawn in series)
    # A rate is drawn to 1, or to where the curve was cut; ranks to 100 at most.
    far_high = 10.0 ** math.ceil(math.log10(max(furthest, 10 * far_low)) - 1e-9)
    far_high = min(1.0, far_high) if words.finest else max(10.0, min(100.0, furthest))
    curves = tuple(
        _curve(record.model.id, drawn, n, far_low, far_high)
        for n, (record, drawn) in enumerate(zip(records, series, strict=True))
    )
    lowest = min(curve.tar[0] for curve in curves)
    room = 0.03 if lowest > 0.9 else 0.1  # for the labels below the lowest curve
    step = 0.05 if lowest > 0.9 else 0.1
    tar_low = max(0.0, round(math.floor((lowest - room) / step) * step, 6))
    synthetic = first.data.kind == "synthetic"
    return RocLayout(far_low, tar_low, resolution, nonmated, synthetic, curves, far_high, words)


def _splits(record: Record) -> int:
    """Over how many lists the non-mated comparisons are spread, each with a curve of its own."""
    statistics = record.statistics
    if isinstance(statistics, RatesSection) and statistics.parts == "splits":
        return statistics.number_of_parts
    return 1


def drawable(records: Sequence[Record]) -> bool:
    """Whether the records have a curve."""
    return all(record.curve is not None or record.series for record in records)


def curve_names(record: Record) -> list[str]:
    """The record's curves, the main one first."""
    if record.curve is not None:
        return ["ROC"]
    names = [series.name for series in record.series]
    return sorted(names, key=lambda name: name != main_curve(record))


def main_curve(record: Record) -> str:
    """The curve that shows the record's headline number."""
    if record.statistics.kind == "verification":
        return "ROC"
    names = [series.name for series in record.series]
    wanted = _MAIN.get(record.statistics.headline.name, names[0])
    return wanted if wanted in names else names[0]


def _series(record: Record, name: str) -> SeriesSection:
    if record.curve is not None:
        x, y = record.curve.far, record.curve.tar
        return SeriesSection(name="ROC", x_label=ROC.x, y_label=ROC.y, x=x, y=y, log=True)
    return next(series for series in record.series if series.name == name)


def _words(record: Record, series: SeriesSection) -> Words:
    if series.name == "ROC":
        return ROC
    if series.name == "CMC" or record.statistics.kind == "verification":  # no rate to be finest at
        return Words("CMC", "rank", "probes found at that rank or before, %", "found %")
    rate = record.statistics.headline
    short, false_rate = ("TPIR", "FPIR") if rate.name == "TPIR" else ("DIR", "FAR")
    return Words(
        series.name,
        f"{false_rate} (share of searches of strangers that find anybody)",
        f"{short} % (mated searches that find their own)",
        f"{short} %",
        f"finest {false_rate}",
    )


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
    label: str, series: SeriesSection, number: int, far_low: float, far_high: float
) -> Curve:
    inside = [
        (max(far, far_low), tar)
        for far, tar in zip(series.x, series.y, strict=True)
        if far <= far_high
    ]
    # The point without false accepts lies at FAR 0, which a logarithmic axis has at its left edge.
    if len(label) > _MOST_LABEL:
        label = f"{label[: _MOST_LABEL - 1]}…"
    return Curve(
        label=label,
        far=tuple(far for far, _ in inside),
        tar=tuple(tar for _, tar in inside),
        colour=number % len(COLOURS),
        dash=DASHES[number // len(COLOURS) % len(DASHES)],
    )
