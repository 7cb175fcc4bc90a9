"""Footnotes on what differs from the paper: a row's width and data, a cell's similarity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from string import ascii_lowercase

from facebench.reporting.record import similarity_kind
from facebench.reporting.report_card import PaperSetting, ReportRow
from facebench.reporting.report_cell import ReportCell
from facebench.reporting.report_facts import find_model


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
