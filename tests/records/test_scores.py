"""Scores on disk: light, back to the bit, found where they may lie, and no hostile file's prey."""

from __future__ import annotations

import json
import multiprocessing
import os
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import facebench.records.files as files
from facebench.base.errors import UserError
from facebench.records.columns import header_of, packed, tensor_bytes
from facebench.records.files import read_record, save_record, whole_json, write_record
from facebench.records.record import Record
from facebench.records.scores import ScoreTable, table_in

MakeRecord = Callable[..., Record]
at_leisure = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
VERSION_1 = Path(__file__).parents[1] / "helpers" / "version_1"


@st.composite
def tables(draw: st.DrawFn) -> ScoreTable:
    rows = draw(st.integers(0, 30))
    kind = draw(st.sampled_from(["float32", "float64"]))

    def some(dtype: str, maybe: bool = True) -> Any:
        return None if maybe and draw(st.booleans()) else draw(arrays.arrays(dtype, rows))

    return ScoreTable(
        some(kind, False), some("bool", False), some("bool", False), some("int64", False),
        some("int64"), some("int64"), some("bool"), some("uint32"),
    )  # fmt: skip


@at_leisure
@given(tables())
def test_every_form_gives_the_table_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, table: ScoreTable
) -> None:
    listed = tmp_path_factory.mktemp("list") / table.list_file
    listed.write_bytes(table.list_bytes())
    for data in (table.own_bytes(), table.whole_bytes(), table.to_bytes()):
        again = table_in(data, table.sha256, "here", lambda name: [listed.with_name(name)])
        assert again.to_bytes() == table.to_bytes()


@at_leisure
@given(tables())
def test_the_plain_form_is_that_of_the_library(table: ScoreTable) -> None:
    """SHA-256 of it stand in records, also in those that the library has written."""
    assert table.to_bytes() == safetensors.numpy.save(table.columns)


def beside(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()} - {path.name}


def test_records_of_one_list_share_it_and_are_light(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    paths = [save_record(make_record(name, seed=3), tmp_path) for name in ("a", "b", "c")]
    assert len(list(paths[0].parent.glob("comparisons-*"))) == 1
    tables = [read_record(path).table for path in paths]
    plain = sum(len(table.to_bytes()) for table in tables if table)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    assert 3 * size < plain


def plain_copy(record: Record, folder: Path) -> Path:
    """A record as version 1 wrote it."""
    values, curve = record.values(), record.curve
    values["schema_version"] = 1
    if curve is not None:
        values["curve"] = {"far": curve.far, "tar": curve.tar}
    del values["seal"]
    path = folder / "old.json"
    path.write_text(json.dumps(values))
    assert record.table is not None and record.scores is not None
    (folder / record.scores.file).write_bytes(record.table.to_bytes())
    return path


def test_a_record_of_version_1_is_the_same_record(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record(failures=2)
    old = read_record(plain_copy(record, tmp_path))
    assert old == record and old.curve == record.curve
    assert old.table is not None and record.table is not None
    assert old.table.to_bytes() == record.table.to_bytes()
    new = read_record(save_record(old, tmp_path / "new"))
    assert new == record and new.digest() == old.digest()


def test_digests_are_what_they_were(tmp_path: Path) -> None:
    """Notes of baselines name records by them. The record is one that version 1 has written."""
    path = VERSION_1 / "sparse_074-47647412.json"
    assert json.loads(path.read_bytes())["schema_version"] == 1
    record = read_record(path)
    digest = "d2bfe13b0c68b3e6151dc3b934dd1e10da405029f45ab63b2d715c39d07a2b95"
    assert record.digest() == digest and record.table is not None
    write_record(record, tmp_path / "light.json")
    light = read_record(tmp_path / "light.json")
    assert light.digest() == digest and light.table is not None
    assert light.table.to_bytes() == record.table.to_bytes()


@pytest.mark.parametrize("curve", [{"far": [0.1234], "tar": [1.0]}, {"far": [0.0], "tar": []}])
def test_a_curve_of_other_comparisons(
    make_record: MakeRecord, tmp_path: Path, curve: dict[str, list[float]]
) -> None:
    path = plain_copy(make_record(per_kind=5), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"curve": curve}))
    with pytest.raises(UserError, match="its curve is not of its comparisons"):
        read_record(path)


