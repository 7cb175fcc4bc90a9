"""What two shipped records say of each other is the same wherever it is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

import facebench
from facebench.comparison.compare import compare_records
from facebench.comparison.paired import corrected, paired_statistics, paired_with_first
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rules
from facebench.records.comparability import group_records, names_of
from facebench.records.files import read_record, save_record
from facebench.records.find import record_files
from facebench.records.record import Record
from facebench.records.statistics import statistics_in
from facebench.tables.records import record_table
from facebench.tables.text import versus_cell

pytestmark = pytest.mark.shipped_results
RESULTS = Path(__file__).parents[2] / "reports" / "results"
PAIRS_OF_A_KIND = 5
OUTCOMES = {"worse": "fail", "better": "pass"}


def some_pairs() -> Iterator[tuple[Record, Record]]:
    """Pairs of every kind of shipped records, evenly spread."""
    records = [read_record(path) for path in record_files(RESULTS)]
    for group in group_records(records):
        kinds: dict[str, list[Record]] = defaultdict(list)
        for record in group:
            kinds[record.similarity.partition("(")[0]].append(record)
        for alike in kinds.values():
            pairs = list(combinations(alike, 2))
            yield from pairs[:: max(1, -(-len(pairs) // PAIRS_OF_A_KIND))]


def test_every_reader_says_the_same_of_two_records(tmp_path: Path) -> None:
    pairs = list(some_pairs())
    assert len(pairs) > 4 * PAIRS_OF_A_KIND
    for number, (base, other) in enumerate(pairs):
        (found,) = corrected(paired_with_first(base, [other]))
        assert found.tested and found.interval is not None
        (compared,) = compare_records(base, [other])
        assert compared.statistics[0] == found
        (alone,) = paired_statistics(base, other, [found.statistic])
        assert (alone.interval, alone.deciding_p) == (found.interval, found.deciding_p)
        view = record_table([base, other])
        assert view.rows[1].cells[
            view.headings.index(f"vs {names_of([base, other])[0]}")
        ] == versus_cell(found)
        folder = tmp_path / str(number)
        for record in (base, other):
            save_record(record, folder)
        (history,) = facebench.history(folder, reference=base.digest())
        (run,) = (run for run in history.runs if run.against is not None)
        assert run.against == found and run.fell == (found.verdict == "worse")


def test_a_gate_without_allowance_fails_what_is_marked_as_worse() -> None:
    for pair in some_pairs():
        for base, other in (pair, pair[::-1]):
            (found,) = paired_with_first(base, [other])
            name = statistics_in(base)[0]
            rule = f"{base.protocol.name}.{name} drop <= 0pt at 95%"
            (verdict,) = gated(parse_rules([rule]), [base], [other]).verdicts
            assert verdict.outcome == OUTCOMES.get(found.verdict, "undecided")


def test_the_other_direction_is_the_same_difference() -> None:
    for base, other in some_pairs():
        (forth,), (back,) = paired_with_first(base, [other]), paired_with_first(other, [base])
        assert back.difference == -forth.difference
        assert forth.interval is not None and back.interval is not None
        assert (back.interval.low, back.interval.high) == pytest.approx(
            (-forth.interval.high, -forth.interval.low), abs=1e-12
        )
        assert back.p_value == pytest.approx(forth.p_value)
        assert {forth.verdict, back.verdict} in (
            {"better", "worse"}, {"no difference shown"}, {"undecided"},
        )  # fmt: skip
