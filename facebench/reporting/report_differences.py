"""Footnotes on what differs from the paper: width, training data, similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase

from facebench.reporting.record import Record
from facebench.reporting.report_card import PaperSetting, ReportRow
from facebench.reporting.report_facts import find_model


class Footnotes:
    """Letters by text, in order of appearance; rows that differ alike share theirs."""

    def __init__(self, setting: PaperSetting) -> None:
        self.setting = setting
        self._texts: dict[str, str] = {}

    def letters(self, row: ReportRow, records: Sequence[Record]) -> str:
        """The letters of a row, ``a,b``, or nothing."""
        found = [self._letter(text) for text in self._differences(row, records)]
        return ",".join(dict.fromkeys(found))

    def lines(self) -> Iterator[tuple[str, str]]:
        """(letter, text) of every footnote."""
        for text, letter in self._texts.items():
            yield letter, text

    def _letter(self, text: str) -> str:
        if text not in self._texts:
            number = len(self._texts)
            tens = ascii_lowercase[number // 26 - 1] if number >= 26 else ""
            self._texts[text] = f"{tens}{ascii_lowercase[number % 26]}"
        return self._texts[text]

    def _differences(self, row: ReportRow, records: Sequence[Record]) -> Iterator[str]:
        setting, card = self.setting, find_model(row.model or "")
        if card and card.width and setting.width and card.width != setting.width:
            yield f"width {card.width:g} of the paper's network (the paper: {setting.width:g})"
        if card and card.training.data and setting.training:
            yield f"trained on {card.training.data} (the paper: {setting.training})"
        used = dict.fromkeys(record.similarity for record in records)
        for similarity in used:
            if setting.similarity and not similarity.startswith(setting.similarity):
                yield f"{similarity} similarity (the paper: {setting.similarity})"
