"""The record: its signature, its digest, its JSON, its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from facebench.base.errors import UserError
from facebench.records.record import Record, schema_json
from facebench.records.sections import RunSection
from facebench.tables.records import record_table

MakeRecord = Callable[..., Record]
REPORTS = Path(__file__).parents[2] / "reports"


def test_signature_pins_every_word_of_the_vocabulary(make_record: MakeRecord) -> None:
    record = make_record()
    words = dict(part.split(":", 1) for part in record.signature.split("|"))
    assert words == {
        "facebench": record.facebench,
        "protocol": "lfw.v1",
        "pairs": record.comparisons.fingerprint,
        "data": "lfw-0123456789abcdef",
        "model": "sparse_074",
        "weights": "ab" * 8,
        "input": "rgb 112x96 mean=127.5 scale=128",
        "flip": "add",
        "precision": "float32",
        "align": "landmarks-5pt(0f1e2d3c)->similarity",
        "missing": "error",
        "pooling": "none (single faces)",
        "similarity": "cosine",
        "rule": "exact",
        "spread": "standard error",
        "bootstrap": "50 draws, seed 0",
    }
    assert "\n" not in record.signature


def test_signature_stays_one_line_of_words_whatever_the_model_is_called(
    make_record: MakeRecord,
) -> None:
    record = make_record(model="a|b\nrule:grid")
    assert "\n" not in record.signature
    assert len(record.signature.split("|")) == 16
    assert "model:a/b rule:grid|" in record.signature


def test_signature_says_what_else_the_embedding_depends_on(make_record: MakeRecord) -> None:
    plain, other = make_record(), make_record(variant="output=b layout=nhwc")
    assert "|variant:" not in plain.signature
    parts = other.signature.split("|")
    place = parts.index("variant:output=b layout=nhwc")
    assert parts[place - 1].startswith("input:") and len(parts) == 17


def test_a_card_in_the_place_of_the_shipped_one_is_in_the_signature(
    make_record: MakeRecord,
) -> None:
    record = make_record(edition="+0a1b2c3d")
    assert "|protocol:lfw.v1+0a1b2c3d|" in record.signature
    assert record_table([record]).title.startswith("lfw v1+0a1b2c3d ·")
    with pytest.raises(UserError, match=r"differ in protocol lfw\.v1 against"):
        record_table([make_record(), record])


def test_digest_leaves_out_only_the_run(make_record: MakeRecord) -> None:
    record = make_record()
    later = record.model_copy(
        update={"run": RunSection(created="2027", host="there", threads=9, seconds={"total": 9.0})}
    )
    assert later.digest() == record.digest()
    assert later.canonical_json() != record.canonical_json()
    assert make_record(created="2028").digest() == record.digest()
    assert make_record(seed=1).digest() != record.digest()
    assert make_record(weights="cd" * 32).digest() != record.digest()


def test_a_changed_copy_has_a_digest_of_its_own(make_record: MakeRecord) -> None:
    record = make_record()
    before = record.digest()
    noted = record.model_copy(update={"notes": ("seen",)})
    assert noted.digest() != before == record.digest() == record.model_copy().digest()
    assert noted.without_table("gone").digest() == noted.digest()


def test_canonical_json_round_trips_to_the_same_bytes(make_record: MakeRecord) -> None:
    record = make_record(failures=3)
    data = record.canonical_json()
    again = Record.model_validate(json.loads(data))
    assert again.canonical_json() == data
    assert again.digest() == record.digest()


def test_every_headline_number_has_a_95_percent_interval(make_record: MakeRecord) -> None:
    statistics = make_record().statistics
    for number in (statistics.accuracy, statistics.auc, statistics.eer, *statistics.tar_at_far):
        assert number.interval is not None
        assert number.interval.level == 0.95
        assert number.interval.low <= number.value <= number.interval.high
    assert statistics.accuracy.interval is not None and statistics.auc.interval is not None
    assert statistics.accuracy.interval.kind == "dyadic over subjects"
    assert statistics.auc.interval.kind == "dyadic over subjects"
    assert "over_subjects" not in statistics.model_dump()["accuracy"]


def test_spread_is_the_standard_error_of_the_folds(make_record: MakeRecord) -> None:
    accuracy = make_record().statistics.accuracy
    mean = sum(accuracy.per_fold) / 10
    variance = sum((value - mean) ** 2 for value in accuracy.per_fold) / 9
    assert accuracy.spread == pytest.approx((variance / 10) ** 0.5)
    assert accuracy.folds == tuple(range(1, 11))


def test_a_changed_field_is_noticed_by_the_signature(make_record: MakeRecord) -> None:
    values = json.loads(make_record().canonical_json())
    values["rule"] = "facenet-grid"
    with pytest.raises(ValidationError, match="signature does not follow"):
        Record.model_validate(values)


def test_a_synthetic_record_cannot_lose_its_notice(make_record: MakeRecord) -> None:
    values = json.loads(make_record(kind="synthetic").canonical_json())
    values["data"]["notice"] = None
    with pytest.raises(ValidationError, match="needs its notice"):
        Record.model_validate(values)


def test_the_shipped_schema_is_current() -> None:
    shipped = (REPORTS / "record.schema.json").read_bytes()
    assert json.loads(shipped) == json.loads(schema_json()), (  # pydantic writes 1 or 1.0
        "run: facebench schema > reports/record.schema.json"
    )
