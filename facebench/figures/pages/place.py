"""Where labels of points stand, so that none lies on a point, a bar, another label or the edge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facebench.figures.labels import Extent, hides

_UP, _DOWN = 10.0, 3.5  # of letters, from their base line
_GAP = 4.0
_TRIES = 6  # orders in which labels are placed
_STEP = 7.0  # of the search for free places further away


@dataclass(frozen=True)
class Label:
    """A text that begins at x, its base line at y; leader: where a thin line to its point begins
    and ends, None: it stands beside its point.
    """

    x: float
    y: float
    leader: tuple[float, float, float, float] | None = None


def place_labels(
    marks: Sequence[Extent], widths: Sequence[float], bounds: Extent, taken: Sequence[Extent] = ()
) -> list[Label | None]:
    """A place for the label of every mark, None where there is none.

    marks: points with their bars, the labelled ones first, each the box of a label's own; widths:
    of the labels; bounds: what all stay within; taken: what else they must not hide. Crowded marks
    are served first.
    """
    number = len(widths)
    crowd = [sum(_distance(m, other) < 60 for other in marks) for m in marks[:number]]
    order = sorted(range(number), key=lambda n: (-crowd[n], n))
    best: list[Label | None] = []
    for _ in range(_TRIES):
        found = _in_order(order, marks, widths, bounds, taken)
        if not best or found.count(None) < best.count(None):
            best = found
        left = [n for n in order if found[n] is None]
        if not left:
            break
        order = [*left, *(n for n in order if n not in left)]
    return best


def _in_order(
    order: Sequence[int],
    marks: Sequence[Extent],
    widths: Sequence[float],
    bounds: Extent,
    taken: Sequence[Extent],
) -> list[Label | None]:
    found: list[Label | None] = [None] * len(widths)
    used = [*marks, *taken]
    for at in order:
        others = [*marks[:at], *marks[at + 1 :]]
        for label, box in _candidates(marks[at], widths[at], bounds):
            if hides(box, used) or not _inside(box, bounds):
                continue
            # Beside a point, a label is nearest to that point and to no other.
            own = _distance(box, _bar(marks[at]))
            near = label.leader is not None or all(
                _distance(box, other) > own + 1 for other in others
            )
            if near and not _crosses(label.leader, [*others, *used[len(marks) :]]):
                found[at] = label
                used += [box, *_along(label.leader)]
                break
    return found


def _candidates(mark: Extent, width: float, bounds: Extent) -> Iterator[tuple[Label, Extent]]:
    left, top, right, bottom = mark
    x, y = (left + right) / 2, (top + bottom) / 2
    beside = [(right + _GAP, y + 4), (left - _GAP - width, y + 4)]
    beside += [(x - width / 2, top - _GAP - _DOWN + 2), (x - width / 2, bottom + _GAP + _UP - 1)]
    for above in (top + _UP, bottom - _DOWN, top - 2, bottom + _UP):
        beside += [(right + _GAP, above), (left - _GAP - width, above)]
    for at, base in beside:
        yield Label(at, base), _box(at, base, width)
    # Further away, nearest first, with a line to the point.
    reach = range(1, 40)
    places = [
        (x - width / 2 + dx * 2 * _STEP, y + dy * _STEP)
        for dx in range(-12, 13)
        for n in reach
        for dy in (n, -n)
    ]
    places.sort(key=lambda p: (abs(p[0] + width / 2 - x) * 0.7 + abs(p[1] - y), p))
    for at, base in places:
        box = _box(at, base, width)
        if not _inside(box, bounds):
            continue
        tip = (min(max(x, box[0]), box[2]), box[1] if base > y else box[3])
        if tip[0] in (box[0], box[2]):
            tip = (tip[0], base - 3.5)
        edge = (x, min(max(tip[1], top), bottom))
        yield Label(at, base, (*edge, *tip)), box


def _box(x: float, base: float, width: float) -> Extent:
    return x, base - _UP, x + width, base + _DOWN


def _bar(mark: Extent) -> Extent:
    """The least that a mark takes: a line through its middle."""
    middle = (mark[0] + mark[2]) / 2
    return middle, mark[1], middle, mark[3]


def _inside(box: Extent, bounds: Extent) -> bool:
    return (
        bounds[0] <= box[0] and bounds[1] <= box[1] and box[2] <= bounds[2] and box[3] <= bounds[3]
    )


def _distance(one: Extent, other: Extent) -> float:
    """Between two boxes, 0 where they touch."""
    dx = max(other[0] - one[2], one[0] - other[2], 0.0)
    dy = max(other[1] - one[3], one[1] - other[3], 0.0)
    return float((dx * dx + dy * dy) ** 0.5)


def _along(leader: tuple[float, float, float, float] | None) -> list[Extent]:
    """Small boxes along a leader."""
    if leader is None:
        return []
    x1, y1, x2, y2 = leader
    steps = [(x1 + (x2 - x1) * n / 24, y1 + (y2 - y1) * n / 24) for n in range(1, 25)]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in steps]


def _crosses(leader: tuple[float, float, float, float] | None, boxes: Sequence[Extent]) -> bool:
    """Whether a leader runs through any box."""
    return any(hides(step, boxes) for step in _along(leader))
