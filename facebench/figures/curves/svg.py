"""ROC, DET, DIR and CMC curves as SVG in a page; its style sheet gives the colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from facebench.base.text import printable
from facebench.figures.curves.bands import Whisker
from facebench.figures.curves.layout import DrawnCurve, RocLayout, layout_of
from facebench.figures.pages.frame import (
    Frame,
    KeyEntry,
    dashes,
    key_entry,
    key_rows,
    label_height,
    line,
    of_look,
    text,
)
from facebench.figures.pages.letters import LINE, width_of
from facebench.figures.styles import LineStyle, Styles
from facebench.records.record import Record

_HEIGHT = 226.0  # of the axes
_DODGE = 7  # between the intervals of neighbouring curves


def roc_svg(
    records: Sequence[Record], curve: str | None = None, looks: Styles | None = None
) -> Markup:
    """Curves of records of the same comparisons; classes ``c0``… carry the colours.

    curve: a name of `curve_names`; None: the main one. looks: of the page.
    """
    return layout_svg(layout_of(records, curve, looks))


def layout_svg(layout: RocLayout) -> Markup:
    """The same of what is laid out. The key stands below; its lines are those of the curves, and
    either, pointed at, brings out both.
    """
    drawing = _CurveDrawing.of(layout)
    quiet = [curve for curve in layout.curves if curve.look.colour is None]
    parts = [*drawing.axes(), *(drawing.one(curve) for curve in [*quiet, *layout.key[::-1]])]
    return drawing.frame.drawing(_said(layout), [*parts, *drawing.others()])


def _said(layout: RocLayout) -> str:
    """The drawing in words, for those who do not see it: every curve at the ticks of x."""
    x, y = layout.words.x.split(" (")[0], layout.words.y_short.replace(" %", "", 1)
    curves = []
    for curve in layout.curves:
        at = [tick for tick in layout.decades if tick >= max(curve.far[0], layout.resolution or 0)]
        values = [f"{100 * curve.tar_at(tick):.2f} % at {tick:g}" for tick in at]
        curves.append(f"{curve.label}: {', '.join(values)}")
    return f"{layout.words.name} curves, {y} over {x}. {'; '.join(curves)}"


@dataclass(frozen=True)
class _CurveDrawing:
    """key: where the entry of each curve stands in the key; last: entries of no single curve."""

    layout: RocLayout
    frame: Frame
    key: dict[int, tuple[float, float, KeyEntry]]
    last: list[tuple[float, float, KeyEntry]]

    @staticmethod
    def of(layout: RocLayout) -> _CurveDrawing:
        several = len({curve.kind for curve in layout.key}) > 1
        entries = [KeyEntry(_whole(layout, c) if several else c.label, c.look) for c in layout.key]
        more = [KeyEntry(kind, LineStyle(None, dash)) for kind, dash in layout.kinds.items()]
        more = [] if several and len(entries) == len(layout.curves) else more
        if not more and len(layout.curves) > len(entries):
            more = [KeyEntry(f"{len(layout.curves) - len(entries)} others", LineStyle(None, 0))]
        rows, below = key_rows(entries), key_rows(more)
        bottom = 2 * LINE + 12
        limit = layout.resolution is not None
        top = 20.0 + (LINE if limit else 0)
        numbers = [f"{100 * tick:g}" for tick in layout.tar_ticks]
        left = max(map(width_of, numbers)) + 9
        height = top + _HEIGHT + bottom + LINE * (len(rows) + len(below)) + 4
        synthetic = layout.synthetic
        frame = Frame(
            height + label_height(synthetic),
            left=left,
            top=top,
            bottom=bottom + LINE * (len(rows) + len(below)) + 4,
            synthetic=synthetic,
        )
        first = frame.floor + bottom + LINE
        flat = [(x, first + LINE * n, e) for n, row in enumerate(rows) for x, e in row]
        after = first + LINE * len(rows)
        last = [(x, after + LINE * n, e) for n, row in enumerate(below) for x, e in row]
        key = {id(curve): place for curve, place in zip(layout.key, flat, strict=True)}
        return _CurveDrawing(layout, frame, key, last)

    def x(self, far: float) -> float:
        return self.frame.x(float(self.layout.far_position(far)))

    def y(self, tar: float) -> float:
        return self.frame.y(float(self.layout.tar_position(tar)))

    def axes(self) -> list[Markup]:
        layout, frame = self.layout, self.frame
        x = [(self.x(far), f"{far:g}") for far in layout.decades]
        y = [(self.y(tar), f"{100 * tar:g}") for tar in layout.tar_ticks]
        parts = frame.axes(x, y, (layout.words.x, ""))
        limit = [] if layout.resolution is None else self._limit(layout.resolution)
        return [*limit, *parts, text(0, frame.above - (26 if limit else 10), layout.words.y_short)]

    def _limit(self, resolution: float) -> list[Markup]:
        """The shaded rates that are finer than one false accept."""
        frame, layout = self.frame, self.layout
        at, top = self.x(resolution), frame.above
        words = f"1 / {layout.nonmated:,}: {layout.words.finest}"
        return [
            Markup('<rect class="limit" x="{}" y="{}" width="{}" height="{}"/>').format(
                frame.left, top, round(at - frame.left, 1), round(frame.floor - top, 1)
            ),
            line("limit", at, top - 4, at, frame.floor),
            text(max(at - 2, 0), top - 8, words),
        ]

    def one(self, curve: DrawnCurve) -> Markup:
        """A curve with its name, its band or its intervals, and its entry in the key."""
        shown = self.layout.shows_intervals
        parts = [Markup("<title>{}</title>").format(printable(_whole(self.layout, curve)))]
        if curve.band:
            parts.append(self._band(curve))
        parts.append(self._path(curve))
        aside = _DODGE * (self.layout.curves.index(curve) - (len(self.layout.curves) - 1) / 2)
        for one in curve.whiskers if shown else ():
            parts += self._whisker(curve, one, aside)
        if id(curve) in self.key:
            parts.append(key_entry(*self.key[id(curve)]))
        quiet = "" if curve.look.colour is not None else " quiet"
        return Markup('<g class="one{}">{}</g>').format(quiet, Markup("").join(parts))

    def others(self) -> list[Markup]:
        return [key_entry(*place) for place in self.last]

    def _band(self, curve: DrawnCurve) -> Markup:
        """The area between the percentiles, which are joined by lines."""
        band = curve.band
        assert band is not None
        x = [self.x(far) for far in band.x]
        if curve.far[0] <= self.layout.far_low:  # what holds without false accepts: from the edge
            x[0] = round(self.frame.left, 1)
        above = [f"{at} {self.y(high)}" for at, high in zip(x, band.high, strict=True)]
        below = [f"{at} {self.y(low)}" for at, low in zip(x, band.low, strict=True)]
        return Markup('<path class="{}" d="M{}Z"/>').format(
            of_look("band", curve.look), "L".join([*above, *below[::-1]])
        )

    def _whisker(self, curve: DrawnCurve, one: Whisker, aside: float) -> list[Markup]:
        """An interval as a bar with ends."""
        x = self.x(one.x) + aside
        x = round(min(max(x, self.frame.left + 3.0), self.frame.end - 3.0), 1)
        low, high = self.y(one.low), self.y(one.high)
        name = of_look("whisker", curve.look)
        return [line(name, x, low, x, high), *(line(name, x - 3, y, x + 3, y) for y in (low, high))]

    def _path(self, curve: DrawnCurve) -> Markup:
        """Steps: a TAR holds until the next FAR, never interpolated."""
        layout, frame = self.layout, self.frame
        far = map(frame.x, layout.far_position(curve.far).tolist())
        heights = map(frame.y, layout.tar_position(curve.tar).tolist())
        at, height = next(far), next(heights)
        steps = [f"M{at} {height}"]
        for tar, x, y in zip(curve.tar[1:], far, heights, strict=True):
            # A step that no drawing can show is none.
            if x != at:
                steps.append(f"H{x}")
            if y != height:
                steps.append(f"V{y}")
            at, height = x, y
            if layout.log and tar < layout.tar_low:  # it has left the axis
                break
        else:
            steps.append(f"H{self.x(layout.far_high)}")
        return Markup('<path class="{}" d="{}"{}/>').format(
            of_look("line", curve.look), "".join(steps), dashes(curve.look)
        )


def _whole(layout: RocLayout, curve: DrawnCurve) -> str:
    return f"{curve.label}, {curve.kind}" if layout.kinds else curve.label
