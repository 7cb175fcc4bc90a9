"""The drawings that stand with a table of records: differences, accuracy against size, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from facebench.base.errors import UserError, left_out
from facebench.comparison.degradation import shown_interval
from facebench.comparison.paired import Paired
from facebench.figures.curves.caption import caption_of
from facebench.figures.curves.curves import curve_names, drawable
from facebench.figures.curves.layout import layout_of
from facebench.figures.curves.svg import layout_svg
from facebench.figures.forest import forest_row
from facebench.figures.pages.forest import forest_svg
from facebench.figures.pages.sizes import (
    BYTES,
    KEPT,
    LATENCY,
    PRODUCTS,
    SizeAxis,
    SizePoint,
    size_svg,
)
from facebench.figures.styles import Styles
from facebench.records.comparability import names_of
from facebench.records.costs import find_costs
from facebench.records.record import Record
from facebench.records.statistics import statistic_text, statistics_in


@dataclass(frozen=True)
class Drawing:
    """A drawing and what it shows. more: it is folded, as one that few readers need."""

    svg: Markup
    caption: str
    more: bool = False


@dataclass(frozen=True)
class Contrast:
    """A paired difference by the name of its row."""

    name: str
    found: Paired
    candidate: Record
    base: Record


def drawings_of_records(
    records: Sequence[Record], contrasts: Sequence[Contrast], title: str, styles: Styles
) -> Iterator[Drawing]:
    """Contrasts, accuracy against size and curves of one table. styles: of the page."""
    if records:
        styles.meet(records)
    if contrasts:
        yield forest_drawing(contrasts, styles)
    if not records:
        return
    yield from size_drawings(records, title, styles)
    if drawable(records):
        for at, name in enumerate(curve_names(records[0])):
            yield curve_drawing(records, name, title, styles, more=at > 0)


def forest_drawing(contrasts: Sequence[Contrast], styles: Styles) -> Drawing:
    """Contrasts from references, in the order of the table."""
    styles.meet([one.candidate for one in contrasts])
    rows = [
        forest_row(one.name, one.found, styles.look(one.candidate), one.base.model.id)
        for one in contrasts
    ]
    synthetic = contrasts[0].base.data.kind == "synthetic"
    svg = forest_svg(rows, synthetic=synthetic)
    return Drawing(svg, forest_caption([one.found for one in contrasts]))


def curve_drawing(
    records: Sequence[Record], name: str, title: str, styles: Styles, *, more: bool
) -> Drawing:
    """The curve of a name, of records of the same comparisons."""
    layout = layout_of(records, name, styles)
    return Drawing(layout_svg(layout), caption_of(layout, name, title), more)


def size_drawings(records: Sequence[Record], title: str, styles: Styles) -> Iterator[Drawing]:
    """The headline against bytes, kept parameters, multiply-adds and latency, where models differ
    in it.
    """
    rate = f"{statistics_in(records[0])[0]} %"
    names = names_of(records)
    for axis, sizes in sizes_of(records).items():
        points = [
            size_point(name, size, record, styles)
            for name, record, size in zip(names, records, sizes, strict=True)
            if size
        ]
        if len({point.size for point in points}) > 1:
            synthetic = records[0].data.kind == "synthetic"
            yield size_drawing(points, rate, axis, title, synthetic=synthetic, more=axis != BYTES)


def sizes_of(records: Sequence[Record]) -> dict[SizeAxis, list[float | None]]:
    """What models take, by axis; latency only of those that one machine timed in one way."""
    models = [record.model for record in records]
    return {
        BYTES: [model.bytes for model in models],
        KEPT: [model.kept_parameters for model in models],
        PRODUCTS: [model.multiply_adds for model in models],
        LATENCY: _latencies(records),
    }


def _latencies(records: Sequence[Record]) -> list[float | None]:
    """Seconds of one face, where the same weights were timed."""
    found: list[float | None] = []
    how: tuple[object, ...] | None = None
    for record in records:
        try:
            costs = find_costs(record.model.id)
        except UserError as error:  # costs are beside the point of most pages
            left_out(error)
            costs = None
        run = costs and costs.weights_hash == record.model.weights_hash and costs.run_of()
        own = (run.machine.cpu, run.threads, run.runtime) if run else None
        how = how or own
        found.append(run.latency.median if run and own == how else None)
    return found


def size_point(name: str, size: float, record: Record, styles: Styles) -> SizePoint:
    """A record's headline with its interval."""
    found = shown_interval(record.statistics.headline)
    ends = None if found is None else (found.low, found.high)
    return SizePoint(name, size, record.statistics.headline.value, ends, styles.look(record))


def size_drawing(
    points: Sequence[SizePoint],
    rate: str,
    axis: SizeAxis,
    title: str,
    *,
    synthetic: bool,
    more: bool,
) -> Drawing:
    """A rate against what a model costs."""
    svg = size_svg(points, rate, axis, synthetic=synthetic)
    return Drawing(svg, f"{rate} against {axis.words.split(',')[0]}: {title.rstrip('.')}.", more)


def forest_caption(tested: Sequence[Paired]) -> str:
    """What differences are of, and over what their intervals are."""
    found = [one for one in tested if one.interval is not None]
    if not found:
        return "Paired differences."
    ends = found[0].interval
    assert ends is not None
    names = ", ".join(dict.fromkeys(statistic_text(one.statistic) for one in found))
    over = "people" if any(one.over_subjects for one in found) else "comparisons"
    return (
        f"Paired differences of {names}, in points, with {100 * ends.level:g}% intervals over "
        f"{over}; hollow: no verdict rests on it."
    )