@pytest.mark.parametrize("far", [[None], ["1"], [2.0], [float("nan")], [-1.0], [[0.0]]])
def test_a_curve_that_is_none(make_record: MakeRecord, tmp_path: Path, far: list[Any]) -> None:
    path = plain_copy(make_record(per_kind=5), tmp_path)
    values = json.loads(path.read_text()) | {"curve": {"far": far, "tar": [1.0]}}
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="curve") as caught:
        read_record(path)
    assert "\n" not in str(caught.value)


def test_counts_that_the_record_has_not(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(per_kind=5), tmp_path)
    for change in ({"mated": 51}, {"true_accepts": [0]}, {"false_accepts": [51] * 99}):
        values = json.loads(path.read_text())
        values["curve"] |= change
        copy = path.with_name("copy.json")
        copy.write_text(json.dumps(values))
        with pytest.raises(UserError, match="curve") as caught:
            read_record(copy)
        assert "\n" not in str(caught.value)


def moved(path: Path, folder: Path, *patterns: str) -> Path:
    """A copy of a record, and of what lies beside it under the patterns."""
    folder.mkdir(exist_ok=True)
    for pattern in (path.name, *patterns):
        for file in path.parent.glob(pattern):
            (folder / file.name).write_bytes(file.read_bytes())
    return folder / path.name


