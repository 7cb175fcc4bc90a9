"""How good against how large, drawn: every model a point, and the front that none outdoes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from facebench.base.text import percent, printable, size_text
from facebench.figures.labels import hides
from facebench.figures.pages.frame import line, text

_WIDTH, _HEIGHT = 620, 400
_LEFT, _RIGHT, _TOP, _FLOOR = 52, 14, 30, 346
_LETTER, _LINE = 9.1, 16  # of a name, bold, in the drawing's units
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class FrontPoint:
    """A model: what it costs (above 0), how good it is, with its interval, and whether no other
    outdoes it.
    """

    name: str
    cost: float
    value: float
    interval: tuple[float, float] | None
    front: bool


@dataclass(frozen=True)
class _Window:
    """The axes' ends: the logarithm of the cost, and the value."""

    left: float
    right: float
    low: float
    high: float

    def at(self, point: FrontPoint) -> tuple[float, float]:
        """Where a point lies."""
        return self.x(point.cost), self.y(point.value)

    def x(self, cost: float) -> float:
        share = (math.log10(cost) - self.left) / (self.right - self.left)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_FLOOR - share * (_FLOOR - _TOP), 1)


def front_svg(points: Sequence[FrontPoint], cost: str, statistic: str) -> Markup:
    """The drawing; cost: ``bytes`` or ``multiply-adds``. Names stand at points of the front where
    they hide nothing; the table has all.
    """
    window = _window(points)
    ordered = sorted(points, key=lambda one: (one.front, one.cost))
    parts = [
        *_axes(window, cost, statistic),
        *_steps(window, [one for one in ordered if one.front]),
        *(part for one in ordered for part in _mark(window, one, cost)),
        *_names(window, ordered),
    ]
    front = ", ".join(f"{p.name} {percent(p.value)}%" for p in ordered if p.front)
    said = f"{statistic} against {cost} of {len(points)} models. On the front: {front}."
    opening = Markup('<svg class="front-plot" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return Markup("\n").join(
        [opening.format(_WIDTH, _HEIGHT, printable(said)), *parts, Markup("</svg>")]
    )


def _window(points: Sequence[FrontPoint]) -> _Window:
    costs = [math.log10(one.cost) for one in points]
    values = [one.value for one in points]
    values += [end for one in points if one.front and one.interval for end in one.interval]
    room = max(0.04 * (max(values) - min(values)), 0.002)
    return _Window(
        min(costs) - 0.08,
        max(max(costs) + 0.08, min(costs) + 0.4),
        max(0.0, min(values) - room),
        min(1.0, max(values) + room),
    )


def _axes(window: _Window, cost: str, statistic: str) -> Iterator[Markup]:
    span = window.high - window.low
    step = next((step for step in _STEPS if span / step <= 7), 0.5)
    for number in range(math.ceil(window.low / step), math.floor(window.high / step) + 1):
        y = window.y(number * step)
        yield line("grid", _LEFT, y, _WIDTH - _RIGHT, y)
        yield text(_LEFT - 6, y + 4, f"{100 * number * step:.4g}", "tick end")
    few = window.right - window.left < 1.6
    for power in range(math.floor(window.left), math.ceil(window.right) + 1):
        for digit in (1, 2, 5) if few else (1,):
            at = digit * 10.0**power
            if window.left <= math.log10(at) <= window.right:
                x = window.x(at)
                yield line("grid", x, _TOP, x, _FLOOR)
                yield text(x, _FLOOR + 22, _cost_text(at, cost), "tick middle")
    yield text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, cost, "tick middle")
    turned = '<text class="tick middle" transform="rotate(-90 13 {0})" x="13" y="{0}">{1}</text>'
    yield Markup(turned).format((_TOP + _FLOOR) / 2, printable(f"{statistic} %"))


def _cost_text(value: float, cost: str) -> str:
    if cost == "bytes":
        return f"{value / 1e6:g} MB" if value >= 1e6 else f"{value / 1e3:g} kB"
    return f"{value / 1e9:g} G" if value >= 1e9 else f"{value / 1e6:g} M"


def _steps(window: _Window, front: Sequence[FrontPoint]) -> Iterator[Markup]:
    """What the best is for a cost, a step at every point of the front."""
    if not front:
        return
    path = f"M{window.x(front[0].cost)} {window.y(front[0].value)}"
    for one in front[1:]:
        path += f"H{window.x(one.cost)}V{window.y(one.value)}"
    yield Markup('<path class="steps" d="{}"/>').format(f"{path}H{_WIDTH - _RIGHT}")


def _mark(window: _Window, one: FrontPoint, cost: str) -> Iterator[Markup]:
    x, y = window.x(one.cost), window.y(one.value)
    if one.front and one.interval:
        yield line("bar", x, window.y(one.interval[0]), x, window.y(one.interval[1]))
    told = size_text(int(one.cost)) if cost == "bytes" else f"{one.cost / 1e6:,.1f} M"
    yield Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
        "of-front" if one.front else "other",
        x,
        y,
        5 if one.front else 4,
        printable(f"{one.name}: {percent(one.value)}%, {told}"),
    )


def _names(window: _Window, points: Sequence[FrontPoint]) -> Iterator[Markup]:
    """Names of the front, the best first, each beside its point where it hides nothing."""
    front = [one for one in points if one.front]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in (window.at(one) for one in points)]
    ends = [*(window.at(one) for one in front[1:]), (_WIDTH - _RIGHT, 0.0)]
    for one, (x, y) in zip(front, ends, strict=False):
        left, at = window.at(one)
        taken += [(left, at - 1, x, at + 1)]
        taken += [(x - 1, y, x + 1, at)] if y else []
        if one.interval:
            taken.append((left - 2, window.y(one.interval[1]), left + 2, window.y(one.interval[0])))
    for one in sorted(front, key=lambda p: -p.value):
        (x, y), width = window.at(one), _LETTER * len(one.name)
        places = [(x - 8 - width, y - 8), (x + 9, y + 18), (x - width, y - 16), (x + 8, y - 10)]
        for left, base in places:
            box = (left, base - _LINE + 3, left + width, base + 3)
            inside = box[0] >= _LEFT and box[2] <= _WIDTH - 2 and box[1] >= 0 and box[3] <= _FLOOR
            if inside and not hides(box, taken):
                taken.append(box)
                yield text(left, base, one.name, "name")
                break
