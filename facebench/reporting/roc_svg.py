"""ROC curves as SVG inside a page: its colours follow the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from facebench.reporting.record import Record
from facebench.reporting.roc_layout import Curve, RocLayout, layout_of
from facebench.reporting.view import SYNTHETIC_LABEL

_WIDTH, _HEIGHT = 620, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 14, 60
_LINE = 20  # height of a label


def roc_svg(records: Sequence[Record], curve: str | None = None) -> Markup:
    """Curves of records of the same comparisons; classes ``c0``… carry the colours.

    curve: a name of `curve_names`; None: the main one.
    """
    layout = layout_of(records, curve)
    names = ", ".join(drawn.label for drawn in layout.curves)
    parts = [
        Markup('<svg class="roc" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            _WIDTH, _HEIGHT, f"{layout.words.name} curves of {names}"
        ),
        *_axes(layout),
        *(_path(layout, drawn) for drawn in layout.curves),
        *_labels(layout),
        Markup("</svg>"),
    ]
    return Markup("\n").join(parts)


def _x(layout: RocLayout, far: float) -> float:
    return round(_LEFT + layout.far_position(far) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(layout: RocLayout, tar: float) -> float:
    return _height(layout.tar_position(tar))


def _height(position: float) -> float:
    return round(_HEIGHT - _BOTTOM - position * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(layout: RocLayout) -> list[Markup]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = _limit(layout, bottom)
    for far in layout.decades:
        x = _x(layout, far)
        parts += [_line("grid", x, _TOP, x, bottom), _text(x, bottom + 22, f"{far:g}", "middle")]
    for tar in layout.tar_ticks:
        y = _y(layout, tar)
        parts += [_line("grid", _LEFT, y, right, y)]
        parts += [_text(_LEFT - 7, y + 5, f"{100 * tar:g}", "end")]
    middle = (_LEFT + right) / 2
    parts.append(_text(middle, _HEIGHT - 12, layout.words.x, "middle"))
    if layout.synthetic:
        for row, words in enumerate(SYNTHETIC_LABEL.split(" (")):
            text = f"({words}" if row else words
            parts.append(_text(middle, 0.72 * bottom + 26 * row, text, "synthetic middle"))
    centre = (_TOP + bottom) / 2
    parts.append(
        Markup('<text class="middle" transform="rotate(-90 16 {0})" x="16" y="{0}">{1}</text>')
        .format(centre, layout.words.y_short)
    )  # fmt: skip
    return parts


def _limit(layout: RocLayout, bottom: float) -> list[Markup]:
    """The shaded rates that are finer than one false accept."""
    if layout.resolution is None:
        return []
    limit = _x(layout, layout.resolution)
    return [
        Markup('<rect class="limit" x="{}" y="{}" width="{}" height="{}"/>').format(
            _LEFT, _TOP, round(limit - _LEFT, 1), bottom - _TOP
        ),
        _line("limit", limit, _TOP, limit, bottom),
        _text(limit + 6, bottom - 8, f"1 / {layout.nonmated:,}: {layout.words.finest}", "note"),
    ]


def _path(layout: RocLayout, curve: Curve) -> Markup:
    """Steps: a TAR holds until the next FAR, never interpolated."""
    steps = [f"M{_x(layout, curve.far[0])} {_y(layout, curve.tar[0])}"]
    for far, tar in zip(curve.far[1:], curve.tar[1:], strict=True):
        steps.append(f"H{_x(layout, far)}V{_y(layout, tar)}")
    steps.append(f"H{_x(layout, layout.far_high)}")
    dash = Markup(' stroke-dasharray="{}"').format(" ".join(map(str, curve.dash)))
    return Markup('<path class="c{}" d="{}"{}/>').format(
        curve.colour, "".join(steps), dash if curve.dash else ""
    )


def _labels(layout: RocLayout) -> list[Markup]:
    gap = _LINE / (_HEIGHT - _TOP - _BOTTOM)
    if not layout.direct(gap):
        return _key(layout)
    parts = []
    for curve, position in zip(layout.curves, layout.label_positions(gap), strict=True):
        y = _height(position)
        parts.append(_text(_LEFT + 8, y + 5, curve.label, f"name c{curve.colour}"))
    return parts


def _key(layout: RocLayout) -> list[Markup]:
    """Lines and names in the lower right corner, which curves leave empty."""
    left = _WIDTH - _RIGHT - 190
    parts = []
    for row, curve in enumerate(layout.key):
        y = _HEIGHT - _BOTTOM - 14 - _LINE * (len(layout.key) - 1 - row)
        dash = Markup(' stroke-dasharray="{}"').format(" ".join(map(str, curve.dash)))
        parts.append(
            Markup('<path class="c{}" d="M{} {}h34"{}/>').format(
                curve.colour, left, y, dash if curve.dash else ""
            )
        )
        parts.append(_text(left + 42, y + 5, curve.label, f"name c{curve.colour}"))
    return parts


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(name, x1, y1, x2, y2)


def _text(x: float, y: float, text: str, name: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
        name, round(x, 1), round(y, 1), escape(text)
    )
