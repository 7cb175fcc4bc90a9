"""Every two of several records: equal to `compare`, and to counting."""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.base.storage import result_folders
from facebench.comparison.among import among, turned
from facebench.comparison.compare import compare_records
from facebench.comparison.paired import Paired, paired_statistics
from facebench.records.files import read_record
from facebench.records.record import Record
from facebench.tables.paired.comparison import paired_cells
from facebench.tables.text import difference_cell, p_text
from tests.helpers.records import drawn_record

ZOO = ("baseline", "sparse_096", "sparse_074", "sparse_012", "squeezenet1_1", "teacher")


def committed(folder: str, names: tuple[str, ...]) -> list[Record]:
    place = next(f for f in result_folders() if (f / "lfw").is_dir()) / folder
    paths = [path for name in names for path in sorted(place.rglob(f"{name}-????????.json"))]
    records = [read_record(path) for path in paths]
    return [record for record in records if record.similarity == "cosine"]


def shown(paired: Paired) -> list[str]:
    """What a table shows of a test, and its verdict."""
    cells = [cell.text + cell.detail for cell in paired_cells(paired)[:4]]
    return [*cells, p_text(paired.deciding_p), paired.verdict, difference_cell(paired).text]


@pytest.mark.shipped_results
@pytest.mark.parametrize("folder", ["lfw/lfw-0aba83afd81d11d9", "lfw/synthetic-lfw-v1-s0"])
def test_all_pairs_of_committed_records_are_as_compare_shows_them(folder: str) -> None:
    records = committed(folder, ZOO)
    assert len(records) >= 4
    found = among(records)
    for one, other in permutations(range(len(records)), 2):
        (expected,) = compare_records(records[one], [records[other]])
        assert [*map(shown, found.pair(one, other))] == [*map(shown, expected.statistics)]
        changed = expected.changed
        assert changed is not None
        counts = found.changed[min(one, other), max(one, other)]
        assert sorted(counts) == sorted((changed.only_a, changed.only_b))
        assert (counts == (changed.only_a, changed.only_b)) == (one < other) or len({*counts}) == 1


@pytest.mark.shipped_results
@pytest.mark.parametrize("folder", ["lfw-all-pairs", "lfw-closed"])
def test_searches_and_all_pairs_go_the_way_of_compare(folder: str) -> None:
    records = committed(folder, ("baseline", "sparse_074"))
    found = among(records)
    for one, other in ((0, 1), (1, 0)):
        expected = paired_statistics(records[one], records[other])
        assert [*map(shown, found.pair(one, other))] == [*map(shown, expected)]


@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0.0, 6.0)), min_size=2, max_size=4))
@settings(max_examples=15, deadline=None)
def test_of_random_scores(drawn: list[tuple[int, float]]) -> None:
    records = [
        drawn_record(f"m{n}", seed=seed, strength=strength, per_kind=6, draws=0)
        for n, (seed, strength) in enumerate(drawn)
    ]
    found = among(records)
    for one, other in combinations(range(len(records)), 2):
        expected = paired_statistics(records[one], records[other])
        for paired, wanted in zip(found.pair(one, other), expected, strict=True):
            assert paired.statistic == wanted.statistic
            assert paired.difference == wanted.difference
            assert (paired.interval, paired.p_value) == (wanted.interval, wanted.p_value)
        tables = records[one].table, records[other].table
        assert tables[0] is not None and tables[1] is not None
        only = [int(np.sum(a.correct & ~b.correct)) for a, b in (tables, tables[::-1])]
        assert found.changed[one, other] == tuple(only)


def test_a_record_without_scores_is_not_tested_and_stands_beside_the_others(tmp_path: Path) -> None:
    whole = [drawn_record(name, seed=seed, per_kind=8) for seed, name in enumerate("abc")]
    records = [whole[0], whole[1].without_table("its scores are gone"), whole[2]]
    found = among(records)
    assert found.pair(0, 2)[0].tested
    assert not found.pair(0, 1)[0].tested and found.pair(1, 2)[0].why == "its scores are gone"
    assert set(found.changed) == {(0, 2)}
    assert [at for at, _ in found.family(1)] == [0, 2]


def test_one_family_is_corrected() -> None:
    records = [drawn_record(n, seed=s, strength=x, per_kind=20) for n, s, x in
               (("a", 0, 3.0), ("b", 1, 3.3), ("c", 2, 3.6))]  # fmt: skip
    expected = compare_records(records[0], records[1:])
    family = among(records).family(0)
    assert [p.adjusted for _, p in family] == [one.statistics[0].adjusted for one in expected]


def test_records_of_other_faces_are_refused() -> None:
    with pytest.raises(UserError, match="never compared"):
        among([drawn_record("a", per_kind=8), drawn_record("b", "synthetic", per_kind=8)])


def test_a_test_turned_twice_is_the_same() -> None:
    one, other = (drawn_record(n, seed=s, per_kind=8) for n, s in (("a", 0), ("b", 1)))
    for paired in paired_statistics(one, other):
        assert turned(turned(paired)) == paired
        assert turned(paired).difference == -paired.difference
