"""A list of values as bars, e.g. the frequencies of Figure 1."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from facebench.base.text import printable

_WIDTH, _HEIGHT, _BOTTOM, _LEFT = 620, 260, 30, 60


def bars_svg(values: Sequence[float], name: str) -> Markup:
    """Bars from zero, all values at least zero; the highest and the last position are labelled."""
    top = max([*values, 1e-12])
    width = (_WIDTH - _LEFT) / len(values)
    height = _HEIGHT - _BOTTOM - 14
    bars = [
        Markup('<rect class="column" x="{}" y="{}" width="{}" height="{}"/>').format(
            round(_LEFT + index * width, 2),
            round(_HEIGHT - _BOTTOM - max(value, 0) / top * height, 2),
            round(0.9 * width, 2),
            round(max(value, 0) / top * height, 2),
        )
        for index, value in enumerate(values)
    ]
    bottom = _HEIGHT - _BOTTOM
    parts = [
        Markup('<svg class="roc" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            _WIDTH, _HEIGHT, printable(name)
        ),
        Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            _LEFT, bottom, _WIDTH, bottom
        ),
        *bars,
        Markup('<text class="end" x="{}" y="20">{}</text>').format(_LEFT - 7, f"{top:.3g}"),
        Markup('<text class="end" x="{}" y="{}">0</text>').format(_LEFT - 7, bottom),
        Markup('<text x="{}" y="{}">1</text>').format(_LEFT, _HEIGHT - 8),
        Markup('<text class="end" x="{}" y="{}">{}</text>').format(
            _WIDTH, _HEIGHT - 8, len(values)
        ),
        Markup("</svg>"),
    ]
    return Markup("\n").join(parts)
