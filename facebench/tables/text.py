"""Numbers of records as the text of table cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from facebench.base.text import count_text, percent, points, size_text
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.paired import Paired
from facebench.comparison.verdict.words import change
from facebench.records.record import Record, template_kind
from facebench.records.sections import Estimate, ModelSection
from facebench.records.statistics import statistic_text
from facebench.tables.table import DASH, Cell, Column

BYTES_PER_FACE = "bytes per face"
PACKED = "packed"
PRODUCTS = "multiply-adds"
DOCS = "more: docs/understand/reading-a-report.md of facebench"


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


def statistic_heading(name: str) -> str:
    """A statistic above or beside its values in percent: ``accuracy %``, ``TAR % at FAR 0.1%``."""
    what, at, where = statistic_text(name).partition(" at ")
    return f"{what} %{at}{where}"


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


def marks_text(
    tested: Sequence[Paired], reference: str, family: int | None = None, *, alone: str = ""
) -> str:
    """The one line below a table that says what its marks and intervals are. family: how many tests
    were corrected for; None: all of these. alone: the only statistic with a mark, where the table
    holds others, too.
    """
    family = len(tested) if family is None else family
    level = next((one.interval.level for one in tested if one.interval), 0.95)
    over = "people" if any(one.over_subjects for one in tested) else "comparisons"
    several = f", Holm over {family}" if family > 1 else ""
    only = f", by {alone} only" if alone else ""
    return (
        f"▲ better, ▼ worse than {reference}, ≈ not told apart{only}: paired over {over}, at "
        f"5%{several}; brackets: {100 * level:g}%"
    )


def versus_cell(paired: Paired) -> Cell:
    """Against the reference, with the interval of the difference; or why not."""
    if not paired.tested:
        return Cell(DASH, paired.why)
    return Cell(
        points(paired.difference),
        points_text(paired.interval),
        value=paired.difference,
        mark=paired.mark,
        told=versus_text(paired),
    )


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


def size_columns(models: Sequence[ModelSection]) -> tuple[Column, ...]:
    """Columns of what models take: size and what is kept, and aside what any record tells more."""
    optional = (
        (PACKED, any(model.packed_bytes is not None for model in models)),
        (PRODUCTS, any(model.multiply_adds is not None for model in models)),
        (BYTES_PER_FACE, any(model.template for model in models)),
    )
    aside = (Column(heading, aside=True) for heading, told in optional if told)
    return (Column("size"), Column("kept"), *aside)


def size_cells(model: ModelSection, first: ModelSection) -> dict[str, Cell]:
    """What a model takes, by heading: the same in every table of records. first: what the change
    of the file's size is to.
    """
    products = count_text(model.kept_multiply_adds)
    fewer = model.kept_multiply_adds not in (None, model.multiply_adds)
    changed = model.bytes is not None and first.bytes and model.bytes != first.bytes
    size = change((model.bytes or 0) / (first.bytes or 1)) if changed else ""
    kept = _count_like(model.kept_parameters, first.kept_parameters)
    share = model.compression_ratio
    return {
        "size": Cell(size_text(model.bytes), size, value=model.bytes),
        "kept": Cell(kept) if share is None else Cell(f"{100 * share:.1f}%", kept, value=share),
        PACKED: Cell(size_text(model.packed_bytes)),
        PRODUCTS: Cell(count_text(model.multiply_adds), f"kept {products}" if fewer else ""),
        BYTES_PER_FACE: Cell(count_text(model.bytes_per_face), template_kind(model)),
    }


def _count_like(number: int | None, first: int | None) -> str:
    """A count in millions where the first's is, so that a column has one unit."""
    in_millions = number is not None and number >= 1e4 and (first or 0) >= 1e6
    return f"{number / 1e6:.2f} M" if number is not None and in_millions else count_text(number)


def sizes_text(models: Sequence[ModelSection]) -> str:
    """The line that explains these columns."""
    words = (
        "size: of the file, and against the first; kept: weights that are not zero, and biases, of "
        "all of what the model was made of, or of the first model"
    )
    if any(model.packed_bytes is not None for model in models):
        words += f"; {PACKED}: as `facebench pack` writes it in float16"
    if any(model.multiply_adds is not None for model in models):
        words += f"; {PRODUCTS}: of one face, kept: without those of zeros"
    if any(model.template for model in models):
        words += f"; {BYTES_PER_FACE}: of an embedding as the template keeps it"
    return words


def taken_text(name: str, model: ModelSection) -> str:
    """``sparse_074: size 6.7 MB, kept 74.3% (3.31 M)``: what a model takes, in one phrase."""
    cells = size_cells(model, model)
    told = []
    for column in size_columns([model]):
        cell = cells[column.heading]
        told.append(f"{column.heading} {cell.text}" + (f" ({cell.detail})" if cell.detail else ""))
    return f"{name}: {', '.join(told)}"
