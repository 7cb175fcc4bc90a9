"""A record that was changed by hand is told when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from tests.tables.test_rates import record as rates_record

MakeRecord = Callable[..., Record]


_INTERVAL = {"low": 0.9, "high": 0.95, "level": 0.95, "kind": "wilson"}


def edited(record: Record, folder: Path, change: Callable[[dict], None]) -> Path:
    """The file of a record that has no seal after a change of its JSON."""
    path = save_record(record, folder)
    values = json.loads(path.read_bytes())
    del values["seal"]
    change(values)
    path.write_text(json.dumps(values))
    return path


def set_at(*keys: str | int, value: object) -> Callable[[dict], None]:
    def change(values: dict) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = value

    return change


def better_folds(values: dict) -> None:
    """As somebody would who knows that accuracy is the mean of the folds."""
    accuracy = values["statistics"]["accuracy"]
    accuracy["per_fold"] = [0.99] * len(accuracy["per_fold"])
    accuracy["value"], accuracy["spread"], accuracy["interval"] = 0.99, 0.0, None


def better_tar(values: dict) -> None:
    point = values["statistics"]["tar_at_far"][0]
    point["true_accepts"] = values["comparisons"]["mated"]
    point["value"] = 1.0


def fewer_folds(values: dict) -> None:
    """Without those where it is worst."""
    accuracy = values["statistics"]["accuracy"]
    kept = sorted(range(10), key=lambda fold: -accuracy["per_fold"][fold])[:5]
    for key in ("folds", "per_fold", "thresholds"):
        accuracy[key] = [accuracy[key][fold] for fold in kept]
    accuracy["value"] = float(np.mean(accuracy["per_fold"]))
    accuracy["spread"] = float(np.std(accuracy["per_fold"], ddof=1) / np.sqrt(5))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fewer_folds, "its folds are not those of its scores"),
        (
            set_at("statistics", "accuracy", "interval", "low", value=0.9),
            "accuracy's interval is not",
        ),
        (
            set_at("statistics", "accuracy", "interval", "kind", value="wilson"),
            "interval is not that",
        ),
        (set_at("statistics", "eer", "interval", value=_INTERVAL), "its EER is not within its"),
        (set_at("statistics", "accuracy", "spread", value=0.0001), "± is not that of its folds"),
        (set_at("statistics", "accuracy", "value", value=0.995), "not the mean of its folds"),
        (better_folds, "its accuracy is not that of its scores"),
        (set_at("statistics", "tar_at_far", 0, "value", value=1.0), "counts of accepts"),
        (better_tar, r"its TAR at FAR 0\.\d+ is not that of its scores"),
        (set_at("statistics", "auc", "value", value=0.9999), "its AUC is not that of its scores"),
        (set_at("statistics", "eer", "value", value=0.0001), "its EER is not that of its scores"),
        (
            set_at("statistics", "eer", "interval", value=_INTERVAL | {"kind": "bootstrap"}),
            "its EER is not within its",
        ),
        (
            set_at("statistics", "auc", "interval", value=_INTERVAL | {"kind": "b", "high": 0.8}),
            "its AUC is not within its",
        ),
        (set_at("comparisons", "mated", value=7), "are not all of its comparisons"),
        (
            set_at("protocol", "published_comparisons", value=600),
            "its 6,000 comparisons are not the 600 of the published list",
        ),
    ],
)
def test_a_changed_number_is_told(
    make_record: MakeRecord, tmp_path: Path, change: Callable[[dict], None], said: str
) -> None:
    path = edited(make_record(strength=2.0, draws=0, published_list=True), tmp_path, change)
    with pytest.raises(UserError, match=f"{said}.*make it again") as error:
        read_record(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_an_unchanged_one_is_read(make_record: MakeRecord, tmp_path: Path) -> None:
    made = make_record(strength=2.0, draws=0, failures=3)
    assert read_record(save_record(made, tmp_path)) == made


def test_without_scores_its_own_numbers_are_compared(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    path = edited(make_record(draws=0), tmp_path, set_at("statistics", "eer", "value", value=0.04))
    next(path.parent.glob("*.safetensors")).unlink()
    read_record(path)  # nothing tells
    path = edited(make_record(draws=0), tmp_path, better_folds)
    next(path.parent.glob("*.safetensors")).unlink()
    read_record(path)
    path = edited(
        make_record(draws=0), tmp_path, set_at("statistics", "accuracy", "value", value=1.0)
    )
    next(path.parent.glob("*.safetensors")).unlink()
    with pytest.raises(UserError, match="not the mean of its folds"):
        read_record(path)


def test_a_rate_is_the_mean_of_its_parts(tmp_path: Path) -> None:
    made = rates_record()
    assert read_record(save_record(made, tmp_path)) == made
    change = set_at("statistics", "rates", 0, "value", value=0.9)
    with pytest.raises(UserError, match=r"its DIR@FAR=0.01 is not the mean of its draws"):
        read_record(edited(made, tmp_path, change))


def test_a_percentile_interval_may_miss_its_value_by_less_than_its_width(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    made = make_record(strength=2.0, draws=0)
    assert made.statistics.kind == "verification"
    eer = made.statistics.eer.value
    near = {"low": eer - 0.03, "high": eer - 0.01, "level": 0.95, "kind": "bootstrap"}
    read_record(edited(made, tmp_path, set_at("statistics", "eer", "interval", value=near)))
