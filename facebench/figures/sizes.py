"""Accuracy against size as SVG: what was measured here beside the paper's points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from facebench.figures.frame import Frame, line, text
from facebench.figures.labels import Extent, hides

_FRAME = Frame(620, 430, left=62, right=24, top=44, bottom=60)
_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # ticks
_LETTER, _LINE = 10.5, 19  # of a label; letters are larger on phones


@dataclass(frozen=True)
class SizePoint:
    """One point. ratio: compression ratio; value: a share; interval: (low, high), or None."""

    label: str
    ratio: float
    value: float
    interval: tuple[float, float] | None
    paper: bool


@dataclass(frozen=True)
class _Axes:
    low_ratio: float
    high_ratio: float
    low: float
    high: float

    def x(self, ratio: float) -> float:
        span = math.log(self.high_ratio / self.low_ratio)
        share = math.log(ratio / self.low_ratio) / span
        return _FRAME.x(share)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _FRAME.y(share)


def size_svg(points: Sequence[SizePoint], rate: str, *, synthetic: bool) -> Markup:
    """The drawing; x is logarithmic, rate is what y shows.

    Classes carry the colours; shapes tell the two kinds of points, too.
    """
    axes = _axes_of(points)
    parts = [
        *_grid(axes, rate, synthetic),
        *_key(points),
        *(mark for point in points for mark in _marks(axes, point)),
        *_labels(axes, points),
    ]
    return _FRAME.drawing(_words(points), parts)


def _axes_of(points: Sequence[SizePoint]) -> _Axes:
    values = [v for p in points for v in (p.value, *(p.interval or ()))]
    room = max(0.08 * (max(values) - min(values)), 0.002)
    low_ratio = min(0.1, 0.8 * min(point.ratio for point in points))
    high_ratio = max(1.15, 1.1 * max(point.ratio for point in points))
    return _Axes(low_ratio, high_ratio, min(values) - room, min(1.0, max(values) + room))


def _grid(axes: _Axes, rate: str, synthetic: bool) -> list[Markup]:
    shown = [r for r in _RATIOS if axes.low_ratio <= r <= axes.high_ratio]
    x = [(axes.x(ratio), f"{ratio:g}") for ratio in shown]
    y = [(axes.y(value), f"{100 * value:.4g}") for value in _ticks(axes.low, axes.high)]
    names = ("compression ratio (kept / all)", rate)
    return _FRAME.axes(x, y, names, 0.6 if synthetic else None)


def _key(points: Sequence[SizePoint]) -> Iterator[Markup]:
    """Above the axes: what the shapes are."""
    yield text(_FRAME.left + 4, 22, "● measured here", "ours-name")
    if any(point.paper for point in points):
        yield text(_FRAME.left + 190, 22, "◇ the paper", "paper-name")


def _ticks(low: float, high: float) -> list[float]:
    steps = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    step = next(step for step in steps if (high - low) / step <= 7)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 6) for number in range(first, last + 1)]


def _marks(axes: _Axes, point: SizePoint) -> Iterator[Markup]:
    x, y = axes.x(point.ratio), axes.y(point.value)
    if point.paper:
        yield Markup('<path class="paper-point" d="M{} {}l6 6l-6 6l-6 -6z"/>').format(x, y - 6)
        return
    if point.interval:
        low, high = axes.y(point.interval[0]), axes.y(point.interval[1])
        yield line("bar", x, low, x, high)
    yield Markup('<circle class="point" cx="{}" cy="{}" r="6"/>').format(x, y)


def _labels(axes: _Axes, points: Sequence[SizePoint]) -> Iterator[Markup]:
    """Names beside our points, where they hide nothing; the paper's lie at the same ratios."""
    taken = [_extent_of(axes, point) for point in points]
    ours = [point for point in points if not point.paper]
    for point in sorted(ours, key=lambda point: -point.value):
        x, y, anchor, box = next(
            (place for place in _places(axes, point) if not hides(place[3], taken)),
            next(_places(axes, point)),
        )
        taken.append(box)
        yield text(x, y, point.label, f"ours-name halo {anchor}".rstrip())


def _places(axes: _Axes, point: SizePoint) -> Iterator[tuple[float, float, str, Extent]]:
    """Where a label may stand: right, left, below, above, and further away; and its box."""
    width, own = _LETTER * len(point.label), _extent_of(axes, point)
    x, y = axes.x(point.ratio), axes.y(point.value) + 5
    places = [(x + 10, y, ""), (x - 10, y, "end"), (x, own[3] + 15, "middle")]
    places += [(x, own[1] - 6, "middle"), *((x + 10, y + n * _LINE, "") for n in range(1, 12))]
    for at, base, anchor in places:
        left = at - width * {"": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        if left >= _FRAME.left and left + width <= _FRAME.width:
            yield at, base, anchor, (left, base - 14, left + width, base + 4)
    yield _FRAME.width - 4.0, y, "end", (_FRAME.width - 4 - width, y - 14, _FRAME.width - 4, y + 4)


def _extent_of(axes: _Axes, point: SizePoint) -> Extent:
    """Left, top, right and bottom of a point and its interval."""
    x, y = axes.x(point.ratio), axes.y(point.value)
    low, high = point.interval or (point.value, point.value)
    return x - 7, min(y - 7, axes.y(high)), x + 7, max(y + 7, axes.y(low))


def _words(points: Sequence[SizePoint]) -> str:
    said = [
        f"{p.label} {'in the paper' if p.paper else 'here'}: {100 * p.value:.2f} % at ratio "
        f"{p.ratio:.3f}"
        for p in points
    ]
    return f"Accuracy against compression ratio. {'; '.join(said)}"
