"""A report card filled from records: cells, rows and the whole of one data set, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import ascii_lowercase

from facebench.comparison.paired import Paired
from facebench.faces.types import DataKind
from facebench.records.frames import Scalar
from facebench.records.record import Record, similarity_kind
from facebench.records.statistics import Measured
from facebench.reports.card import PaperSetting, PaperValue, ReportCard, ReportColumn, ReportRow
from facebench.reports.facts import Fact, find_model
from facebench.tables.table import EVERYTHING, Choice


@dataclass(frozen=True)
class FilledCell:
    """value: a share, a count or words; None: not measured, and missing says why.

    bars: of a diagnostic that is a list; paired: against the reference row; reference: whether this
    is that row; remark: what else to know, e.g. that a size is planned; letters: of its footnotes.
    """

    column: ReportColumn
    value: Fact | None = None
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


@dataclass(frozen=True)
class Missing:
    """A cell that could be measured and is not. ready: whether the model can be evaluated now."""

    row: ReportRow
    column: ReportColumn
    why: str
    ready: bool = False


@dataclass(frozen=True)
class FilledRow:
    """A row's cells, the records behind them, and the letters of the footnotes on all of it."""

    row: ReportRow
    cells: tuple[FilledCell, ...]
    records: tuple[Record, ...]
    letters: str


@dataclass(frozen=True)
class FilledCard:
    """A card on one data set. kind: of its faces, None: no record was found, or none is needed.

    footnotes: (letter, text) of what differs from the paper; remarks: on the records that were
    chosen; missing: cells without a value; choice: the columns and rows that are shown.
    """

    card: ReportCard
    kind: DataKind | None
    title: str
    notice: str | None
    rows: tuple[FilledRow, ...]
    footnotes: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    missing: tuple[Missing, ...]
    choice: Choice = EVERYTHING

    @property
    def columns(self) -> tuple[ReportColumn, ...]:
        """The card's columns."""
        return self.card.columns

    def records_of(self, protocol: str) -> list[Record]:
        """The records of one protocol, by row; all are of the same comparisons."""
        found = [record for record in self.records if record.protocol.name == protocol]
        return list({record.digest(): record for record in found}.values())

    @property
    def records(self) -> list[Record]:
        """The records behind the rows."""
        return [record for row in self.rows for record in row.records]

    def lines(self) -> list[dict[str, Scalar]]:
        """One for every cell; ``data_kind`` and ``notice`` label synthetic faces."""
        return [_line(self, row, cell) for row in self.rows for cell in row.cells]


_NO_LABEL = "no data"


def _line(filled: FilledCard, row: FilledRow, cell: FilledCell) -> dict[str, Scalar]:
    record, measured, paired = cell.record, cell.measured, cell.paired
    interval = measured.interval if measured else None
    versus = paired.interval if paired else None
    letters = {*row.letters.split(","), *cell.letters.split(",")}
    return {
        "report": filled.card.name,
        "data_kind": record.data.kind if record else (filled.kind or _NO_LABEL),
        "row": row.row.label,
        "model": row.row.model,
        "column": cell.column.key,
        "protocol": cell.column.protocol,
        "statistic": cell.column.statistic,
        "value": cell.value,
        "spread": measured.spread if measured else None,
        "spread_kind": measured.spread_kind if measured else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "interval": interval.kind if interval else None,
        "resolvable": measured.resolvable if measured else None,
        "reached": measured.reached if measured else None,
        "paper": cell.paper.value if cell.paper else None,
        "paper_spread": cell.paper.spread if cell.paper else None,
        "paper_source": _source(filled, cell),
        "difference": cell.difference,
        "reference": filled.card.reference_of(row.row),
        "versus": paired.difference if paired else None,
        "versus_low": versus.low if versus else None,
        "versus_high": versus.high if versus else None,
        "p_value": paired.p_value if paired else None,
        "p_holm": paired.adjusted if paired else None,
        "significant": paired.significant if paired else None,
        "missing": cell.missing,
        "remark": cell.remark,
        "differs": "; ".join(text for letter, text in filled.footnotes if letter in letters),
        "data": record.data.fingerprint if record else None,
        "notice": filled.notice,
        "digest": record.digest() if record else None,
        "signature": record.signature if record else None,
    }


def _source(filled: FilledCard, cell: FilledCell) -> str | None:
    if cell.paper is None:
        return None
    return cell.paper.source or (filled.card.source.text if filled.card.source else "")


class Footnotes:
    """Letters by text, in order of appearance; rows and cells that differ alike share theirs."""

    def __init__(self, setting: PaperSetting) -> None:
        self.setting = setting
        self._texts: dict[str, str] = {}

    def of_row(self, row: ReportRow) -> str:
        """The letters of all of a row, ``a,b``, or nothing."""
        return self._letters(self._of_model(row))

    def of_cell(self, cell: FilledCell) -> str:
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

    def _of_similarity(self, cell: FilledCell) -> Iterator[str]:
        paper = self.setting.similarity
        if cell.paper is None or cell.record is None or not paper:
            return
        used = similarity_kind(cell.record.similarity)
        if used != paper:
            yield f"{used} similarity (the paper: {paper})"
