"""Moving a baseline: complete, with its scores and a reason."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.base.locks import path_lock
from facebench.gate import update as gate_update
from facebench.gate.update import moves_path, update_baselines
from facebench.records.files import read_record, save_record
from facebench.records.find import records_in
from facebench.records.record import Record
from facebench.records.sections import ScoresSection
from tests.comparison.test_compare import changed
from tests.helpers.records import MakeRecord

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def old(make_record: MakeRecord) -> Record:
    return make_record("baseline", per_kind=10, draws=0)


@pytest.fixture
def new(make_record: MakeRecord) -> Record:
    return make_record("sparse_074", seed=1, per_kind=10, draws=0)


def test_a_move_keeps_date_reason_and_both_digests(
    tmp_path: Path, old: Record, new: Record
) -> None:
    folder = tmp_path / "baselines"
    (first,) = update_baselines(folder, [old], "the first", now=NOW)
    (second,) = update_baselines(folder, [new], "smaller,\n as good", now=NOW)
    assert first.path == second.path == folder / "lfw.json"
    assert (first.old, second.old, second.new) == (None, old.digest(), new.digest())
    notes = [json.loads(line) for line in moves_path(first.path).read_text().splitlines()]
    assert [note["reason"] for note in notes] == ["the first", "smaller, as good"]
    assert notes[1]["date"] == "2026-03-04T05:06:07+00:00"
    assert (notes[1]["old"], notes[1]["new"]) == (old.digest(), new.digest())
    assert "model baseline against sparse_074" in notes[1]["differs"]
    again = read_record(second.path)
    assert again == new and again.table is not None
    assert len(list(folder.glob("*.scores-*"))) == 1  # the old scores are gone
    assert [record.digest() for _, record in records_in(str(folder))] == [new.digest()]


def test_the_same_record_moves_nothing(tmp_path: Path, old: Record) -> None:
    update_baselines(tmp_path / "base.json", [old], "first")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    (move,) = update_baselines(tmp_path / "base.json", [old], "again")
    assert "is this record already" in move.line
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_lost_scores_come_back_with_the_same_record(tmp_path: Path, old: Record) -> None:
    path = tmp_path / "base.json"
    update_baselines(path, [old], "first")
    (scores,) = tmp_path.glob("*.scores-*")
    scores.unlink()
    assert read_record(path).table is None
    (move,) = update_baselines(path, [old], "again")
    assert "is this record already" in move.line
    assert read_record(path).table is not None
    assert len(moves_path(path).read_text().splitlines()) == 1


def test_other_settings_are_other_baselines(tmp_path: Path, old: Record) -> None:
    joint = changed(old, similarity="joint-bayesian(ab12)")
    update_baselines(tmp_path, [old, joint], "both")
    assert {p.name for p in tmp_path.glob("*.json")} == {"lfw.json", "lfw-joint-bayesian.json"}


def test_a_similarity_that_was_fitted_again_keeps_its_place(tmp_path: Path, old: Record) -> None:
    first, second = (changed(old, similarity=f"joint-bayesian({n})") for n in ("ab12", "cd34"))
    (made,) = update_baselines(tmp_path, [first], "first")
    (moved,) = update_baselines(tmp_path, [second], "fitted again")
    assert moved.path == made.path == tmp_path / "lfw-joint-bayesian.json"
    assert moved.old == first.digest() and read_record(made.path) == second


def test_of_two_fits_the_same_one_is_replaced(tmp_path: Path, old: Record) -> None:
    first, second = (changed(old, similarity=f"joint-bayesian({n})") for n in ("ab12", "cd34"))
    for number, record in enumerate((first, second)):
        update_baselines(tmp_path / f"fit_{number}.json", [record], "both")
    (moved,) = update_baselines(tmp_path, [second], "again")
    assert moved.path == tmp_path / "fit_1.json" and moved.old == moved.new
    third = changed(old, similarity="joint-bayesian(ef56)")
    with pytest.raises(UserError, match=r"fit_0\.json and fit_1\.json both fit"):
        update_baselines(tmp_path, [third], "which?")


@pytest.mark.parametrize("place", ["", "lfw.json"])
def test_real_faces_become_synthetic_ones_only_when_asked(
    tmp_path: Path, old: Record, make_record: MakeRecord, place: str
) -> None:
    twin = make_record("twin", kind="synthetic", per_kind=10, draws=0)
    update_baselines(tmp_path / place, [old], "real")
    for there, here in ((old, twin), (twin, old)):
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        kinds = f"{there.data.kind} faces against {here.data.kind} ones"
        with pytest.raises(UserError, match=f"measure different things .{kinds}; data") as caught:
            update_baselines(tmp_path / place, [here], "moved")
        assert "or add other_data=" in str(caught.value) and "\n" not in str(caught.value)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        (move,) = update_baselines(tmp_path / place, [here], "asked", other_data=True)
        assert (move.old, move.new) == (there.digest(), here.digest())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alignment": "template-crop"}, "alignment landmarks"),
        ({"similarity": "joint-bayesian(12ab)"}, "similarity cosine against joint-bayesian"),
        ({"pooling": "mean-score, all frames"}, "pooling none"),
    ],
)
def test_other_settings_take_a_named_file_only_when_asked(
    tmp_path: Path, old: Record, fields: dict[str, str], said: str
) -> None:
    path = tmp_path / "base.json"
    update_baselines(path, [old], "first")
    with pytest.raises(UserError, match=said):
        update_baselines(path, [changed(old, **fields)], "other")
    assert read_record(path) == old
    update_baselines(path, [changed(old, **fields)], "other", other_data=True)


def test_scores_that_another_record_uses_stay(tmp_path: Path, old: Record, new: Record) -> None:
    """A baseline kept in the folder of the records shares their files of scores."""
    kept = save_record(old, tmp_path)
    base = kept.with_name("base.json")
    update_baselines(base, [old], "first")
    update_baselines(base, [new], "second")
    assert read_record(base).table is not None
    assert read_record(kept) == old and read_record(kept).table is not None
    update_baselines(base, [old], "back again")
    rerun = changed(old, run=old.run)  # the same signature, other scores
    assert old.table is not None
    lower = np.where(np.arange(old.table.scores.size) == np.argmin(old.table.scores), 0.25, 0)
    moved = replace(old.table, scores=old.table.scores - lower)  # which no number shows
    save_record(
        rerun.with_table(moved)
        .model_copy(update={"scores": ScoresSection.of(moved, kept.stem)})
        .with_table(moved),
        tmp_path,
    )
    assert read_record(base).table is not None
    assert read_record(kept).scores != read_record(base).scores


@pytest.mark.parametrize("renames", [0, 1, 2, 3])
def test_a_stop_at_any_rename_can_be_repeated(
    tmp_path: Path, old: Record, new: Record, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Scores, notes and record are renamed in this order; then the old scores are removed."""
    path = tmp_path / "base.json"
    update_baselines(path, [old], "first")
    rename, done = os.replace, 0

    def stopped(source: Path, target: Path) -> None:
        nonlocal done
        if done == renames:
            raise KeyboardInterrupt
        rename(source, target)
        done += 1

    def stopped_at_the_end(scores: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    monkeypatch.setattr(gate_update, "remove_scores", stopped_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        update_baselines(path, [new], "second")
    at_hand = read_record(path)
    assert at_hand == (new if renames == 3 else old) and at_hand.table is not None
    monkeypatch.undo()
    update_baselines(path, [new], "second")
    assert read_record(path) == new and read_record(path).table is not None
    assert len(moves_path(path).read_text().splitlines()) == 2
    assert new.scores is not None
    assert {entry.name for entry in tmp_path.iterdir()} >= {new.scores.file}
    assert len(list(tmp_path.iterdir())) == 4  # record, scores, list, notes


def test_replaced_scores_go_only_when_nobody_writes_there(
    tmp_path: Path, old: Record, new: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes scores, before its record is there to name them, under this lock."""
    (tmp_path / "b").mkdir()
    update_baselines(tmp_path / "b", [old], "first")
    alone: list[bool] = []

    def removed(path: Path) -> None:
        with path_lock(path.parent) as another:
            alone.append(not another.alone())

    monkeypatch.setattr(gate_update, "remove_scores", removed)
    update_baselines(tmp_path / "b", [new], "second")
    assert alone == [True]


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_needed(tmp_path: Path, old: Record, reason: str) -> None:
    with pytest.raises(UserError, match="moved with a reason"):
        update_baselines(tmp_path / "base.json", [old], reason)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_moved_is_refused(tmp_path: Path, old: Record, new: Record) -> None:
    with pytest.raises(UserError, match="would be the same baseline"):
        update_baselines(tmp_path, [old, new], "two")
    with pytest.raises(UserError, match="not beside its record"):
        update_baselines(tmp_path, [Record.model_validate(old.model_dump())], "no scores")
    with pytest.raises(UserError, match="name the records"):
        update_baselines(tmp_path, [], "none")
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(UserError, match=r"text.txt'?: is neither a \.json file nor a folder"):
        update_baselines(tmp_path / "text.txt", [old], "text")
    for name in ("new.txt", "new.JSON", "new.v2/"):  # a folder of that name would be a mistake
        with pytest.raises(UserError, match=r"is neither a \.json file nor a folder") as caught:
            update_baselines(tmp_path / name, [old], "text")
        assert f"write {tmp_path / 'new.json'}" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize("name", ["baselines.v2", "lfw.json", ".kept"])
def test_a_folder_that_is_there_may_be_called_anything(
    tmp_path: Path, old: Record, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (move,) = update_baselines(folder, [old], "first")
    assert move.path == folder / "lfw.json"


def test_a_smaller_template_is_a_baseline_of_its_own(tmp_path: Path, old: Record) -> None:
    folder = tmp_path / "baselines"
    small = changed(old, model=old.model.model_copy(update={"template": "int8"}))
    (first,) = update_baselines(folder, [old], "whole", now=NOW)
    (second,) = update_baselines(folder, [small], "smaller", now=NOW)
    assert [first.path.name, second.path.name] == ["lfw.json", "lfw-int8.json"]
    (again,) = update_baselines(folder, [small], "again", now=NOW)
    assert again.path == second.path
    with pytest.raises(UserError, match="template fp32 against int8"):
        update_baselines(first.path, [small], "by mistake", now=NOW)
