"""Accuracy against what a model costs as SVG: points with intervals, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from facebench.base.text import printable
from facebench.comparison.pareto import pareto_front
from facebench.figures.labels import Extent
from facebench.figures.pages.frame import (
    WIDTH,
    Frame,
    KeyEntry,
    diamond,
    key_entry,
    key_rows,
    label_height,
    line,
    log_ticks,
    of_look,
    text,
    ticks_of,
)
from facebench.figures.pages.letters import LINE, width_of
from facebench.figures.pages.place import place_labels
from facebench.figures.styles import OTHER_STYLE, LineStyle

_HEIGHT = 250.0  # of the axes
_POINT = 5.0
_MOST_LABELS = 12  # of points; of more, those that stand out


@dataclass(frozen=True)
class SizePoint:
    """One point. size: of the axis' unit; value: a share; interval: (low, high), or None.

    paper: it is what the paper says, and has no name of its own beside it.
    """

    label: str
    size: float
    value: float
    interval: tuple[float, float] | None = None
    look: LineStyle = OTHER_STYLE
    paper: bool = False


@dataclass(frozen=True)
class SizeAxis:
    """What x shows: its words, and what its numbers are divided by."""

    words: str
    unit: float = 1.0


RATIO = SizeAxis("kept weights, % of the dense network's", 0.01)
BYTES = SizeAxis("size of the file, MB", 1e6)
KEPT = SizeAxis("kept parameters, millions", 1e6)
PRODUCTS = SizeAxis("multiply-adds of a face, millions", 1e6)
LATENCY = SizeAxis("latency of a face, milliseconds", 1e-3)


def size_svg(
    points: Sequence[SizePoint], rate: str, axis: SizeAxis = RATIO, *, synthetic: bool
) -> Markup:
    """The drawing; x is logarithmic, rate is what y shows.

    The front joins the points of ours that no other beats: as small and better.
    """
    drawing = _SizeDrawing.of(points, axis, synthetic)
    parts = [
        *drawing.axes(rate),
        drawing.front(),
        *(mark for point in points for mark in drawing.marks(point)),
        *drawing.labels(),
        *drawing.key(),
    ]
    return drawing.frame.drawing(_words(points, axis, rate), parts)


@dataclass(frozen=True)
class _SizeDrawing:
    points: Sequence[SizePoint]
    axis: SizeAxis
    frame: Frame
    sizes: tuple[float, float]
    values: tuple[float, float]

    @staticmethod
    def of(points: Sequence[SizePoint], axis: SizeAxis, synthetic: bool) -> _SizeDrawing:
        sizes = [point.size for point in points]
        values = [v for p in points for v in (p.value, *(p.interval or ()))]
        room = max(0.08 * (max(values) - min(values)), 0.002)
        wide = max((max(sizes) / min(sizes)) ** 0.08, 1.06)
        bottom = 2 * LINE + 16 + LINE * len(key_rows(_entries(points)))
        above = 24 + label_height(synthetic)
        frame = Frame(above + _HEIGHT + bottom, top=24, bottom=bottom, synthetic=synthetic)
        low, high = min(values) - room, min(1.0, max(values) + room)
        return _SizeDrawing(
            points, axis, frame, (min(sizes) / wide, max(sizes) * wide), (low, high)
        )

    @property
    def ours(self) -> list[SizePoint]:
        return [point for point in self.points if not point.paper]

    def x(self, size: float) -> float:
        low, high = self.sizes
        return self.frame.x(math.log(size / low) / math.log(high / low))

    def y(self, value: float) -> float:
        low, high = self.values
        return self.frame.y((value - low) / (high - low))

    def _shown(self, interval: tuple[float, float]) -> tuple[float, float]:
        """What the axes hold of an interval: one of a share may pass 1."""
        bottom, top = self.values
        return max(interval[0], bottom), min(interval[1], top)

    def axes(self, rate: str) -> list[Markup]:
        unit = self.axis.unit
        found = log_ticks(self.sizes[0] / unit, self.sizes[1] / unit)
        x = [(self.x(tick * unit), f"{tick:g}") for tick in found]
        shown = ticks_of(100 * self.values[0], 100 * self.values[1])
        y = [(self.y(tick / 100), f"{tick:g}") for tick in shown]
        return self.frame.axes(x, y, (self.axis.words, rate))

    def front(self) -> Markup:
        """Steps: what the best of at most a size reaches."""
        places = self._leading
        if len(places) < 2:
            return Markup()
        steps = "".join(f"H{x}V{y}" for x, y in places[1:])
        return Markup('<path class="front" d="M{} {}{}H{}"/>').format(
            *places[0], steps, self.frame.end
        )

    @property
    def _leading(self) -> list[tuple[float, float]]:
        return [(self.x(size), self.y(value)) for size, value in _leading(self.points)]

    def _steps(self) -> list[Extent]:
        """The boxes of the front's lines, which no label may hide."""
        places = self._leading
        if len(places) < 2:
            return []
        ends = [*places[1:], (self.frame.end, 0.0)]
        flat = [(x, y - 1, to, y + 1) for (x, y), (to, _) in zip(places, ends, strict=True)]
        pairs = pairwise(places)
        return flat + [(x - 1, min(y, to), x + 1, max(y, to)) for (_, y), (x, to) in pairs]

    def marks(self, point: SizePoint) -> Iterator[Markup]:
        x, y = self.x(point.size), self.y(point.value)
        told = Markup("<title>{}</title>").format(printable(_told(point, self.axis)))
        if point.paper:
            yield diamond(x, y, told)
            return
        if point.interval:
            low, high = map(self.y, self._shown(point.interval))
            yield line(of_look("bar", point.look), x, low, x, high)
        shape = Markup('<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>')
        yield shape.format(of_look("dot", point.look), x, y, _POINT, told)

    def labels(self) -> Iterator[Markup]:
        """Names of our points, where they hide nothing; the paper's lie at the same sizes."""
        ours = self.ours
        if len(ours) > _MOST_LABELS:
            ours = [point for point in ours if point.look.colour is not None]
        others = [point for point in self.points if point not in ours]
        marks = [self._extent(point) for point in (*ours, *others)]
        frame = self.frame
        bounds = (frame.left + 2, frame.above + 1, WIDTH - 1, frame.floor - 2)
        widths = [width_of(point.label) for point in ours]
        labels = place_labels(marks, widths, bounds, self._steps())
        for point, label in zip(ours, labels, strict=True):
            if label is None:
                continue
            if label.leader:
                yield line("leader", *label.leader)
            yield text(label.x, label.y, point.label, "name")

    def _extent(self, point: SizePoint) -> Extent:
        """Left, top, right and bottom of a point and its interval."""
        x, y = self.x(point.size), self.y(point.value)
        low, high = self._shown(point.interval or (point.value, point.value))
        half = _POINT + 1
        return x - half, min(y - half, self.y(high)), x + half, max(y + half, self.y(low))

    def key(self) -> Iterator[Markup]:
        """Below the axes: what the shapes are."""
        first = self.frame.floor + 3 * LINE + 10
        for number, row in enumerate(key_rows(_entries(self.points))):
            for x, entry in row:
                yield key_entry(x, first + LINE * number, entry)


