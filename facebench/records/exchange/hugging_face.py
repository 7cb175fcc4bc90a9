"""Records as the metadata of a model's page on the Hugging Face Hub, written by its own library.

``model-index`` stands in the heading of a model's README.md; ``eval-results`` are the files of a
model's folder ``.eval_results``. Values are per cent, as the Hub's tables show them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from facebench.base.errors import UserError
from facebench.records.frames import named_estimates, shown_interval
from facebench.records.groups.estimates import group_estimates
from facebench.records.record import Record
from facebench.records.scores import file_name
from facebench.records.sections import IntervalSection

# Of https://huggingface.co/tasks none is of faces; this one compares images by embeddings.
TASK, TASK_NAME = "image-feature-extraction", "Face recognition"


def model_index(records: Sequence[Record], name: str) -> Mapping[str, bytes]:
    """``MODEL/README.md`` for every model: a heading to add to the model's own; name: not needed.

    UserError: huggingface-hub is not installed.
    """
    hub = _hub("model-index")
    files = {}
    for model, own in _by_model(records).items():
        results = [
            hub.EvalResult(
                task_type=TASK,
                task_name=TASK_NAME,
                dataset_type=record.data.name,
                dataset_name=record.data.name,
                dataset_config=record.protocol.name,
                dataset_args={"fingerprint": record.data.fingerprint, "kind": record.data.kind},
                **metric,
            )
            for record in own
            for metric in _metrics(record)
        ]
        card = hub.ModelCardData(model_name=model, eval_results=results)
        files[f"{file_name(model)}/README.md"] = f"---\n{card.to_yaml()}\n---\n".encode()
    return files


def eval_results(records: Sequence[Record], name: str) -> Mapping[str, bytes]:
    """``MODEL/.eval_results/PROTOCOL.yaml`` for every model and protocol: its headline number.

    The benchmark's name on the Hub is the data set's here, since records name none. name: not
    needed. UserError: huggingface-hub is not installed.
    """
    hub = _hub("eval-results")
    entries: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        folder = PurePosixPath(file_name(record.model.id)) / ".eval_results"
        entry = hub.EvalResultEntry(
            dataset_id=record.data.name,
            task_id=record.protocol.name,
            value=_percent(record.statistics.headline.value),
            date=record.run.created,
            notes=_note(record),
        )
        entries[f"{folder / file_name(record.protocol.name)}.yaml"].append(entry)
    from yaml import safe_dump

    return {
        path: safe_dump(
            hub.eval_result_entries_to_yaml(own), sort_keys=False, allow_unicode=True
        ).encode()
        for path, own in entries.items()
    }


def _hub(format: str) -> Any:
    """The library; it is asked for no network."""
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            f"--format {format} is written by huggingface-hub, which is not installed: "
            "pip install 'facebench[huggingface]'"
        ) from None
    return huggingface_hub


def _by_model(records: Sequence[Record]) -> Mapping[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.model.id].append(record)
    return found


def _metrics(record: Record) -> Iterator[dict[str, Any]]:
    """What is told of every statistic, then of groups at the smallest FMR that they can tell."""
    for name, estimate in named_estimates(record.statistics).items():
        yield {
            "metric_type": name.partition("@")[0].lower(),
            "metric_name": _metric_name(record, name),
            "metric_value": _percent(estimate.value),
            "metric_args": _arguments(record, shown_interval(estimate)),
        }
    for one in group_estimates(record.groups, usual=True):
        args = _arguments(record, one.interval, ratio=one.is_ratio)
        if one.expected is not None:
            expected = one.expected if one.is_ratio else _percent(one.expected)
            args |= {"expected_without_a_difference": expected, "p_value": one.p_value}
        yield {
            "metric_type": one.metric,
            "metric_name": _metric_name(record, one.label),
            "metric_value": one.value if one.is_ratio else _percent(one.value),
            "metric_args": args,
        }


def _percent(share: float) -> float:
    return round(100 * share, 4)


def _metric_name(record: Record, statistic: str) -> str:
    notice = " [SYNTHETIC FACES]" if record.data.kind == "synthetic" else ""
    return f"{statistic}, {record.similarity}{notice}"


def _arguments(
    record: Record, interval: IntervalSection | None, *, ratio: bool = False
) -> dict[str, Any]:
    """What the number depends on, and how sure it is, in per cent; ratios are as they are."""
    unit = "ratio" if ratio else "percent"
    told: dict[str, Any] = {"unit": unit, "signature": record.signature}
    if interval is not None:
        ends = (interval.low, interval.high)
        low, high = ends if ratio else map(_percent, ends)
        told |= {
            "interval_low": low,
            "interval_high": high,
            "interval_level": interval.level,
            "interval_kind": interval.kind,
        }
    return told


def _note(record: Record) -> str:
    statistic, estimate = next(iter(named_estimates(record.statistics).items()))
    interval = shown_interval(estimate)
    sure = "" if interval is None else (
        f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}] at {100 * interval.level:g}%"
    )  # fmt: skip
    notice = f"{record.data.notice} " if record.data.notice else ""
    return f"{notice}{statistic} in %, {record.similarity}{sure}; {record.signature}"
