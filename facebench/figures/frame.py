"""What the SVG drawings of pages share: a frame with its axes, lines and texts.

Classes carry the colours, which the page's style sheet gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from facebench.base.text import printable
from facebench.base.vocabulary import SYNTHETIC_LABEL

Ticks = Iterable[tuple[float, str]]


@dataclass(frozen=True)
class Frame:
    """A drawing of a size in pixels; left, right, top, bottom: the margins of its axes."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def end(self) -> int:
        """The x at which the axes end."""
        return self.width - self.right

    @property
    def floor(self) -> int:
        """The y of the x axis."""
        return self.height - self.bottom

    def x(self, share: float) -> float:
        """Where a share of the x axis lies, to a tenth of a pixel."""
        return round(self.left + share * (self.width - self.left - self.right), 1)

    def y(self, share: float) -> float:
        """Where a share of the y axis lies, from below."""
        return round(self.floor - share * (self.height - self.top - self.bottom), 1)

    def drawing(self, said: str, parts: Iterable[Markup]) -> Markup:
        """The whole drawing; said: what it shows, in words, for those who do not see it."""
        opening = Markup('<svg class="roc" viewBox="0 0 {} {}" role="img" aria-label="{}">')
        opened = opening.format(self.width, self.height, printable(said))
        return Markup("\n").join([opened, *parts, Markup("</svg>")])

    def axes(
        self, x: Ticks, y: Ticks, names: tuple[str, str], marked: float | None
    ) -> list[Markup]:
        """Grid lines with their numbers, the axes' names, and the mark of synthetic faces.

        x, y: (place, number) of every tick; marked: how far down the mark is written, as a share of
        the floor's y, None: faces are not synthetic.
        """
        parts = []
        for at, number in x:
            parts += [line("grid", at, self.top, at, self.floor)]
            parts += [text(at, self.floor + 22, number, "middle")]
        for at, number in y:
            parts += [line("grid", self.left, at, self.end, at)]
            parts += [text(self.left - 7, at + 5, number, "end")]
        middle, centre = (self.left + self.end) / 2, (self.top + self.floor) / 2
        parts.append(text(middle, self.height - 12, names[0], "middle"))
        if marked is not None:
            parts += _synthetic(middle, marked * self.floor)
        upright = Markup(
            '<text class="middle" transform="rotate(-90 16 {0})" x="16" y="{0}">{1}</text>'
        )
        return [*parts, upright.format(centre, names[1])]


def _synthetic(middle: float, y: float) -> Iterator[Markup]:
    for row, words in enumerate(SYNTHETIC_LABEL.split(" (")):
        yield text(middle, y + 26 * row, f"({words}" if row else words, "synthetic middle")


def line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A line of a class."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(name, x1, y1, x2, y2)


def text(x: float, y: float, words: str, name: str = "") -> Markup:
    """Words of a class, or of none."""
    of_class = Markup(' class="{}"').format(name) if name else ""
    return Markup('<text{} x="{}" y="{}">{}</text>').format(
        of_class, round(x, 1), round(y, 1), printable(words)
    )