def _entries(points: Sequence[SizePoint]) -> list[KeyEntry]:
    """What the shapes mean that are there."""
    bars = any(point.interval for point in points)
    found = [KeyEntry("here, 95% intervals" if bars else "here", OTHER_STYLE, "dot")]
    if len(_leading(points)) > 1:
        found.append(KeyEntry("Pareto front", OTHER_STYLE, "front"))
    if any(point.paper for point in points):
        found.append(KeyEntry("the paper", OTHER_STYLE, "paper"))
    return found


def _leading(points: Sequence[SizePoint]) -> list[tuple[float, float]]:
    """Size and value of our points that no other beats, the smallest first."""
    ours = [point for point in points if not point.paper]
    on = pareto_front([point.size for point in ours], [point.value for point in ours])
    return sorted({(p.size, p.value) for p, best in zip(ours, on, strict=True) if best})


def _told(point: SizePoint, axis: SizeAxis) -> str:
    where = "in the paper" if point.paper else "here"
    ends = ""
    if point.interval:
        ends = f" [{100 * point.interval[0]:.2f}, {100 * point.interval[1]:.2f}]"
    size = f"{point.size / axis.unit:.3g}"
    return f"{point.label} {where}: {100 * point.value:.2f} %{ends} at {size}"


def _words(points: Sequence[SizePoint], axis: SizeAxis, rate: str) -> str:
    said = "; ".join(_told(point, axis) for point in points)
    return f"{rate} against {axis.words}. {said}"
