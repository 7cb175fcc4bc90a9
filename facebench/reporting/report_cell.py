"""One cell of a report: what was measured, what the paper says, and both as text."""

from __future__ import annotations

from dataclasses import dataclass

from facebench.reporting.cells import count_text, percent, points, ratio_text, size_text
from facebench.reporting.paired_statistics import PairedStatistic
from facebench.reporting.record import Record
from facebench.reporting.report_card import PaperValue, ReportColumn
from facebench.reporting.report_facts import Value
from facebench.reporting.report_statistics import Measured, Unit

DASH = "–"
MISSING = "missing"


@dataclass(frozen=True)
class ReportCell:
    """value: a share, a count or words; None: not measured, and missing says why.

    bars: of a diagnostic that is a list; paired: against the reference row; reference: whether this
    is that row; remark: what else to know, e.g. that a size is planned; letters: of its footnotes.
    """

    column: ReportColumn
    value: Value | None = None
    paper: PaperValue | None = None
    measured: Measured | None = None
    record: Record | None = None
    paired: PairedStatistic | None = None
    reference: bool = False
    missing: str = ""
    remark: str = ""
    letters: str = ""
    bars: tuple[float, ...] = ()

    @property
    def number(self) -> float | None:
        """The value, where it is a number."""
        return None if isinstance(self.value, str) or self.value is None else float(self.value)

    @property
    def difference(self) -> float | None:
        """Measured minus the paper's, in the column's unit; None where one of both is no number."""
        paper = self.paper.number if self.paper else None
        return None if self.number is None or paper is None else self.number - paper

    @property
    def mark(self) -> str:
        """``▲ ▼`` significantly better or worse than the reference, ``≈`` not, or nothing."""
        return "" if self.paired is None else self.paired.mark

    @property
    def value_text(self) -> str:
        """What was measured, with its ±; ``missing`` where it should be there and is not."""
        if self.value is None:
            return MISSING if self.missing else DASH
        text = number_text(self.value, self.column.unit)
        if self.measured is None:
            return f"{text} *" if self.remark else text
        if self.measured.spread is not None:
            text = f"{text} ± {percent(self.measured.spread)}"
        return text if self.measured.resolvable else f"({text}) ‡"

    @property
    def paper_text(self) -> str:
        """What the paper says, or nothing."""
        if self.paper is None:
            return ""
        text = number_text(self.paper.value, self.column.unit)
        if self.paper.spread is None:
            return text
        return f"{text} ± {number_text(self.paper.spread, self.column.unit)}"

    @property
    def difference_text(self) -> str:
        """Against the paper: points of percent, share of a count, ``same`` for words, or empty."""
        if self.paper is None or self.value is None:
            return ""
        if isinstance(self.value, str) or isinstance(self.paper.value, str):
            return "same" if str(self.value) == str(self.paper.value) else "differs"
        difference = self.difference
        assert difference is not None
        if self.column.unit == "percent":
            return points(difference)
        if self.column.unit in ("count", "bytes"):
            share = difference / self.paper.value if self.paper.value else 0.0
            return f"{100 * share + 0.0:+.1f} %".replace("-", "−")
        return f"{round(difference, 3) + 0.0:+.3f}".replace("-", "−")

    @property
    def interval_text(self) -> str:
        """``[low, high]`` in percent, or nothing."""
        if self.measured is None or self.measured.interval is None:
            return ""
        low, high = self.measured.interval
        return f"[{percent(low)}, {percent(high)}]"

    @property
    def versus_text(self) -> str:
        """Against the reference row: difference, mark, p-value and interval, or nothing."""
        if self.reference:
            return "reference"
        if self.paired is None:
            return ""
        text = f"{points(self.paired.difference)} {self.mark}".rstrip()
        if self.paired.deciding_p is not None:
            p = self.paired.deciding_p
            text += " p < 0.001" if p < 0.001 else f" p = {p:.3f}"
        if self.paired.interval is not None:
            text += f" [{points(self.paired.interval.low)}, {points(self.paired.interval.high)}]"
        return text


def number_text(value: Value, unit: Unit) -> str:
    """A value in its unit: percent with two places, millions of weights, MB."""
    if isinstance(value, str):
        return value
    if unit == "percent":
        return percent(value)
    if unit == "count":
        return count_text(round(value))
    if unit == "bytes":
        return size_text(round(value))
    return ratio_text(value) if unit == "ratio" else f"{value:.4g}"


def heading_text(column: ReportColumn) -> str:
    """The column's heading, with ``%`` where its values are percent."""
    text = column.heading
    return f"{text} %" if column.unit == "percent" and "%" not in text else text
