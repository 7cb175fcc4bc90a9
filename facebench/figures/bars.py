"""A list of values as bars, e.g. the frequencies of Figure 1."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from facebench.figures.frame import Frame, line, text

_FRAME = Frame(620, 260, left=60, right=0, top=14, bottom=30)


def bars_svg(values: Sequence[float], name: str) -> Markup:
    """Bars from zero, all values at least zero; the highest and the last position are labelled."""
    top, floor = max([*values, 1e-12]), _FRAME.floor
    width = (_FRAME.end - _FRAME.left) / len(values)
    height = floor - _FRAME.top
    bars = [
        Markup('<rect class="column" x="{}" y="{}" width="{}" height="{}"/>').format(
            round(_FRAME.left + index * width, 2),
            round(floor - max(value, 0) / top * height, 2),
            round(0.9 * width, 2),
            round(max(value, 0) / top * height, 2),
        )
        for index, value in enumerate(values)
    ]
    parts = [
        line("grid", _FRAME.left, floor, _FRAME.end, floor),
        *bars,
        text(_FRAME.left - 7, 20, f"{top:.3g}", "end"),
        text(_FRAME.left - 7, floor, "0", "end"),
        text(_FRAME.left, _FRAME.height - 8, "1"),
        text(_FRAME.width, _FRAME.height - 8, str(len(values)), "end"),
    ]
    return _FRAME.drawing(name, parts)
