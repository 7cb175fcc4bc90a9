"""One cell of a report: what was measured, what the paper says, and both as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import ascii_lowercase

from facebench.base.text import count_text, percent, points, ratio_text, size_text
from facebench.comparison.paired import Paired
from facebench.records.record import Record, similarity_kind
from facebench.records.statistics import Measured, Unit
from facebench.reports.card import PaperSetting, PaperValue, ReportColumn, ReportRow
from facebench.reports.facts import Value, find_model
from facebench.tables.text import versus_cell

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
    paired: Paired | None = None
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
        found = versus_cell(self.paired)
        return f"{found.text} {found.detail}".rstrip()


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


class Footnotes:
    """Letters by text, in order of appearance; rows and cells that differ alike share theirs."""

    def __init__(self, setting: PaperSetting) -> None:
        self.setting = setting
        self._texts: dict[str, str] = {}

    def of_row(self, row: ReportRow) -> str:
        """The letters of all of a row, ``a,b``, or nothing."""
        return self._letters(self._of_model(row))

    def of_cell(self, cell: ReportCell) -> str:
        """The letters of one cell beside the paper's value, or nothing."""
        return self._letters(self._of_similarity(cell))

    def lines(self) -> Iterator[tuple[str, str]]:
        """(letter, text) of every footnote."""
        for text, letter in self._texts.items():
            yield letter, text

    def _letters(self, texts: Iterable[str]) -> str:
        return ",".join(dict.fromkeys(self._letter(text) for text in texts))

    def _letter(self, text: str) -> str:
        if text not in self._texts:
            number = len(self._texts)
            tens = ascii_lowercase[number // 26 - 1] if number >= 26 else ""
            self._texts[text] = f"{tens}{ascii_lowercase[number % 26]}"
        return self._texts[text]

    def _of_model(self, row: ReportRow) -> Iterator[str]:
        setting, card = self.setting, find_model(row.model or "")
        if card and card.width and setting.width and card.width != setting.width:
            yield f"width {card.width:g} of the paper's network (the paper: {setting.width:g})"
        if card and card.training.data and setting.training:
            yield f"trained on {card.training.data} (the paper: {setting.training})"

    def _of_similarity(self, cell: ReportCell) -> Iterator[str]:
        paper = self.setting.similarity
        if cell.paper is None or cell.record is None or not paper:
            return
        used = similarity_kind(cell.record.similarity)
        if used != paper:
            yield f"{used} similarity (the paper: {paper})"
