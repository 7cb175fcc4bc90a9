"""The inline JSON of pairs has the digits that ``facebench compare`` prints."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facebench.base.text import points
from facebench.comparison.compare import compare_records
from facebench.records.files import save_record
from facebench.reports.site.folios import Site, read_site
from facebench.reports.site.pairs import BELOW, hundredths, inline_pairs
from facebench.tables.paired.comparison import paired_cells
from tests.helpers.records import drawn_record

LETTERS = {"b": "better", "w": "worse", "n": "no difference shown"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("pairs")
    for n, strength in enumerate((2.0, 2.6, 3.0, 3.1, 5.0)):
        for kind in ("real", "synthetic"):
            save_record(drawn_record(f"m{n}", kind, seed=n, strength=strength, per_kind=40), folder)
    return read_site([folder])


def words(value: int) -> str:
    """As the page's script writes hundredths of a point."""
    return f"{'−' if value < 0 else '+'}{abs(value) / 100:.2f}"


def test_every_pair_is_as_compare_prints_it(site: Site) -> None:
    values = json.loads(inline_pairs(site))
    assert len(values) == len(site.rankings) == 2
    for ranking, found in zip(site.rankings, values, strict=True):
        assert [one["name"] for one in found["models"]] == [s.name for s in ranking.standings]
        records = [standing.record for standing in ranking.standings]
        for n, (one, other) in enumerate(combinations(range(len(records)), 2)):
            (expected,) = compare_records(records[one], [records[other]])
            for paired in expected.statistics:
                cells = paired_cells(paired)
                numbers = found["tests"][paired.statistic][4 * n : 4 * n + 4]
                difference, low, high, p = numbers
                assert words(difference) == cells[3].text
                assert f"[{words(low)}, {words(high)}]" == cells[3].detail
                assert cells[4].text == ("< 0.001" if p == BELOW else f"{p / 1000:.3f}")
                at = found["statistics"].index(paired.statistic)
                assert found["models"][one]["values"][at] == cells[1].text
                assert found["models"][other]["values"][at] == cells[2].text
            assert LETTERS[found["verdicts"][n]] == expected.statistics[0].verdict
            assert expected.changed is not None
            only = [expected.changed.only_a, expected.changed.only_b]
            assert found["changed"][2 * n : 2 * n + 2] == only


@given(st.floats(-1, 1))
def test_hundredths_are_the_points_that_are_printed(difference: float) -> None:
    assert words(hundredths(difference)) == points(difference)


def test_names_end_no_script(tmp_path: Path) -> None:
    for seed, name in enumerate(("</script><script>alert(1)</script>", "b&amp;\u2028")):
        save_record(drawn_record(name, seed=seed, per_kind=8), tmp_path)
    text = str(inline_pairs(read_site([tmp_path])))
    assert "<" not in text and "&" not in text and text.isascii()
    assert "</script><script>alert(1)</script>" in [
        m["name"] for m in json.loads(text)[0]["models"]
    ]


def test_what_is_not_tested_says_why(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        path = save_record(drawn_record(name, seed=seed, per_kind=8), tmp_path)
    for scores in path.parent.glob("b-*.scores-*"):
        scores.unlink()
    (found,) = json.loads(inline_pairs(read_site([tmp_path])))
    assert found["verdicts"] == "?" and found["changed"] == [-1, -1] and found["why"] == [0]
    assert "not beside its record" in found["reasons"][0]
    assert found["tests"]["accuracy"][1:] == [None, None, None]
