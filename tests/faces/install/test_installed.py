from __future__ import annotations

import pickle
import shutil
from pathlib import Path

from facebench.base.storage import cache_folder, data_folder
from facebench.faces.install.installed import REGISTERED, list_installed
from facebench.faces.lfw.folder import LfwSource
from facebench.faces.lfw.lists import read_pairs
from facebench.faces.locate import DATASETS
from facebench.faces.twins import lfw as twin
from tests.helpers.ytf_folders import write_ytf


def test_nothing_is_installed_and_every_set_is_named() -> None:
    rows = {row.name: row for row in list_installed()}
    assert set(rows) == {*DATASETS, *REGISTERED}
    assert all(row.where is None and row.note for row in rows.values())
    assert "facebench data get lfw" in rows["lfw"].note
    for name in REGISTERED:
        note = rows[name].note
        assert "registration" in note and note.endswith(f"unpack into {data_folder() / name}")


def test_registered_sets_in_the_data_folder_are_listed() -> None:
    write_ytf(data_folder() / "ytf")
    (data_folder() / "ijba").mkdir()
    rows = {row.name: row for row in list_installed() if row.where is not None}
    assert {name: row.where for name, row in rows.items()} == {
        name: data_folder() / name for name in ("ytf", "ijba")
    }
    assert rows["ytf"].note == "(facebench data check ytf)"
    assert rows["ijba"].note == "not in the layout of ijba (facebench data check ijba)"


def test_fingerprints_are_those_of_records(small_lfw: Path, encode) -> None:
    shutil.copytree(small_lfw, data_folder() / "lfw")
    shutil.copytree(small_lfw / "lfw", data_folder() / "lfw" / "lfw_funneled")
    images = [encode(seed, 112, 112) for seed in range(20)]
    (data_folder() / "agedb_30.bin").write_bytes(pickle.dumps((images, [True] * 10)))
    rows = [row for row in list_installed() if row.where is not None]
    keys = read_pairs(small_lfw / "pairs.txt").keys()
    expected = LfwSource(small_lfw).fingerprint(keys)
    assert [(row.name, row.images) for row in rows] == [("lfw", 6), ("lfw", 6), ("agedb-30", 20)]
    assert [row.fingerprint for row in rows[:2]] == [expected, expected]
    assert str(rows[2].fingerprint).startswith("agedb-30-")


def test_twins_of_other_sets_are_listed_by_their_marker() -> None:
    folder = cache_folder() / "synthetic" / "synthetic-ijba-v1-s0"
    folder.mkdir(parents=True)
    (folder / "COMPLETE.json").write_text('{"fingerprint": "synthetic-ijba-v1-s0", "images": 7}')
    (row,) = [row for row in list_installed() if row.where is not None]
    assert (row.name, row.images, row.fingerprint) == ("synthetic-ijba", 7, folder.name)
    (folder / "COMPLETE.json").write_text("[]")
    assert [row.images for row in list_installed() if row.where is not None] == [None]


def test_the_twin_in_the_cache_is_listed_as_records_call_it(small_twin: Path) -> None:
    name = twin.twin_fingerprint(0)
    shutil.copytree(small_twin, cache_folder() / "synthetic" / name)
    (row,) = [row for row in list_installed() if row.note == "synthetic twin of lfw"]
    assert row.images == 6 and str(row.fingerprint).startswith(f"{name}+")


def test_a_damaged_set_is_listed_with_its_error() -> None:
    data_folder().mkdir(parents=True)
    (data_folder() / "calfw.bin").write_bytes(b"damaged")
    (row,) = [row for row in list_installed() if row.name == "calfw"]
    assert row.fingerprint is None and "is no .bin file" in row.note
