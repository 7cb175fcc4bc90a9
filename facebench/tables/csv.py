"""Lines of values as CSV, for other programs: in full precision, no cell acts as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from facebench.base.text import printable

Value = str | int | float | bool | None


def to_csv(lines: Sequence[Mapping[str, Value]], fields: Sequence[str] = ()) -> str:
    """One line each, below the names of all their fields; empty where a line has none.

    fields: named where there are no lines.
    """
    named = list(dict.fromkeys(field for line in lines for field in line)) or list(fields)
    text = io.StringIO()
    writer = csv.DictWriter(text, named, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({field: safe(value) for field, value in line.items()} for line in lines)
    return text.getvalue()


def safe(value: Value) -> Value:
    """Text fit to print, and marked as text where a spreadsheet would take it for a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
