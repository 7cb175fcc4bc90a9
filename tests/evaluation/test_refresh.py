"""Committed records made again by the rules of this version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.evaluation.refresh import main, refresh
from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from tests.tables.test_rates import record as rates_record

MakeRecord = Callable[..., Record]
CHECKOUT = Path(__file__).parents[2]


def unsealed(path: Path) -> dict:
    """The record's file as one of before there were seals."""
    values = json.loads(path.read_bytes())
    del values["seal"]
    path.write_text(json.dumps(values))
    return values


def test_a_record_gets_intervals_and_seal_of_now_and_keeps_its_values(
    make_record: MakeRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_record(per_kind=20)
    path = save_record(made, tmp_path)
    values = unsealed(path)
    auc = values["statistics"]["auc"]
    auc["interval"] = {"low": 0.0, "high": 1.0, "level": 0.95, "kind": "of an earlier rule"}
    path.write_text(json.dumps(values))
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{path}: made again\n"
    again = read_record(path)
    assert again == made and again.seal is not None and again.run == made.run
    assert main([str(tmp_path)]) == 0 and capsys.readouterr().out == ""


def test_what_keeps_no_scores_is_left_and_told(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(per_kind=20), tmp_path / "a")
    next(path.parent.glob("*.safetensors")).unlink()
    unsealed(path)
    search = save_record(rates_record(), tmp_path / "b")
    before = path.read_bytes(), search.read_bytes()
    found = list(refresh([tmp_path]))
    assert all("evaluate it again" in one.why and not one.changed for one in found)
    assert len(found) == 2 and (path.read_bytes(), search.read_bytes()) == before


def test_a_place_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        list(refresh([tmp_path / "none"]))


@pytest.mark.shipped_results
def test_the_committed_records_are_of_this_version(tmp_path: Path) -> None:
    """What `make records` would write is there: one of each folder, all with their seals.

    Records of searches and of all pairs are made by an evaluation alone.
    """
    places = [CHECKOUT / "reports" / "results", CHECKOUT / "tests" / "helpers" / "damaged"]
    folders: dict[Path, list[Path]] = {}
    for place in places:
        for path in sorted(place.rglob("*.json")):
            if {"signature", "runs"} & set(values := json.loads(path.read_bytes())):
                assert values["seal"], f"{path}: `make records` seals it"
            if "accuracy" in values.get("statistics", {}):
                folders.setdefault(path.parent, []).append(path)
    assert len(folders) >= 3
    for paths in folders.values():
        copy = save_record(read_record(paths[0]), tmp_path / paths[0].parent.name)
        (found,) = refresh([copy])
        assert found.line == f"{copy}: is so already", "`make records` makes it again"
