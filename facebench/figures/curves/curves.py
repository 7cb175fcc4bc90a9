"""The curves of a record by name, ROC, DIR, DET and CMC, and the words of their axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facebench.records.record import Record
from facebench.records.sections import RatesSection, SeriesSection

DET = "DET"
_MAIN = {"DIR": "DIR", "TPIR": "TPIR", "TAR": "ROC", "rank": "CMC"}
_FALSE_RATE = ("ROC", "DIR", "TPIR")  # curves over a false rate: each has a DET


@dataclass(frozen=True)
class Words:
    """What a drawing says: the kind of curve, its axes, and y in short."""

    name: str
    x: str
    y: str
    y_short: str
    finest: str = ""


ROC = Words(
    "ROC",
    "FAR (share of non-mated comparisons accepted)",
    "TAR % (mated comparisons accepted)",
    "TAR %",
    "finest FAR",
)


def drawable(records: Sequence[Record]) -> bool:
    """Whether the records have a curve."""
    return all(record.curve is not None or record.series for record in records)


def curve_names(record: Record) -> list[str]:
    """The record's curves, the main one first, a DET after the curve that it mirrors."""
    names = ["ROC"] if record.curve is not None else [series.name for series in record.series]
    names.sort(key=lambda name: name != main_curve(record))
    mirrored = next((n for n, name in enumerate(names) if name in _FALSE_RATE), None)
    if mirrored is not None:
        names.insert(mirrored + 1, DET)
    return names


def main_curve(record: Record) -> str:
    """The curve that shows the record's headline number."""
    if record.statistics.kind == "verification":
        return "ROC"
    names = [series.name for series in record.series]
    wanted = _MAIN.get(record.statistics.headline.name, names[0])
    return wanted if wanted in names else names[0]


def series_of(record: Record, name: str) -> SeriesSection:
    """The points of a curve; of a DET, those of the curve that it mirrors."""
    if record.curve is not None:
        x, y = record.curve.far, record.curve.tar
        return SeriesSection(name="ROC", x_label=ROC.x, y_label=ROC.y, x=x, y=y, log=True)
    wanted = _FALSE_RATE if name == DET else (name,)
    return next(series for series in record.series if series.name in wanted)


def words_of(record: Record, name: str) -> Words:
    """The words of a curve's axes, in those of the protocol's paper."""
    mirrored = series_of(record, name).name
    words = ROC if mirrored == "ROC" else _search_words(record, mirrored)
    if name != DET:
        return words
    missed, of = ("FNMR", "TAR") if mirrored == "ROC" else ("FNIR", words.y_short[:-2])
    what = "comparisons rejected" if mirrored == "ROC" else "searches that miss their own"
    return Words(DET, words.x, f"{missed} % (mated {what})", f"{missed} % (1 − {of})", words.finest)


def _search_words(record: Record, name: str) -> Words:
    if name == "CMC" or record.statistics.kind == "verification":  # no rate to be finest at
        return Words("CMC", "rank", "probes found at that rank or before, %", "found %")
    rate = record.statistics.headline
    short, false_rate = ("TPIR", "FPIR") if rate.name == "TPIR" else ("DIR", "FAR")
    return Words(
        name,
        f"{false_rate} (share of searches of strangers that find anybody)",
        f"{short} % (mated searches that find their own)",
        f"{short} %",
        f"finest {false_rate}",
    )


def nonmated_of(record: Record) -> int:
    """The non-mated comparisons behind one curve: of the list, of one draw, or of one split."""
    statistics, nonmated = record.statistics, record.comparisons.nonmated
    if isinstance(statistics, RatesSection) and statistics.parts == "splits":
        return nonmated // statistics.number_of_parts
    return nonmated
