"""The rows of a table that facebench wrote as CSV, as they were before."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path

from facebench.tables.csv import Value


def rows_in(path: Path) -> list[dict[str, Value]]:
    """A dict for every line: numbers are numbers again."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> Value:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
