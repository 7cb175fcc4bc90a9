"""A list of values as bars, e.g. the frequencies of Figure 1."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from facebench.figures.pages.frame import Frame, line, text, ticks_of
from facebench.figures.pages.letters import width_of

_HEIGHT = 230.0
_EVEN = "uniform"


def bars_svg(values: Sequence[float], name: str, words: tuple[str, str] = ("", "")) -> Markup:
    """Bars from zero, all values at least zero, and where all would be if they were equal.

    words: of the x axis, which counts the values, and of the y axis.
    """
    top = max([*values, 1e-12])
    shown = ticks_of(0, top, 5)
    numbers = [f"{tick:g}" for tick in shown]
    even = sum(values) / len(values)
    frame = Frame(
        _HEIGHT,
        left=max(map(width_of, numbers)) + 9,
        right=width_of(_EVEN) + 6,
        bottom=46,
    )
    high = 1.03 * max(top, shown[-1])
    step = (frame.end - frame.left) / len(values)
    last = len(values)
    counted = {1.0, float(last)} | {n for n in ticks_of(1, last) if 0 < n < 0.96 * last}
    x = [(frame.left + (n - 0.5) * step, f"{n:g}") for n in sorted(counted) if n == int(n)]
    y = [(frame.y(tick / high), number) for tick, number in zip(shown, numbers, strict=True)]
    bars = [
        Markup('<rect class="column" x="{}" y="{}" width="{}" height="{}"/>').format(
            round(frame.left + (index + 0.05) * step, 2),
            frame.y(max(value, 0) / high),
            round(0.9 * step, 2),
            round(frame.floor - frame.y(max(value, 0) / high), 1),
        )
        for index, value in enumerate(values)
    ]
    at = frame.y(even / high)
    level = line("even", frame.left, at, frame.end, at)
    label = text(frame.end + 4, at + 4, _EVEN, "name")
    axes = frame.axes(x, y, words)
    return frame.drawing(name, [*axes, *bars, level, label])
