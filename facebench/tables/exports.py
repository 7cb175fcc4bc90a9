"""Records for other programs: JSON as they are, CSV with one line per record, shares in full."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.base.text import json_text
from facebench.records.record import Record, folds_of, template_kind
from facebench.records.sections import COUNTED_LATER, Estimate
from facebench.tables.columns import rates_of
from facebench.tables.csv import Value, to_csv


def records_json(records: Sequence[Record]) -> str:
    """All records as one JSON list, in the schema of ``facebench schema``."""
    values = [record.values() for record in records]
    return json_text(values)


def records_csv(records: Sequence[Record]) -> str:
    """One line per record: numbers are shares in full precision; empty where unknown.

    ``data_kind`` and ``notice`` label synthetic faces; the columns of TAR are those of all records.
    """
    return to_csv([_flat(record) for record in records])


def _flat(record: Record) -> dict[str, Value]:
    model, failures = record.model, record.failures_to_acquire
    line: dict[str, Value] = {
        "data_kind": record.data.kind,
        "protocol": record.protocol.name,
        "protocol_version": record.protocol.version,
        "data": record.data.fingerprint,
        "model": model.id,
    }
    line |= _folds(record) if record.statistics.kind == "verification" else _rates(record)
    line |= {
        "comparisons": record.comparisons.total,
        "published_comparisons": record.protocol.published_comparisons,
        "published_list": record.protocol.published_list,
        "failures_to_acquire": failures.comparisons,
        "failure_share": failures.share,
        "pooling": record.pooling,
        "similarity": record.similarity,
        "parameters": model.parameters,
        "kept_parameters": model.kept_parameters,
        "compression_ratio": model.compression_ratio,
        "bytes": model.bytes,
        **{name: getattr(model, name) for name in COUNTED_LATER},
        "metric_values": model.metric_values,
        "template": template_kind(model),
        "bytes_per_face": model.bytes_per_face,
        "notice": record.data.notice,
        "signature": record.signature,
        "digest": record.digest(),
    }
    return line


def _folds(record: Record) -> dict[str, Value]:
    statistics = folds_of(record)
    accuracy = statistics.accuracy
    line: dict[str, Value] = {
        **_estimate("accuracy", accuracy),
        "spread": accuracy.spread,
        "spread_kind": accuracy.spread_kind,
        **_estimate("auc", statistics.auc),
        **_estimate("eer", statistics.eer),
    }
    for point in statistics.tar_at_far:
        name = f"tar_at_far_{point.target:g}"
        line |= _estimate(name, point)
        line |= {f"{name}_reached": point.far, f"{name}_resolvable": point.resolvable}
    return line


def _rates(record: Record) -> dict[str, Value]:
    line: dict[str, Value] = {}
    for rate in rates_of(record).rates:
        name = rate.label.lower().replace("@", "_at_").replace("=", "_").replace("-", "_")
        line |= _estimate(name, rate)
        line |= {f"{name}_spread": rate.spread, f"{name}_spread_kind": rate.spread_kind}
        if rate.reached:
            line[f"{name}_reached"] = sum(rate.reached) / len(rate.reached)
            line[f"{name}_resolvable"] = rate.resolvable
    return line


def _estimate(name: str, estimate: Estimate) -> dict[str, Value]:
    interval = estimate.interval
    return {
        name: estimate.value,
        f"{name}_low": interval.low if interval else None,
        f"{name}_high": interval.high if interval else None,
        f"{name}_interval": interval.kind if interval else None,
    }
