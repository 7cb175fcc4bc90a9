"""Searches of a list by records: the same from every exact index, and approximate ones told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.evaluation.evaluate import evaluate_many
from facebench.records.comparability import require_comparable
from facebench.records.files import read_record, save_record
from facebench.tables.records import record_table
from tests.protocols.kinds.test_galleries import a_list

CARD = """name = "door"
kind = "search"
version = 1
title = "Door"
source = "made"
dataset = "door"
search_list = "door.csv"
fars = [0.1]
ranks = [1, 5]
"""


@pytest.fixture
def door(tmp_path: Path) -> dict:
    """What `evaluate_many` is given: a card with its list, and embeddings of its images."""
    rows, vectors = a_list()
    (tmp_path / "door.csv").write_text("\n".join(["image,subject,set", *rows]))
    (tmp_path / "door.toml").write_text(CARD)
    np.save(tmp_path / "mine.npy", np.array(list(vectors.values()), dtype=np.float32))
    (tmp_path / "names.txt").write_text("\n".join(vectors))
    return {
        "models": [],
        "protocols": [str(tmp_path / "door.toml")],
        "embeddings": [(tmp_path / "mine.npy", tmp_path / "names.txt")],
        "progress": False,
    }


def test_exact_indexes_make_one_record_and_say_what_searched(door: dict) -> None:
    own, flat = (evaluate_many(**door, index=index)[0] for index in ("exact", "flat"))
    assert own.digest() == flat.digest() and own.rule == "exact"
    assert "NumPy" in own.run.searched_by and "IndexFlatIP" in flat.run.searched_by
    assert any("IndexFlatIP, decided exactly" in note for note in record_table([flat]).notes)
    assert own.statistics.recall is None and "recall" not in own.statistics.model_dump()


@pytest.mark.parametrize("index", ["hnsw:4", "ivf:16"])
def test_approximate_ones_have_their_recall_beside_every_number(
    door: dict, index: str, tmp_path: Path
) -> None:
    (exact,), (found,) = evaluate_many(**door), evaluate_many(**door, index=index)
    recall = found.statistics.recall
    assert recall is not None and recall.index.startswith(f"{index}(") and recall.depth == 50
    assert recall.probes == 60 and 0 < recall.all <= 1
    assert f"rule:exact, index={recall.index}" in found.signature
    with pytest.raises(UserError, match="rule"):
        require_comparable(exact, found)
    table = record_table([found])
    at = [column.heading for column in table.columns].index("recall@50 %")
    assert table.rows[0].cells[at].text == f"{100 * recall.all:.2f}"
    assert any(note.startswith(f"APPROXIMATE SEARCH by {recall.index}") for note in table.notes)
    kept = read_record(save_record(found, tmp_path / "records"))
    assert kept == found and kept.statistics.recall == recall


def test_templates_are_made_in_the_same_walk(door: dict) -> None:
    plain, half, small = evaluate_many(**door, template="fp32,fp16,int8")
    assert [one.model.template for one in (plain, half, small)] == ["", "fp16", "int8"]
    assert plain.statistics.rates[0].thresholds != small.statistics.rates[0].thresholds
    assert abs(plain.statistics.rates[1].value - small.statistics.rates[1].value) < 0.2


def test_names_that_do_not_match_are_one_line(door: dict, tmp_path: Path) -> None:
    names = (tmp_path / "names.txt").read_text()
    (tmp_path / "names.txt").write_text(names.replace("d1", "e1"))
    with pytest.raises(UserError, match=r"of 439 faces have no embedding \(d1") as caught:
        evaluate_many(**door)
    assert "\n" not in str(caught.value)
    found = evaluate_many(**door, on_missing="count")[0]
    assert found.statistics.counts["gallery images not acquired"] > 0


def test_what_no_index_is_for(door: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"protocol lfw .* is of the kind search"):
        evaluate_many(**door | {"protocols": ["lfw"]}, index="flat")
    with pytest.raises(UserError, match=r"unknown .*did you mean 'flat'"):
        evaluate_many(**door, index="flatt")
    monkeypatch.setitem(sys.modules, "faiss", None)
    for index in ("flat", "hnsw:4"):
        with pytest.raises(UserError, match=r"not installed; install facebench\[faiss\]"):
            evaluate_many(**door, index=index)
    assert evaluate_many(**door)[0].rule == "exact"
