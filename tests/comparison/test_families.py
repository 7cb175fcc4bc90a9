"""One rule for many tests: a table's rows are a family, on the protocol's first statistic."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from facebench.comparison.compare import compare_records
from facebench.comparison.paired import Paired, corrected
from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.reports.build import fill_card, with_rows
from facebench.reports.card import load_report
from facebench.reports.formats import report_csv
from facebench.reports.table import report_table, shown
from facebench.statistics.intervals.exact import Interval
from facebench.tables.paired.comparison import comparisons_json
from facebench.tables.records import record_table
from tests.helpers.records import MakeRecord

FELL = Paired("accuracy", 0.9, 0.88, Interval(-0.04, -0.001, 0.95, "subjects"), 0.03)


def test_a_mark_is_of_the_p_value_among_all_tests_of_the_table() -> None:
    """0.03 alone is below 5%; as one of two, Holm doubles the smaller one."""
    assert FELL.mark == "▼" and [one.mark for one in corrected([FELL])] == ["▼"]
    other = replace(FELL, candidate=0.899, p_value=0.4)
    untested = replace(FELL, p_value=None, interval=None, why="no scores")
    first, absent, second = corrected([FELL, untested, other])
    assert (first.adjusted, second.adjusted) == (0.06, 0.4) and absent == untested
    assert (first.mark, second.mark) == ("≈", "≈")
    assert first.p_value == 0.03 and first.interval == FELL.interval  # pointwise, as it was


def test_one_test_stays_as_it_is_and_is_a_gates() -> None:
    assert FELL.deciding_p == 0.03 and FELL.verdict == "worse"


@pytest.fixture
def three(make_record: MakeRecord):
    """Two candidates: one that is told apart from the base alone, and one like the base."""
    return [
        make_record(name, seed=seed, strength=strength)
        for name, seed, strength in (("base", 1, 3.5), ("fell", 2, 3.2), ("like", 3, 3.45))
    ]


def test_every_table_corrects_alike(three, tmp_path: Path) -> None:
    plain = [compare_records(three[0], [one])[0].statistics[0] for one in three[1:]]
    wanted = [one.adjusted for one in corrected(plain)]
    compared = compare_records(three[0], three[1:])
    assert [one.statistics[0].adjusted for one in compared] == wanted
    for record in three:
        save_record(record, tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    card = with_rows(load_report("compare"), finder, ["base", "fell", "like"])
    table = fill_card(card, finder)[0]
    cells = [row.cells[0] for row in table.rows[1:]]
    assert [cell.paired.adjusted for cell in cells] == wanted
    assert [row.cells[1].mark for row in table.rows] == ["", "", ""]  # AUC is not the first
    lines = report_csv([table]).splitlines()
    assert "p_holm" in lines[0]
    assert "corrected for the number of rows" in "".join(report_table(table).reading)
    assert "Holm over 2" in "".join(report_table(table).notes)
    assert "intervals are pointwise" in "".join(report_table(table).reading)


def test_eval_compare_and_reports_print_one_interval_for_a_pair(three, tmp_path: Path) -> None:
    base, fell, _ = three
    (compared,) = compare_records(base, [fell])
    interval = compared.statistics[0].interval
    text = f"[{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]".replace("-", "−")
    view = record_table([base, fell])
    versus = view.rows[1].cells[view.headings.index("vs base")]
    assert versus.detail == text
    for record in (base, fell):
        save_record(record, tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    card = with_rows(load_report("compare"), finder, ["base", "fell"])
    assert text in shown(fill_card(card, finder)[0].rows[1].cells[0]).told


def test_compare_judges_the_first_statistic_alone(three) -> None:
    (told,) = json.loads(comparisons_json(compare_records(three[0], [three[1]])))
    assert [one["statistic"] for one in told["statistics"] if one["verdict"]] == ["accuracy"]
    assert all(one["p_value"] is not None for one in told["statistics"])
