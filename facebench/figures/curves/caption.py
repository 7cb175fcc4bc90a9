"""What stands below a drawing of curves: what it shows, how it is drawn, and what its bands are."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.figures.curves.curves import DET
from facebench.figures.curves.layout import RocLayout, layout_of
from facebench.figures.styles import Styles
from facebench.records.record import Record


def curve_caption(
    records: Sequence[Record], name: str, title: str, looks: Styles | None = None
) -> str:
    """The caption of the curve of a name. title: of the protocol and its data."""
    return caption_of(layout_of(records, name, looks), name, title)


def caption_of(layout: RocLayout, name: str, title: str) -> str:
    """The same of a drawing that is laid out."""
    sentences = [f"{name}: {title.rstrip('.')}"]
    if name == DET:
        sentences.append("Both axes are logarithmic; lower is better")
    if layout.resolution is not None:
        sentences.append("Shaded: finer than one false accept")
    if len(layout.curves) > len(layout.key):
        sentences.append("Point at a grey curve to see whose it is")
    if layout.shows_intervals:
        sentences += [*_of_bands(layout), *_of_whiskers(layout)]
    return ". ".join(sentences) + "."


def _of_bands(layout: RocLayout) -> list[str]:
    bands = [curve.band for curve in layout.curves if curve.band is not None]
    if not bands:
        return []
    fewest, most = min(band.draws for band in bands), max(band.draws for band in bands)
    draws = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    kinds = " or ".join(dict.fromkeys(band.kind for band in bands))
    short = words_of_axis(layout)
    return [f"Bands: pointwise 95% intervals of {draws} resamples of {kinds}, at fixed {short}"]


def words_of_axis(layout: RocLayout) -> str:
    """``FARs``, ``FPIRs`` or ``ranks``: what x counts."""
    return f"{layout.words.x.split(' ')[0]}s"


def _of_whiskers(layout: RocLayout) -> list[str]:
    kinds = dict.fromkeys(w.kind for curve in layout.curves for w in curve.whiskers)
    if not kinds:
        return []
    return [
        f"Bars: 95% intervals in the record, at its {words_of_axis(layout)} ({', '.join(kinds)})"
    ]
