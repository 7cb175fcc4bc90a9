"""Numbers of records as the text of table cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from facebench.base.text import count_text, percent, points, ratio_text, size_text
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.paired import Paired
from facebench.records.record import Record, template_kind
from facebench.records.sections import Estimate, ModelSection
from facebench.tables.table import DASH, Cell

BYTES_PER_FACE = "bytes per face"
SEARCHES = ("identification", "search", "template-search")  # kinds of protocols


class Ends(Protocol):
    """An interval, as computed or as recorded."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def labelled(title: str, kind: str | None) -> str:
    """A title, behind the label of synthetic faces where a table is of those."""
    return f"{SYNTHETIC_LABEL} · {title}" if kind == "synthetic" else title


def protocol_text(record: Record) -> str:
    """``lfw v1``: the protocol that a record is of, its version and edition."""
    protocol = record.protocol
    return f"{protocol.name} v{protocol.version}{protocol.edition}"


def interval_text(interval: Ends | None) -> str:
    """``[low, high]`` in percent, or nothing."""
    return f"[{percent(interval.low)}, {percent(interval.high)}]" if interval else ""


def points_text(interval: Ends | None) -> str:
    """``[low, high]`` of a difference, in points of percent; or nothing."""
    return f"[{points(interval.low)}, {points(interval.high)}]" if interval else ""


def p_text(p_value: float | None) -> str:
    """A p-value to three places."""
    if p_value is None:
        return DASH
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def p_equation(p_value: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    text = p_text(p_value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def versus_text(paired: Paired) -> str:
    """``−0.25 ▼ p = 0.012``: against the reference; difference in points, mark, deciding p."""
    text = f"{points(paired.difference)} {paired.mark}".rstrip()
    return text if paired.deciding_p is None else f"{text} {p_equation(paired.deciding_p)}"


def versus_cell(paired: Paired) -> Cell:
    """Against the reference, with the interval of the difference; or why not."""
    if not paired.tested:
        return Cell(DASH, paired.why)
    return Cell(versus_text(paired), points_text(paired.interval))


def difference_cell(paired: Paired) -> Cell:
    """The difference in points, with its interval or why it has none."""
    return Cell(points(paired.difference), points_text(paired.interval) or paired.why)


def estimate_cell(estimate: Estimate) -> Cell:
    """A value in percent, and its interval."""
    return Cell(percent(estimate.value), interval_text(estimate.interval))


def failures_cell(record: Record) -> Cell:
    """The share of comparisons with a failure to acquire."""
    failures = record.failures_to_acquire
    detail = f"{failures.faces:,} faces" if failures.faces else ""
    return Cell(percent(failures.share), detail)


def size_headings(models: Sequence[ModelSection]) -> tuple[str, ...]:
    """Columns of what models take; multiply-adds where any record tells them, bytes per face where
    any keeps less than whole embeddings.
    """
    told = any(model.multiply_adds is not None for model in models)
    smaller = any(model.template for model in models)
    optional = (("multiply-adds", told), (BYTES_PER_FACE, smaller))
    return ("kept", "ratio", "size", *(heading for heading, shown in optional if shown))


def size_cells(model: ModelSection) -> dict[str, Cell]:
    """What a model takes, by heading: the same in every table of records."""
    packed, products = size_text(model.packed_bytes), count_text(model.kept_multiply_adds)
    fewer = model.kept_multiply_adds not in (None, model.multiply_adds)
    return {
        "kept": Cell(count_text(model.kept_parameters)),
        "ratio": Cell(ratio_text(model.compression_ratio)),
        "size": Cell(
            size_text(model.bytes), "" if model.packed_bytes is None else f"packed {packed}"
        ),
        "multiply-adds": Cell(count_text(model.multiply_adds), f"kept {products}" if fewer else ""),
        BYTES_PER_FACE: Cell(count_text(model.bytes_per_face), template_kind(model)),
    }


def sizes_text(models: Sequence[ModelSection]) -> str:
    """The line that explains these columns."""
    words = (
        "kept: weights that are not zero, and biases; ratio: of these to all of what the model was "
        "made of, or of the first model"
    )
    if any(model.packed_bytes is not None for model in models):
        words += "; size: of the file, and as `facebench pack` writes it in float16"
    if any(model.multiply_adds is not None for model in models):
        words += "; multiply-adds: of one face, kept: without those of zeros"
    if any(model.template for model in models):
        words += f"; {BYTES_PER_FACE}: of an embedding as the template keeps it"
    return words


def taken_text(name: str, model: ModelSection) -> str:
    """``sparse_074: kept 0.74 M, ratio 0.742, size 1.2 MB``: what a model takes, in one phrase."""
    cells = size_cells(model)
    told = []
    for heading in size_headings([model]):
        cell = cells[heading]
        told.append(f"{heading} {cell.text}" + (f" ({cell.detail})" if cell.detail else ""))
    return f"{name}: {', '.join(told)}"
