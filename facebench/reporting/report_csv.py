"""Reports as CSV: one line per cell, numbers in full precision (shares, not percent)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from facebench.reporting.exports import Value, safe
from facebench.reporting.report_cell import ReportCell
from facebench.reporting.report_table import ReportTable, ReportTableRow

_NO_LABEL = "no data"


def report_csv(tables: Sequence[ReportTable]) -> str:
    """One line per cell; ``data_kind`` and ``notice`` label synthetic faces; empty: unknown."""
    lines = [
        _flat(table, row, cell) for table in tables for row in table.rows for cell in row.cells
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["report"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({field: safe(value) for field, value in line.items()} for line in lines)
    return text.getvalue()


def _flat(table: ReportTable, row: ReportTableRow, cell: ReportCell) -> dict[str, Value]:
    record, measured, paired = cell.record, cell.measured, cell.paired
    interval = measured.interval if measured else None
    versus = paired.interval if paired else None
    letters = {*row.letters.split(","), *cell.letters.split(",")}
    return {
        "report": table.card.name,
        "data_kind": record.data.kind if record else (table.kind or _NO_LABEL),
        "row": row.row.label,
        "model": row.row.model,
        "column": cell.column.key,
        "protocol": cell.column.protocol,
        "statistic": cell.column.statistic,
        "value": cell.value,
        "spread": measured.spread if measured else None,
        "spread_kind": measured.spread_kind if measured else None,
        "low": interval[0] if interval else None,
        "high": interval[1] if interval else None,
        "interval": measured.interval_kind if measured else None,
        "resolvable": measured.resolvable if measured else None,
        "reached": measured.reached if measured else None,
        "paper": cell.paper.value if cell.paper else None,
        "paper_spread": cell.paper.spread if cell.paper else None,
        "paper_source": _source(table, cell),
        "difference": cell.difference,
        "reference": table.card.reference_of(row.row),
        "versus": paired.difference if paired else None,
        "versus_low": versus.low if versus else None,
        "versus_high": versus.high if versus else None,
        "p_value": paired.p_value if paired else None,
        "p_holm": paired.adjusted if paired else None,
        "significant": paired.significant if paired else None,
        "missing": cell.missing,
        "remark": cell.remark,
        "differs": "; ".join(text for letter, text in table.footnotes if letter in letters),
        "data": record.data.fingerprint if record else None,
        "notice": table.notice,
        "digest": record.digest() if record else None,
        "signature": record.signature if record else None,
    }


def _source(table: ReportTable, cell: ReportCell) -> str | None:
    if cell.paper is None:
        return None
    return cell.paper.source or (table.card.source.text if table.card.source else "")
