"""Comparisons and histories as a program asks for them, and the frames of what they find."""

from __future__ import annotations

from pathlib import Path

import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.compare import compare_records
from tests.helpers.records import MakeRecord


@pytest.fixture
def records(make_record: MakeRecord) -> list[facebench.Record]:
    return [make_record(f"m{seed}", seed=seed, per_kind=20) for seed in range(3)]


def test_records_files_and_names_are_compared_alike(
    records: list[facebench.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base, *others = (facebench.save_record(record, tmp_path / "mine") for record in records)
    expected = compare_records(records[0], records[1:])
    for one, two in (
        (records[0], records[1:]),
        (base, others),
        (str(base), ["m1", records[2]]),
        ("m0", ["m1", "m2"]),
    ):
        found = facebench.compare(one, two, found_in=[tmp_path / "mine"])
        assert [one.statistics for one in found] == [one.statistics for one in expected]
    assert facebench.compare(base, others[0])[0].candidate == records[1]


def test_the_frame_of_a_comparison(records: list[facebench.Record]) -> None:
    found = facebench.compare(records[0], records[1:])
    frame = found.to_frame()
    assert len(frame) == sum(len(one.statistics) for one in found)
    first, tested = frame.iloc[0], found[0].statistics[0]
    assert (first["base_model"], first["candidate_model"]) == ("m0", "m1")
    assert (first["statistic"], first["difference"]) == ("accuracy", tested.difference)
    assert (first["low"], first["high"]) == (tested.interval.low, tested.interval.high)
    assert first["verdict"] == tested.verdict
    assert first["candidate_signature"] == records[1].signature


def test_the_frame_of_records(records: list[facebench.Record]) -> None:
    frame = facebench.frame(records)
    assert len(frame) == 3 * 6 and list(frame["model"].unique()) == ["m0", "m1", "m2"]
    accuracy = frame[frame["statistic"] == "accuracy"].iloc[1]
    told = records[1].statistics.accuracy
    assert (accuracy["value"], accuracy["spread"]) == (told.value, told.spread)
    assert (accuracy["low"], accuracy["high"]) == (told.interval.low, told.interval.high)
    assert (accuracy["interval"], accuracy["level"]) == (told.interval.kind, 0.95)
    assert accuracy["spread_kind"] == "standard error"
    assert accuracy["signature"] == records[1].signature
    point = frame[frame["statistic"] == "TAR@FAR=0.01"].iloc[0]
    assert point["reached"] == records[0].statistics.tar_at_far[1].far


def test_frames_of_several_kinds_and_of_none(records: list[facebench.Record]) -> None:
    both = facebench.frame([records[0], *facebench.compare(records[0], records[1])])
    assert {"model", "candidate_model"} <= set(both.columns)
    assert facebench.frame([]).empty
    with pytest.raises(UserError, match="a str has no frame"):
        facebench.frame(["m0"])  # type: ignore[list-item]


def test_a_history_of_records_is_that_of_their_folder(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    runs = [
        make_record(f"r{day}", seed=day, per_kind=20, created=f"2026-01-0{day}T00:00:00+00:00")
        for day in (1, 2, 3)
    ]
    for run in runs:
        facebench.save_record(run, tmp_path)
    (by_folder,) = facebench.history(tmp_path, "tar@0.01")
    (by_records,) = facebench.history(runs, "tar@0.01")
    assert by_records.rows() == by_folder.rows()
    frame = by_records.to_frame()
    assert list(frame["model"]) == ["r1", "r2", "r3"] and set(frame["statistic"]) == {
        "TAR@FAR=0.01"
    }
    assert list(frame["signature"]) == [run.signature for run in runs]


@pytest.mark.parametrize(
    ("statistic", "says"),
    [("bytes", "is of the model"), ("acuracy", "did you mean 'accuracy'")],
)
def test_no_such_statistic(records: list[facebench.Record], statistic: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        facebench.history(records, statistic)


def test_no_such_level_or_folder(records: list[facebench.Record], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="level is 95; give a share"):
        facebench.compare(records[0], records[1], level=95)
    with pytest.raises(UserError, match="is not a folder of records"):
        facebench.history(tmp_path / "none")
