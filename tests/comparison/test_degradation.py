"""Models over degradations: the same numbers as of each protocol alone, and what is refused."""

from __future__ import annotations

import json

import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.degradation import DegradationSweep, sweep_of
from facebench.comparison.paired import corrected, paired_with_first
from facebench.tables.paired.degradation import (
    degradation_csv,
    degradation_json,
    degradation_table,
)
from tests.helpers.records import MakeRecord

MODELS = ("whole", "half", "tenth")
PROTOCOLS = ("lfw+14px", "lfw", "lfw+7px.probe")
_STRENGTH = {"lfw": 3.5, "lfw+14px": 2.0, "lfw+7px.probe": 1.0}


@pytest.fixture
def records(make_record: MakeRecord) -> list[facebench.Record]:
    return [
        make_record(
            model, seed=seed, strength=_STRENGTH[name] * (1 - 0.2 * seed), per_kind=60,
            protocol=name, weights=f"{seed}a" * 32,
        )
        for seed, model in enumerate(MODELS)
        for name in PROTOCOLS
    ]  # fmt: skip


def test_a_cell_is_the_record_and_the_difference_that_of_the_protocol_alone(
    records: list[facebench.Record],
) -> None:
    found = sweep_of(records)
    assert found.models == MODELS and found.protocol == "lfw"
    assert [column.name for column in found.columns] == ["as it is", "14px", "7px.probe"]
    for column, name in zip(found.columns, ("lfw", "lfw+14px", "lfw+7px.probe"), strict=True):
        own = [record for record in records if record.protocol.name == name]
        assert list(column.records) == own
        expected = corrected(paired_with_first(own[0], own[1:]))
        assert list(column.paired) == [None, *expected]


def test_the_frame_has_a_row_for_every_model_and_degradation(
    records: list[facebench.Record],
) -> None:
    frame = facebench.degradation(records).to_frame()
    assert len(frame) == 9
    assert frame["degradation"].tolist() == ["", "14px", "7px.probe"] * 3
    assert frame["difference"].isna().tolist() == [True] * 3 + [False] * 6
    one = frame[(frame["model"] == "half") & (frame["degradation"] == "14px")].iloc[0]
    base = frame[(frame["model"] == "whole") & (frame["degradation"] == "14px")].iloc[0]
    assert one["difference"] == pytest.approx(one["value"] - base["value"])
    assert one["low"] <= one["value"] <= one["high"]


def test_the_table_shows_values_and_then_differences(records: list[facebench.Record]) -> None:
    found = sweep_of(records)
    table = degradation_table(found)
    assert table.headings == ("model", "as it is", "14px", "7px.probe")
    names = [row.cells[0].text for row in table.rows]
    assert names == ["whole", "half", "tenth", "half − whole", "tenth − whole"]
    accuracy = records[0].statistics.headline.value  # of lfw+14px
    assert table.rows[0].cells[2].text == f"{100 * accuracy:.2f}"
    assert table.rows[3].cells[1].text.startswith(("−", "+"))
    assert len(table.signatures) == 9
    assert len(json.loads(degradation_json(found))) == 9
    assert degradation_csv(found).count("\n") == 10


def test_what_is_missing_is_a_gap_and_the_rest_stays(records: list[facebench.Record]) -> None:
    found = sweep_of([r for r in records if r is not records[4]])  # half on lfw
    column = found.columns[0]
    assert column.records[1] is None and column.paired[1] is None
    assert column.paired[2] is not None
    row = degradation_table(found).rows[1].cells[1]
    assert (row.text, row.detail) == ("–", "no record")
    assert len(found.to_frame()) == 8


def test_others_are_refused_in_one_line(
    records: list[facebench.Record], make_record: MakeRecord
) -> None:
    with pytest.raises(UserError, match="at least one record"):
        sweep_of([])
    again = make_record("whole", seed=9, per_kind=60, protocol="lfw", weights="0a" * 32)
    with pytest.raises(UserError, match="whole has two records on lfw; give one of each"):
        sweep_of([*records, again])
    other = make_record("whole", seed=0, per_kind=50, protocol="lfw+28px", weights="0a" * 32)
    with pytest.raises(UserError, match="differ in list of comparisons"):
        sweep_of([*records, other])
    rendered = make_record("whole", "synthetic", per_kind=60, protocol="lfw", weights="0a" * 32)
    with pytest.raises(UserError, match=r"differ in (real|synthetic)"):
        sweep_of([records[0], rendered])


def test_one_record_is_a_sweep(records: list[facebench.Record]) -> None:
    found = sweep_of(records[:1])
    assert isinstance(found, DegradationSweep)
    assert found.to_frame()["verdict"].isna().all()
    assert found._repr_html_() is not None
