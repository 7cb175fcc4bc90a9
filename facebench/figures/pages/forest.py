"""Paired differences as SVG, a row each: the difference, its interval, and where zero is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from facebench.base.text import printable
from facebench.figures.forest import ForestRow, forest_ends, row_text, ways_of
from facebench.figures.pages.frame import WIDTH, Frame, label_height, line, of_look, text, ticks_of
from facebench.figures.pages.letters import LINE, shortened, width_of

_ROW, _HEADING = 2 * LINE + 4, LINE + 6
_MARGIN = 8


def forest_svg(rows: Sequence[ForestRow], *, synthetic: bool) -> Markup:
    """The drawing: of every row the name and the numbers, below them the interval to scale.

    Rows of another reference than the row before stand below a line that names it.
    """
    low, high = forest_ends(rows)
    places = list(_places(rows))
    body = places[-1].y + _ROW
    frame = Frame(
        body + 2 * LINE + 14 + label_height(synthetic),
        left=_MARGIN,
        right=_MARGIN,
        top=0,
        bottom=2 * LINE + 14,
        synthetic=synthetic,
    )
    numbers = [(_x(frame, tick, low, high), f"{tick:g}") for tick in ticks_of(low, high)]
    parts = frame.axes(numbers, (), (ways_of(rows), ""), lines=False)
    for place in places:
        top = frame.above + place.y + LINE
        for at, number in numbers:
            parts.append(line("zero" if number == "0" else "grid", at, top, at, top + LINE + 4))
        parts += _row(frame, place, low, high)
    said = "; ".join(f"{row.name}: {row_text(row)}" for row in rows)
    return frame.drawing(f"Paired differences in points, with intervals. {said}", parts)


@dataclass(frozen=True)
class _Place:
    """A row and where it begins; heading: what stands above it, or nothing."""

    row: ForestRow
    y: float
    heading: str


def _places(rows: Sequence[ForestRow]) -> Iterator[_Place]:
    y, before = 0.0, ""
    for row in rows:
        heading = f"against {row.against}" if row.against != before else ""
        y += _HEADING if heading else 0
        yield _Place(row, y, heading)
        y, before = y + _ROW, row.against


def _x(frame: Frame, points: float, low: float, high: float) -> float:
    return frame.x((points - low) / (high - low))


def _row(frame: Frame, place: _Place, low: float, high: float) -> Iterator[Markup]:
    row, top = place.row, frame.above + place.y
    if place.heading:
        yield text(0, top - 6, shortened(place.heading, WIDTH), "heading")
    told = row_text(row)
    name = shortened(row.name, WIDTH - width_of(told) - 12)
    yield text(0, top + LINE - 4, name, "name")
    yield text(WIDTH, top + LINE - 4, told, "end")
    y = top + LINE + 9
    shape = Markup('<g class="one"><title>{}</title>').format(printable(f"{row.name}: {told}"))
    if row.interval is not None:
        ends = [_x(frame, min(max(end, low), high), low, high) for end in row.interval]
        shape += line(of_look("bar", row.look), ends[0], y, ends[1], y)
        for end, at, inside in zip(row.interval, ends, (1, -1), strict=True):
            if low <= end <= high:
                shape += line(of_look("bar", row.look), at, y - 4, at, y + 4)
            else:  # it goes on
                arrow = Markup('<path class="{}" d="M{} {}l{} -4m{} 4l{} 4"/>')
                shape += arrow.format(
                    of_look("bar", row.look), at, y, 5 * inside, -5 * inside, 5 * inside
                )
    if low <= row.difference <= high:
        filled = "dot" if row.told else "dot hollow"
        shape += Markup('<circle class="{}" cx="{}" cy="{}" r="5"/>').format(
            of_look(filled, row.look), _x(frame, row.difference, low, high), y
        )
    yield shape + Markup("</g>")
