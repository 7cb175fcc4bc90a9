"""Measures a page's drawing as a reader sees it: what touches, what is hidden, cut off or unnamed.

Letters are measured with the font that browsers here use, not with the drawing's own estimates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from xml.etree import ElementTree

from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font, LoadFlags

SIZE = 12.0
_FONT = FT2Font(findfont("DejaVu Sans"))
_UP, _DOWN, _LOW = 0.73, 0.0, 0.22  # of the size: letters above, and those that reach below

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Word:
    """A text in a drawing, and the box of its ink."""

    text: str
    kind: str
    box: Box


@dataclass(frozen=True)
class Mark:
    """Data: where it is drawn, densely; name: of a point, from its title."""

    kind: str
    places: tuple[tuple[float, float], ...]
    name: str = ""


@dataclass(frozen=True)
class Measured:
    """width, height: of the drawing; leaders: the two ends of each."""

    width: float
    height: float
    words: tuple[Word, ...]
    marks: tuple[Mark, ...]
    leaders: tuple[tuple[tuple[float, float], tuple[float, float]], ...]

    def faults(self) -> list[str]:
        """Everything that is wrong, a line each."""
        return [*self._touching(), *self._hiding(), *self._cut(), *self._unnamed(), *self._many()]

    def _touching(self) -> Iterator[str]:
        for one, other in combinations(self.words, 2):
            wide = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
            high = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
            if wide > 1 and high > 1:
                yield f"{one.text!r} touches {other.text!r}"

    def _hiding(self) -> Iterator[str]:
        for word in self.words:
            left, top, right, bottom = word.box
            for mark in self.marks:
                if any(left < x < right and top < y < bottom for x, y in mark.places):
                    yield f"{word.text!r} lies on a {mark.kind} {mark.name}".rstrip()

    def _cut(self) -> Iterator[str]:
        for word in self.words:
            left, top, right, bottom = word.box
            if left < -0.5 or top < -0.5 or right > self.width + 0.5 or bottom > self.height + 0.5:
                yield f"{word.text!r} is cut off"

    def _unnamed(self) -> Iterator[str]:
        """Labels that stand nearest to another point than their own, and no line tells whose."""
        points = [mark for mark in self.marks if mark.kind == "point"]
        for word in self.words:
            own = next((p for p in points if p.name == word.text), None)
            if own is None or word.kind != "name":
                continue
            near = min(points, key=lambda p: _apart(word.box, p))
            if near is own:
                continue
            ends = [e for e in self.leaders if _outside(word.box, e[1]) < 6]
            if not any(min(abs(e[0][0] - x) + abs(e[0][1] - y) for x, y in own.places) < 9
                       for e in ends):  # fmt: skip
                yield f"{word.text!r} stands nearest to {near.name!r}"
        named = {word.text for word in self.words}
        if 0 < len(points) <= 12:
            yield from (f"{p.name!r} has no label" for p in points if p.name not in named)

    def _many(self) -> Iterator[str]:
        standing = [mark for mark in self.marks if mark.kind == "line"]
        if len(standing) > 6:
            yield f"{len(standing)} curves stand out"


def measure(svg: str) -> Measured:
    """A drawing of a page."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    words, marks, leaders = [], [], []
    for element in root.iter():
        kind = element.get("class") or ""
        if element.tag == "text":
            words.append(_word(element, kind))
        elif kind == "leader":
            ends = _numbers(element, "x1", "y1", "x2", "y2")
            leaders.append(((ends[0], ends[1]), (ends[2], ends[3])))
        elif (mark := _mark(element, kind.split(" "))) is not None:
            marks.append(mark)
    return Measured(width, height, tuple(words), tuple(_with_bars(marks)), tuple(leaders))


def _word(element: ElementTree.Element, kind: str) -> Word:
    text = element.text or ""
    x, y = _numbers(element, "x", "y")
    width = _width(text)
    x -= width * {"middle": 0.5, "end": 1.0}.get(kind, 0.0)
    down = _LOW if re.search(r"[gjpqy_,;()\[\]|]", text) else _DOWN
    return Word(text, kind, (x, y - _UP * SIZE, x + width, y + down * SIZE))


@lru_cache(maxsize=4096)
def _width(text: str) -> float:
    _FONT.set_size(SIZE, 72)
    _FONT.set_text(text, flags=LoadFlags.NO_HINTING)
    return float(_FONT.get_width_height()[0]) / 64


def _mark(element: ElementTree.Element, kinds: list[str]) -> Mark | None:
    """What is data, and no grid line or key."""
    title = element.find("title")
    name = re.split(r" here: | in the paper: ", title.text or "")[0] if title is not None else ""
    kind = kinds[0]
    if element.tag == "circle" and kind == "dot":
        x, y, r = _numbers(element, "cx", "cy", "r")
        round_ = tuple((x + a * r, y + b * r) for a in (-1, 0, 1) for b in (-1, 0, 1))
        return Mark("point" if name else "dot", round_, name)
    if element.tag == "line" and kind in ("bar", "whisker", "even"):
        ends = _numbers(element, "x1", "y1", "x2", "y2")
        return Mark(kind, _along((ends[0], ends[1]), (ends[2], ends[3])))
    if element.tag == "path" and kind in ("line", "front"):
        return Mark(
            "line" if "others" not in kinds else "grey", tuple(_path(element.get("d") or ""))
        )
    if element.tag == "path" and kind == "paper-point":
        x, y = map(float, re.findall(r"[\d.]+", element.get("d") or "")[:2])
        return Mark("paper", ((x, y + 5), (x - 4, y + 5), (x + 4, y + 5), (x, y), (x, y + 10)))
    return None


def _with_bars(marks: list[Mark]) -> Iterator[Mark]:
    """Points together with the bars through them."""
    bars = [mark for mark in marks if mark.kind == "bar"]
    for mark in marks:
        if mark.kind != "point":
            yield mark
            continue
        x = mark.places[4][0]
        own = [
            p for bar in bars for p in bar.places if all(abs(q[0] - x) < 0.2 for q in bar.places)
        ]
        yield Mark("point", (*mark.places, *own), mark.name)


def _path(d: str) -> Iterator[tuple[float, float]]:
    """Points along a path of M, H and V."""
    x = y = 0.0
    for command, numbers in re.findall(r"([MHV])([^MHV]*)", d):
        values = [float(v) for v in numbers.split()]
        end = {"M": (values[0], values[-1]), "H": (values[0], y), "V": (x, values[0])}[command]
        yield from ((end,) if command == "M" else _along((x, y), end))
        x, y = end


def _along(one: tuple[float, float], other: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    steps = max(2, int((abs(one[0] - other[0]) + abs(one[1] - other[1])) / 1.5))
    dx, dy = (other[0] - one[0]) / steps, (other[1] - one[1]) / steps
    return tuple((one[0] + dx * n, one[1] + dy * n) for n in range(steps + 1))


def _apart(box: Box, mark: Mark) -> float:
    return min(_outside(box, place) for place in mark.places)


def _outside(box: Box, place: tuple[float, float]) -> float:
    dx = max(box[0] - place[0], 0.0, place[0] - box[2])
    dy = max(box[1] - place[1], 0.0, place[1] - box[3])
    return float((dx * dx + dy * dy) ** 0.5)


def _numbers(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.get(name) or 0) for name in names]
