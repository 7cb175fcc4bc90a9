"""Records on disk: complete or not at all, and one line when they cannot be read."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from facebench.base.errors import UserError
from facebench.records.files import read_record, record_path, save_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.records.scores import ScoreTable

MakeRecord = Callable[..., Record]


def test_a_saved_record_comes_back_with_its_scores(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record(failures=2)
    path = save_record(record, tmp_path)
    assert path.parent == tmp_path / "lfw" / "lfw-0123456789abcdef"
    assert re.fullmatch(r"sparse_074-[0-9a-f]{8}\.json", path.name)
    again = read_record(path)
    assert again == record and again.digest() == record.digest()
    assert record.table is not None and again.table is not None
    np.testing.assert_array_equal(again.table.scores, record.table.scores)
    np.testing.assert_array_equal(again.table.correct, record.table.correct)
    assert again.table.scores[0] == -np.inf
    assert path.stat().st_size < 40_000


def test_two_runs_write_the_same_scores_and_the_same_record(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    files = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        save_record(make_record(), folder)
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        files.append({path.name: path.read_bytes() for path in found})
    assert files[0] == files[1] and len(files[0]) == 3


def test_saving_again_leaves_one_record_and_one_file_of_scores(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    save_record(make_record(seed=1), tmp_path)
    path = save_record(make_record(seed=2), tmp_path)
    names = sorted(file.name.partition("-")[0] for file in path.parent.iterdir())
    assert names == ["comparisons", "sparse_074", "sparse_074"]
    assert read_record(path).table is not None


def test_records_of_other_settings_are_other_files(make_record: MakeRecord, tmp_path: Path) -> None:
    paths = {save_record(make_record(draws=draws), tmp_path) for draws in (0, 20, 50)}
    assert len(paths) == 3
    for path in paths:  # the same scores, but each record has its own file of them
        record = read_record(path)
        assert record.scores is not None and record.table is not None
        assert record.scores.file.startswith(f"{path.stem}.scores-")
    assert len(list(tmp_path.rglob("*.scores-*.safetensors"))) == 3
    assert len(list(tmp_path.rglob("comparisons-*.safetensors"))) == 1


def test_another_result_of_what_no_hash_covers_is_another_file(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    """Its signature is the same, but the model behind it may have changed."""
    made = [make_record(seed=seed, per_kind=5, weights="unpinned") for seed in (1, 2, 1)]
    paths = [save_record(record, tmp_path) for record in made]
    assert len({record.signature for record in made}) == 1
    assert paths[0] == paths[2] != paths[1]
    assert [read_record(path) for path in paths] == made
    assert all(read_record(path).table is not None for path in paths)


def test_names_that_no_file_may_have(make_record: MakeRecord, tmp_path: Path) -> None:
    inside = set()
    for name in ("../../up", "a/b", "a b", "a?b", ".", "", "é" * 200, "\x00"):
        path = record_path(make_record(model=name, per_kind=5, draws=0), tmp_path)
        assert path.parent == tmp_path / "lfw" / "lfw-0123456789abcdef"
        assert len(path.name.encode()) < 120
        inside.add(path)
    assert len(inside) == 8


@pytest.mark.parametrize("keep", [0, 1, 100, -2])
def test_a_record_cut_short(make_record: MakeRecord, tmp_path: Path, keep: int) -> None:
    path = save_record(make_record(), tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="not a complete JSON record") as caught:
        read_record(path)
    assert "\n" not in str(caught.value)


def test_another_schema_version(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(), tmp_path)
    values = json.loads(path.read_bytes())
    path.write_text(json.dumps({**values, "schema_version": 99}))
    with pytest.raises(UserError, match="schema version 99, and this facebench reads 1 and 2"):
        read_record(path)
    path.write_text("[1]")
    with pytest.raises(UserError, match="is a JSON list, not one record"):
        read_record(path)


def test_an_unknown_field_names_the_nearest(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(), tmp_path)
    values = json.loads(path.read_bytes())
    values["model"]["byte"] = 1
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"unknown field 'model.byte'; did you mean 'bytes'\?"):
        read_record(path)


def test_scores_that_are_not_the_records(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(seed=1), tmp_path)
    other = save_record(make_record(seed=2), tmp_path / "other")
    beside, others = (next(one.parent.glob("*.scores-*")) for one in (path, other))
    whole = beside.read_bytes()
    beside.write_bytes(others.read_bytes())
    with pytest.raises(UserError, match="its SHA-256 is not the one in its record"):
        read_record(path)
    beside.write_bytes(whole[:-1] + b"x")
    with pytest.raises(UserError, match=f"{beside.name}: not a file of scores: "):
        read_record(path)
    beside.unlink()
    assert read_record(path).table is None


@pytest.mark.parametrize("text", ["[" * 100_000, f'{{"schema_version": 1{"0" * 5000}}}', "\x00"])
def test_json_that_python_refuses(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a complete JSON record"):
        read_record(path)
    with pytest.raises(UserError, match="not a complete JSON record"):
        Finder.of([tmp_path], cache=False)


def test_a_link_to_a_record_has_its_scores(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(per_kind=5, draws=0), tmp_path / "kept")
    link = tmp_path / "base.json"
    link.symlink_to(path)
    assert read_record(link).table is not None


def test_scores_outside_the_folder_are_refused(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(make_record(), tmp_path)
    values = json.loads(path.read_bytes())
    values["scores"]["file"] = "../../../etc/passwd"
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="without folders"):
        read_record(path)


def test_a_full_disk_leaves_the_earlier_record(
    make_record: MakeRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_record(make_record(seed=1), tmp_path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_record(make_record(seed=2), tmp_path)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [
        {"scores": np.zeros((2, 2), np.float32)},
        {"scores": np.zeros(4, np.int64)},
        {"decisions": np.zeros(4, np.uint8)},
        {"folds": np.zeros(4, np.float32)},
        {"mated": None},
    ],
)
def test_what_is_no_table_of_scores_is_one_line(change: dict[str, np.ndarray | None]) -> None:
    tensors: dict[str, np.ndarray | None] = {
        "scores": np.zeros(4, np.float32),
        "decisions": np.zeros(4, np.bool_),
        "mated": np.zeros(4, np.bool_),
        "folds": np.zeros(4, np.int64),
    }
    good = {name: array for name, array in tensors.items() if array is not None}
    assert ScoreTable.from_bytes(save(good), "here").scores.shape == (4,)
    wrong = {name: array for name, array in (tensors | change).items() if array is not None}
    with pytest.raises(UserError, match="here: not a file of scores: "):
        ScoreTable.from_bytes(save(wrong), "here")
