"""Records in the shared schema of evaluations, every-eval-ever 0.3.0: one JSON file a record.

The schema (evaleval/every_eval_ever, ``eval.schema.json``) is the one format of exchange that has
intervals; a file's place is ``data/COLLECTION/DEVELOPER/MODEL/UUID.json``, which its own validator
asks for. The same record gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from facebench.base.text import json_text
from facebench.records.frames import named_estimates, shown_interval, spread_columns
from facebench.records.groups.estimates import GroupEstimate, group_estimates
from facebench.records.record import Record
from facebench.records.scores import file_name
from facebench.records.sections import (
    Estimate,
    IntervalSection,
    OperatingPointSection,
    RateSection,
)

SCHEMA = "0.3.0"
COLLECTION = "facebench"
# Nobody signs a record with a name: the part before the model's is the suite's own.
DEVELOPER = "facebench"
JsonObject = dict[str, object]


def every_eval_ever(records: Sequence[Record], name: str) -> Mapping[str, bytes]:
    """A file for every record; name: not needed, since the schema says how files are called."""
    return {path_of(record): json_text(evaluation_of(record)).encode() for record in records}


def path_of(record: Record) -> str:
    """``data/facebench/facebench/sparse_074/UUID.json``; the UUID follows from the digest."""
    uuid = UUID(bytes=bytes.fromhex(record.digest())[:16], version=4)
    return f"data/{COLLECTION}/{DEVELOPER}/{file_name(record.model.id)}/{uuid}.json"


def evaluation_of(record: Record) -> JsonObject:
    """The values of a file: what ran, the model, and a result for every number, groups' too."""
    made = str(int(record.run.moment))
    model = f"{DEVELOPER}/{file_name(record.model.id)}"
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{file_name(record.protocol.name)}/{model}/{record.digest()[:16]}",
        "evaluation_timestamp": made,
        "retrieved_timestamp": made,
        "source_metadata": {
            "source_name": "facebench",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
            "additional_details": {
                "signature": record.signature,
                "digest": record.digest(),
                "seal": record.seal or "",
                **({"notes": " ".join(record.notes)} if record.notes else {}),
            },
        },
        "eval_library": {"name": "facebench", "version": record.facebench},
        "model_info": _model(record, model),
        "evaluation_results": [
            *(
                _result(record, name, estimate)
                for name, estimate in named_estimates(record.statistics).items()
            ),
            *(_of_groups(record, one) for one in group_estimates(record.groups)),
        ],
    }


def _model(record: Record, id: str) -> JsonObject:
    model = record.model
    told = {
        "weights_sha256": model.weights_hash,
        "parameters": model.parameters,
        "kept_parameters": model.kept_parameters,
        "bytes": model.bytes,
        "packed_bytes": model.packed_bytes,
        "multiply_adds": model.multiply_adds,
        "dimension": model.dimension,
        "precision": model.precision,
        "template": model.template,
        "flip": model.flip,
    }
    details = {name: str(value) for name, value in told.items() if value not in (None, "")}
    whose = {"deployment_type": "self_deployed", "model_availability": "unknown"}
    return {"name": model.id, "id": id, "additional_details": whose | details}


def _result(record: Record, name: str, estimate: Estimate) -> JsonObject:
    metric: JsonObject = {
        "metric_id": f"facebench.{name}",
        "metric_name": name,
        "metric_kind": name.partition("@")[0].lower(),
        "metric_unit": "proportion",
        "metric_parameters": _parameters(estimate),
        "lower_is_better": name == "eer",
        "max_score": 1,
    }
    return _measured(record, name, metric, _score(record, estimate))


def _of_groups(record: Record, one: GroupEstimate) -> JsonObject:
    """A rate of a group, or one number of all of them."""
    group = {"group": one.group} if one.group else {}
    metric: JsonObject = {
        "metric_id": f"facebench.{one.metric}@{one.target:g}",
        "metric_name": one.label,
        "metric_kind": one.metric,
        "metric_unit": "ratio" if one.is_ratio else "proportion",
        "metric_parameters": {"fmr": one.target, "by": one.column, **group},
        "lower_is_better": not one.larger_is_better,
        "max_score": "Infinity" if one.is_ratio else 1,
    }
    told = {
        "errors": one.errors,
        "number": one.number,
        "expected_without_a_difference": one.expected,
        "p_value": one.p_value,
        "enough_comparisons": None if one.group is None else one.resolvable,
    }
    details = {name: str(value) for name, value in told.items() if value is not None}
    score: JsonObject = {"score": one.value}
    if details:
        score["details"] = details
    if one.interval is not None:
        samples = record.comparisons.total if one.number is None else one.number
        score["uncertainty"] = _sure(record, one.interval) | {"num_samples": samples}
    return _measured(record, one.label, metric, score)


def _measured(record: Record, name: str, metric: JsonObject, score: JsonObject) -> JsonObject:
    protocol = record.protocol
    return {
        "evaluation_result_id": f"{record.digest()[:16]}/{name}",
        "evaluation_name": protocol.name,
        "source_data": _data(record),
        "evaluation_timestamp": str(int(record.run.moment)),
        "metric_config": {
            "evaluation_description": f"{protocol.title} ({protocol.source})",
            **metric,
            "score_type": "continuous",
            "min_score": 0,
            "additional_details": {
                "similarity": record.similarity,
                "pooling": record.pooling,
                "alignment": record.alignment,
                "rule": record.rule,
            },
        },
        "score_details": score,
    }


def _data(record: Record) -> JsonObject:
    data, counts = record.data, record.comparisons
    details = {
        "kind": data.kind,
        "fingerprint": data.fingerprint,
        "faces": str(data.faces),
        "comparisons": str(counts.total),
        "mated": str(counts.mated),
        "nonmated": str(counts.nonmated),
        "subjects": "unknown" if counts.subjects is None else str(counts.subjects),
    }
    if data.notice:
        details["notice"] = data.notice
    return {"dataset_name": data.name, "source_type": "other", "additional_details": details}


def _parameters(estimate: Estimate) -> JsonObject:
    if isinstance(estimate, OperatingPointSection):
        return {"far": estimate.target}
    if isinstance(estimate, RateSection):
        target = "rank" if estimate.name == "rank" else estimate.false_rate.lower()
        return {target: estimate.target}
    return {}


def _score(record: Record, estimate: Estimate) -> JsonObject:
    interval = shown_interval(estimate)
    values: JsonObject = {"score": estimate.value}
    uncertainty = {} if interval is None else _sure(record, interval)
    spread = spread_columns(estimate)
    if spread["spread_kind"] == "standard error":
        uncertainty["standard_error"] = {"value": spread["spread"], "method": "over folds"}
    if uncertainty:
        uncertainty["num_samples"] = record.comparisons.total
        values["uncertainty"] = uncertainty
    return values


def _sure(record: Record, interval: IntervalSection) -> JsonObject:
    told: JsonObject = {
        "confidence_interval": {
            "lower": interval.low,
            "upper": interval.high,
            "confidence_level": interval.level,
            "method": interval.kind,
        }
    }
    if "bootstrap" in interval.kind and record.bootstrap.draws:
        told["num_bootstrap_samples"] = record.bootstrap.draws
    return told
