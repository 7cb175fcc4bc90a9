"""ROC, DET, DIR and CMC curves as SVG in a page; its style sheet gives the colours."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from facebench.figures.curves.bands import Whisker
from facebench.figures.curves.layout import DrawnCurve, RocLayout, layout_of
from facebench.figures.frame import Frame, line, text
from facebench.records.record import Record

_FRAME = Frame(620, 430, left=62, right=16, top=14, bottom=60)
_LINE = 20  # height of a label
_DODGE = 8  # between the intervals of neighbouring curves


def roc_svg(records: Sequence[Record], curve: str | None = None) -> Markup:
    """Curves of records of the same comparisons; classes ``c0``… carry the colours.

    curve: a name of `curve_names`; None: the main one.
    """
    layout = layout_of(records, curve)
    curves = (_one(layout, number) for number in range(len(layout.curves)))
    return _FRAME.drawing(_said(layout), [*_axes(layout), *curves, *_labels(layout)])


def _said(layout: RocLayout) -> str:
    """The drawing in words, for those who do not see it: every curve at the ticks of x."""
    x, y = layout.words.x.split(" (")[0], layout.words.y_short.replace(" %", "", 1)
    curves = []
    for curve in layout.curves:
        at = [tick for tick in layout.decades if tick >= max(curve.far[0], layout.resolution or 0)]
        values = [f"{100 * curve.tar_at(tick):.2f} % at {tick:g}" for tick in at]
        curves.append(f"{curve.label}: {', '.join(values)}")
    return f"{layout.words.name} curves, {y} over {x}. {'; '.join(curves)}"


def _x(layout: RocLayout, far: float) -> float:
    return _FRAME.x(layout.far_position(far))


def _y(layout: RocLayout, tar: float) -> float:
    return _FRAME.y(layout.tar_position(tar))


def _axes(layout: RocLayout) -> list[Markup]:
    x = [(_x(layout, far), f"{far:g}") for far in layout.decades]
    y = [(_y(layout, tar), f"{100 * tar:g}") for tar in layout.tar_ticks]
    names = (layout.words.x, layout.words.y_short)
    return [*_limit(layout), *_FRAME.axes(x, y, names, 0.72 if layout.synthetic else None)]


def _limit(layout: RocLayout) -> list[Markup]:
    """The shaded rates that are finer than one false accept."""
    if layout.resolution is None:
        return []
    limit, bottom = _x(layout, layout.resolution), _FRAME.floor
    return [
        Markup('<rect class="limit" x="{}" y="{}" width="{}" height="{}"/>').format(
            _FRAME.left, _FRAME.top, round(limit - _FRAME.left, 1), bottom - _FRAME.top
        ),
        line("limit", limit, _FRAME.top, limit, bottom),
        text(limit + 6, bottom - 8, f"1 / {layout.nonmated:,}: {layout.words.finest}", "note"),
    ]


def _one(layout: RocLayout, number: int) -> Markup:
    """A curve with its band or its intervals; a hidden band is seen while the curve is pointed at.

    Later curves' intervals stand beside those of earlier ones.
    """
    curve = layout.curves[number]
    hidden = number > 0 and not layout.shows_all_bands
    parts = [_band(layout, curve, hidden=hidden)] if curve.band else []
    parts.append(_path(layout, curve))
    aside = _DODGE * (number - (len(layout.curves) - 1) / 2)
    parts += [part for w in curve.whiskers for part in _whisker(layout, curve, w, aside)]
    return Markup('<g class="one">{}</g>').format(Markup("").join(parts))


def _band(layout: RocLayout, curve: DrawnCurve, *, hidden: bool) -> Markup:
    """The area between the percentiles, which are joined by lines."""
    band = curve.band
    assert band is not None
    x = [_x(layout, far) for far in band.x]
    if curve.far[0] <= layout.far_low:  # what holds without false accepts holds from the edge on
        x[0] = _FRAME.left
    above = [f"{at} {_y(layout, high)}" for at, high in zip(x, band.high, strict=True)]
    below = [f"{at} {_y(layout, low)}" for at, low in zip(x, band.low, strict=True)]
    return Markup('<path class="band c{}{}" d="M{}Z"/>').format(
        curve.colour, " hidden-band" if hidden else "", "L".join([*above, *below[::-1]])
    )


def _whisker(layout: RocLayout, curve: DrawnCurve, one: Whisker, aside: float) -> list[Markup]:
    """An interval as a bar with ends."""
    x = _x(layout, one.x) + aside
    x = round(min(max(x, _FRAME.left + 3.0), _FRAME.end - 3.0), 1)
    low, high = _y(layout, one.low), _y(layout, one.high)
    name = f"whisker c{curve.colour}"
    return [
        line(name, x, low, x, high),
        *(line(name, round(x - 3, 1), y, round(x + 3, 1), y) for y in (low, high)),
    ]


def _path(layout: RocLayout, curve: DrawnCurve) -> Markup:
    """Steps: a TAR holds until the next FAR, never interpolated."""
    steps = [f"M{_x(layout, curve.far[0])} {_y(layout, curve.tar[0])}"]
    for far, tar in zip(curve.far[1:], curve.tar[1:], strict=True):
        steps.append(f"H{_x(layout, far)}V{_y(layout, tar)}")
        if layout.log and tar < layout.tar_low:  # it has left the axis
            break
    else:
        steps.append(f"H{_x(layout, layout.far_high)}")
    return Markup('<path class="line c{}" d="{}"{}/>').format(
        curve.colour, "".join(steps), _dashes(curve)
    )


def _dashes(curve: DrawnCurve) -> Markup:
    if not curve.dash:
        return Markup()
    return Markup(' stroke-dasharray="{}"').format(" ".join(map(str, curve.dash)))


def _labels(layout: RocLayout) -> list[Markup]:
    gap = _LINE / (_FRAME.height - _FRAME.top - _FRAME.bottom)
    if not layout.direct(gap):
        return _key(layout)
    parts = []
    for curve, position in zip(layout.curves, layout.label_positions(gap), strict=True):
        y = _FRAME.y(position)
        parts.append(text(_FRAME.left + 8, y + 5, curve.label, f"name c{curve.colour}"))
    return parts


def _key(layout: RocLayout) -> list[Markup]:
    """Lines and names in the corner that the curves leave empty: lower right, or upper right."""
    widest = max(len(curve.label) for curve in layout.curves)
    left = _FRAME.end - max(120, min(300, 52 + 9.5 * widest))
    last = _FRAME.floor - 14
    if layout.log:
        last = _FRAME.top + 16 + _LINE * (len(layout.key) - 1)
    parts = []
    for row, curve in enumerate(layout.key):
        y = last - _LINE * (len(layout.key) - 1 - row)
        parts.append(
            Markup('<path class="line c{}" d="M{} {}h34"{}/>').format(
                curve.colour, left, y, _dashes(curve)
            )
        )
        parts.append(text(left + 42, y + 5, curve.label, f"name c{curve.colour}"))
    return parts
