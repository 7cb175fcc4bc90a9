"""What the SVG drawings of pages share: a frame with its axes, lines, texts and keys.

A drawing is as wide as the page of a phone, and its letters are readable there; wide pages show it
larger. Classes carry the colours, which the page's style sheet gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from facebench.base.text import printable
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.figures.pages.letters import LINE, shortened, width_of
from facebench.figures.styles import LineStyle

Ticks = Iterable[tuple[float, str]]
WIDTH = 380
_SWATCH, _BETWEEN = 26.0, 14.0


@dataclass(frozen=True)
class KeyEntry:
    """A line of a key, and the shape that it explains."""

    name: str
    look: LineStyle
    shape: Literal["line", "dot", "front", "paper"] = "line"


@dataclass(frozen=True)
class Frame:
    """A drawing of a height; left, right, top, bottom: the margins of its axes.

    synthetic: its faces are rendered, which stands above everything.
    """

    height: float
    left: float = 44
    right: float = 12
    top: float = 24
    bottom: float = 40
    synthetic: bool = False

    @property
    def above(self) -> float:
        """Where the axes begin."""
        return self.top + label_height(self.synthetic)

    @property
    def end(self) -> float:
        """The x at which the axes end."""
        return WIDTH - self.right

    @property
    def floor(self) -> float:
        """The y of the x axis."""
        return self.height - self.bottom

    def x(self, share: float) -> float:
        """Where a share of the x axis lies, to a tenth of a pixel."""
        return round(self.left + share * (self.end - self.left), 1)

    def y(self, share: float) -> float:
        """Where a share of the y axis lies, from below."""
        return round(self.floor - share * (self.floor - self.above), 1)

    def drawing(self, said: str, parts: Iterable[Markup]) -> Markup:
        """The whole drawing; said: what it shows, in words, for those who do not see it."""
        opening = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">')
        opened = opening.format(WIDTH, round(self.height), printable(said))
        label = SYNTHETIC_LABEL.replace(" (", "\n(").split("\n") if self.synthetic else []
        marked = [text(0, LINE * (n + 1) - 3, words, "synthetic") for n, words in enumerate(label)]
        return Markup("\n").join([opened, *marked, *parts, Markup("</svg>")])

    def axes(
        self, x: Ticks, y: Ticks, names: tuple[str, str], *, lines: bool = True
    ) -> list[Markup]:
        """Grid lines with their numbers, and the axes' names: of y above it, of x below.

        x, y: (place, number) of every tick; numbers that would touch are left out. lines: draw the
        grid.
        """
        parts, reached = [], -math.inf
        for at, number in x:
            if lines:
                parts.append(line("grid", at, self.above, at, self.floor))
            half = width_of(number) / 2
            if at - half < reached + 4 or at + half > WIDTH:
                continue
            reached = at + half
            parts.append(text(at, self.floor + LINE, number, "middle"))
        for at, number in y:
            parts.append(line("grid", self.left, at, self.end, at))
            parts.append(text(self.left - 6, at + 4, number, "end"))
        half = width_of(names[0]) / 2
        middle = min((self.left + self.end) / 2, WIDTH - half)
        parts.append(text(max(middle, half), self.floor + 2 * LINE + 1, names[0], "middle"))
        if names[1]:
            parts.append(text(0, self.above - 10, names[1]))
        return parts


def key_rows(entries: Sequence[KeyEntry]) -> list[list[tuple[float, KeyEntry]]]:
    """Where the entries of a key stand, row by row: as many columns as fit."""
    named = [KeyEntry(shortened(e.name, WIDTH - _SWATCH), e.look, e.shape) for e in entries]
    widest = max((width_of(entry.name) for entry in named), default=0.0) + _SWATCH
    columns = max(1, min(int((WIDTH + _BETWEEN) // (widest + _BETWEEN)), len(named)))
    step = min((WIDTH + _BETWEEN) / columns, widest + 3 * _BETWEEN)
    rows = [named[n : n + columns] for n in range(0, len(named), columns)]
    return [[(column * step, entry) for column, entry in enumerate(row)] for row in rows]


def key_entry(x: float, y: float, entry: KeyEntry) -> Markup:
    """A mark and a name. x: where it begins; y: of the name's base line."""
    return shape_of(entry, x, y - 4) + text(x + _SWATCH - 2, y, entry.name, "name")


def shape_of(entry: KeyEntry, x: float, y: float) -> Markup:
    """What an entry of a key shows: a line, a point, the Pareto front, or the paper's point."""
    if entry.shape == "dot":
        shape = Markup('<circle class="{}" cx="{}" cy="{}" r="4.5"/>')
        return shape.format(of_look("dot", entry.look), round(x + 9, 1), round(y, 1))
    if entry.shape == "paper":
        return diamond(x + 9, y)
    name = "swatch front" if entry.shape == "front" else of_look("swatch", entry.look)
    shape = Markup('<path class="{}" d="M{} {}h18"{}/>')
    return shape.format(name, round(x, 1), round(y, 1), dashes(entry.look))


def diamond(x: float, y: float, inside: Markup | None = None) -> Markup:
    """The point of what the paper says."""
    shape = Markup('<path class="paper-point" d="M{} {}l5 5l-5 5l-5 -5z">{}</path>')
    return shape.format(round(x, 1), round(y - 5, 1), inside or "")


def of_look(kind: str, look: LineStyle) -> str:
    """The classes of a mark of a kind."""
    return f"{kind} {'others' if look.colour is None else f'c{look.colour}'}"


def dashes(look: LineStyle) -> Markup:
    """The attribute of a dashed line, or nothing."""
    if not look.pattern:
        return Markup()
    return Markup(' stroke-dasharray="{}"').format(" ".join(map(str, look.pattern)))


def label_height(synthetic: bool) -> float:
    """What the label of rendered faces takes above the axes; 0 without it."""
    return 2 * LINE + 4 if synthetic else 0


def line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A line of a class."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        name, *(round(at, 1) for at in (x1, y1, x2, y2))
    )


def text(x: float, y: float, words: str, name: str = "") -> Markup:
    """Words of a class, or of none."""
    of_class = Markup(' class="{}"').format(name) if name else ""
    return Markup('<text{} x="{}" y="{}">{}</text>').format(
        of_class, round(x, 1), round(y, 1), printable(words)
    )


def ticks_of(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high, at most so many."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * digit for digit in (1, 2, 5, 10, 20) if span / (power * digit) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 8) -> list[float]:
    """1, 2, 5 of every decade; fewer where these are too many, more where they are too few."""
    powers = range(math.floor(math.log10(low) + 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [float(f"{digit}e{power}") for power in powers for digit in digits]
        found = [tick for tick in found if 0.999 * low <= tick <= 1.001 * high]
        if len(found) <= most:
            return found
    return found
