"""The seal of a record: what it is over, and what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facebench.base.errors import UserError
from facebench.records.files import read_record, save_record
from facebench.records.record import Record, seal_of
from facebench.records.sections import RunSection
from facebench.tables.exports import records_json

MakeRecord = Callable[..., Record]


def test_a_record_is_sealed_when_it_is_made(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record(per_kind=5)
    values = json.loads(save_record(record, tmp_path).read_bytes())
    assert values["seal"] == seal_of(values) == record.seal
    assert json.loads(records_json([record])) == [values]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("model", "bytes", 100),
        ("model", "parameters", 10),
        ("model", "kept_parameters", 10),
        ("model", "compression_ratio", 0.01),
        ("model", "flip", "none"),
        ("protocol", "published_list", None),
        ("failures_to_acquire", "faces", 1),
        ("environment", "torch", "1.0"),
        ("run", "created", "2030-01-01T00:00:00+00:00"),
    ],
)
def test_what_no_other_number_gives_is_told_by_the_seal(
    make_record: MakeRecord, tmp_path: Path, section: str, field: str, value: Any
) -> None:
    """Costs are not in the scores, and the moment decides which record is the newest."""
    path = save_record(make_record(per_kind=5, published_list=False), tmp_path)
    values = json.loads(path.read_bytes())
    assert values[section][field] != value
    values[section][field] = value
    if field == "flip":
        values["signature"] = values["signature"].replace("flip:add", "flip:none")
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="its seal is not that of its contents") as error:
        read_record(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_the_interval_of_a_record_without_its_scores_is_sealed(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    path = save_record(make_record(per_kind=20), tmp_path)
    next(path.parent.glob("*.safetensors")).unlink()
    values = json.loads(path.read_bytes())
    values["statistics"]["auc"]["interval"]["low"] += 1e-6
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="its seal is not that of its contents"):
        read_record(path)


def test_layout_and_order_are_no_part_of_the_seal(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record(per_kind=5)
    path = save_record(record, tmp_path)
    values = json.loads(path.read_bytes())
    path.write_text(json.dumps(dict(reversed(values.items())), indent=4))
    assert read_record(path) == record


def test_a_record_of_before_there_were_seals_is_read_and_stays_without(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    record = make_record(per_kind=5)
    path = save_record(record, tmp_path)
    values = json.loads(path.read_bytes())
    del values["seal"]
    path.write_text(json.dumps(values))
    read = read_record(path)
    assert read == record and read.seal is None
    assert "seal" not in json.loads(read.canonical_json())


def test_a_changed_copy_is_sealed_anew(make_record: MakeRecord, tmp_path: Path) -> None:
    run = RunSection(created="2027", host="there", threads=9, seconds={})
    path = tmp_path / "copy.json"
    path.write_bytes(make_record(per_kind=5).model_copy(update={"run": run}).canonical_json())
    assert read_record(path).run == run