def test_a_record_moved_alone_has_its_numbers_and_says_what_it_lacks(
    make_record: MakeRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record()
    path = save_record(record, tmp_path / "kept")
    alone = read_record(moved(path, tmp_path / "alone"))
    assert alone == record and alone.curve == record.curve and alone.table is None
    assert record.scores is not None
    said = f"the scores of sparse_074, {record.scores.file}, are not beside its record in "
    assert alone.missing == f"{said}{tmp_path / 'alone'}"
    with pytest.raises(UserError, match="are not beside its record in"):
        whole_json(alone)
    monkeypatch.chdir(tmp_path / "alone")  # however it is spelt, a folder is named once
    assert read_record(path.name).missing == alone.missing


def test_scores_without_their_list_say_where_it_is_sought(
    make_record: MakeRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = make_record()
    path = save_record(record, tmp_path / "kept")
    copy = moved(path, tmp_path / "other", "*.scores-*")
    own = Path("lfw") / "lfw-0123456789abcdef"
    monkeypatch.setattr(files, "default_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(files, "result_folders", lambda: [tmp_path / "shipped"])
    found = read_record(copy)
    assert found == record and found.table is None
    (listed,) = (file.name for file in path.parent.glob("comparisons-*"))
    sought = [tmp_path / "other", tmp_path / "cache" / own, tmp_path / "shipped" / own]
    places = ", nor in ".join(map(str, sought))
    assert found.missing == (
        f"the list of comparisons of sparse_074, {listed}, is not beside its record in {places}"
    )
    for folder in sought:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / listed
        place.write_bytes((path.parent / listed).read_bytes())
        table = read_record(copy).table
        assert table is not None and record.table is not None
        assert table.to_bytes() == record.table.to_bytes()
        place.unlink()


def test_one_file_holds_all_in_any_folder(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record(failures=2)
    path = tmp_path / "attached.json"
    path.write_bytes(whole_json(record))
    again = read_record(path)
    assert again == record and again.table is not None and record.table is not None
    assert again.table.to_bytes() == record.table.to_bytes()
    assert again.scores == record.scores  # and is as light as any other where it is saved
    light = save_record(again, tmp_path / "light")
    assert light.stat().st_size < path.stat().st_size / 3 and len(beside(light)) == 2


@pytest.mark.parametrize("text", ["§", "AAA", b64encode(b"nothing").decode(), ""])
def test_what_one_file_holds_may_be_damaged(
    make_record: MakeRecord, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "attached.json"
    values = json.loads(whole_json(make_record(per_kind=5)))
    values["scores"]["embedded"] = text
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"embedded|not a file of scores") as caught:
        read_record(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_list_that_is_damaged_or_another(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(), tmp_path)
    (listed,) = path.parent.glob("comparisons-*")
    whole = listed.read_bytes()
    table = read_record(path).table
    assert table is not None
    turned = replace(table, mated=~table.mated)
    for data, why in (
        (whole[:-9], "not a list of comparisons"),
        (b"", "not a list of comparisons"),
        (turned.list_bytes(), "its SHA-256 is not that of its name"),
    ):
        listed.write_bytes(data)
        with pytest.raises(UserError, match=f"{listed.name}: {why}"):
            read_record(path)
    listed.write_bytes(b"x")
    save_record(make_record(), tmp_path)  # mends it
    assert listed.read_bytes() == whole


@pytest.mark.parametrize("harm", ["cut", "another", "pipe"])
def test_an_intact_list_elsewhere_stands_in_for_a_damaged_one(
    make_record: MakeRecord, tmp_path: Path, harm: str
) -> None:
    path = save_record(make_record(), tmp_path / "own")
    save_record(make_record(), files.default_folder())
    (listed,) = path.parent.glob("comparisons-*")
    whole = listed.read_bytes()
    listed.unlink()
    if harm == "pipe":
        os.mkfifo(listed)
    else:
        listed.write_bytes(whole[:-9] if harm == "cut" else packed({"folds": np.arange(3)}, {}))
    assert read_record(path).table is not None
    (kept,) = files.default_folder().rglob("comparisons-*")
    kept.write_bytes(b"damaged, too")
    if harm == "pipe":
        kept.unlink()
        assert "not beside its record" in (read_record(path).missing or "")
        with pytest.raises(OSError, match="it is a pipe"):
            save_record(make_record(), tmp_path / "own")
        return
    with pytest.raises(UserError, match="evaluate one of its models again") as caught:
        read_record(path)
    assert str(caught.value).startswith(str(listed))
    save_record(make_record("another"), tmp_path / "own")  # as it says
    assert read_record(path).table is not None


@pytest.mark.parametrize("name", ["../../../etc/passwd", 3, ["x"], "0" * 63, "G" * 64])
def test_no_list_is_sought_outside_the_folder(
    make_record: MakeRecord, tmp_path: Path, name: object
) -> None:
    record = make_record(per_kind=5)
    path = save_record(record, tmp_path)
    (scores,) = path.parent.glob("*.scores-*")
    header = header_of(scores.read_bytes())
    assert header is not None
    text = json.dumps(header | {"list": name})
    scores.write_bytes(
        tensor_bytes(safetensors.numpy.load(scores.read_bytes()), {"facebench": text})
    )
    with pytest.raises(UserError, match="its header names the list"):
        read_record(path)


def test_scores_that_lack_a_column(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(per_kind=5), tmp_path)
    (scores,) = path.parent.glob("*.scores-*")
    scores.write_bytes(packed({"scores": np.zeros(100)}, {}))
    with pytest.raises(UserError, match="not a file of scores: it has scores"):
        read_record(path)


def test_the_list_goes_with_the_last_scores_that_name_it(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    first = save_record(make_record(per_kind=5, seed=1), tmp_path)
    other = save_record(make_record("other", per_kind=5), tmp_path)
    assert first.parent == other.parent
    (listed,) = first.parent.glob("comparisons-*")

    def again(model: str, path: Path) -> None:
        """The same settings on another list."""
        record = make_record(model, per_kind=6, seed=2)
        write_record(record, path)

    again("sparse_074", first)
    assert listed.exists() and read_record(other).table is not None
    again("other", other)
    assert not listed.exists()
    assert read_record(first).table is not None and read_record(other).table is not None


def _save(folder: Path, number: int) -> None:
    from tests.helpers.records import drawn_record

    for seed in range(6):
        save_record(drawn_record(f"model_{number}", seed=seed, per_kind=5, draws=0), folder)


def test_processes_that_save_into_one_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_save, args=(tmp_path, number)) for number in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    records = [read_record(path) for path in tmp_path.rglob("*.json")]
    assert len(records) == 2 and all(record.table is not None for record in records)
    assert len(list(tmp_path.rglob("comparisons-*"))) == 1


def test_a_record_of_version_1_with_an_endless_count_is_one_line(tmp_path: Path) -> None:
    (kept,) = VERSION_1.glob("*.json")
    values = json.loads(kept.read_bytes())
    values["comparisons"]["mated"] = 10**400
    (tmp_path / "wrong.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"whole number 10+, beyond 64 bits"):
        read_record(tmp_path / "wrong.json")
