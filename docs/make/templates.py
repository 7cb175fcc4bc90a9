"""What smaller templates cost, written into docs/tables/templates.csv.

``python docs/make/templates.py RECORDS`` in the checkout: of the folder's records of each model and
protocol those with a template are compared with that of whole embeddings, on the protocol's first
statistic. Rows of other records stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from values import rows_in

from facebench.base.storage import write_atomically
from facebench.comparison.compare import compare_records
from facebench.records.files import read_record
from facebench.records.find import record_files
from facebench.records.record import Record, template_kind
from facebench.records.statistics import statistics_in
from facebench.similarity.templates import PLAIN
from facebench.tables.csv import Value, to_csv

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "tables" / "templates.csv"
KEY = ("protocol", "statistic", "model", "template")


def rows_of(records: Iterable[Record]) -> list[dict[str, Value]]:
    """A row for every record of one protocol and model, that of whole embeddings first."""
    of = {template_kind(record.model): record for record in records}
    whole = of.pop(PLAIN)
    first = {"template": PLAIN, "value": round(whole.statistics.headline.value, 7)}
    rows = [_row(whole, whole.model.bytes_per_face, first)]
    compared = compare_records(whole, list(of.values()))
    for (template, record), comparison in zip(of.items(), compared, strict=True):
        found = comparison.statistics[0]
        values = {"value": found.candidate, "difference": found.difference}
        values |= {"low": found.interval.low, "high": found.interval.high, "p": found.p_value}
        rounded = {name: round(value, 4 if name == "p" else 7) for name, value in values.items()}
        rows.append(_row(record, record.model.bytes_per_face, {"template": template, **rounded}))
    return rows


def _row(record: Record, size: int | None, values: dict[str, Value]) -> dict[str, Value]:
    statistic = statistics_in(record)[0].replace("@", " at ").replace("=", " ")
    named = {"protocol": record.protocol.name, "statistic": statistic, "model": record.model.id}
    return {**named, "template": values.pop("template"), "bytes": size, **values}


def main(folder: str) -> None:
    """Write the rows of a folder's records: those of a model on a protocol by their bytes."""
    records: dict[tuple[str, str], list[Record]] = {}
    for path in record_files(Path(folder)):
        record = read_record(path)
        records.setdefault((record.protocol.name, record.model.id), []).append(record)
    rows = before = rows_in(TABLE)
    for own in records.values():
        for row in rows_of(own):
            rows = [one for one in rows if _key(one) != _key(row)] + [row]
    groups = list(dict.fromkeys(_key(row)[:3] for row in before + rows))
    rows.sort(key=lambda row: (groups.index(_key(row)[:3]), -int(row["bytes"])))
    write_atomically(TABLE, to_csv(rows).encode())


def _key(row: dict[str, Value]) -> tuple[Value, ...]:
    return tuple(row[name] for name in KEY)


if __name__ == "__main__":
    main(*sys.argv[1:])
