"""Every format: the label of synthetic faces, intervals, marks, and names that are only names."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest

from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.records.record import Record
from facebench.tables.exports import records_csv, records_json
from facebench.tables.markdown import to_markdown
from facebench.tables.records import record_table, record_tables
from facebench.tables.terminal import console_for, tables_text

MakeRecord = Callable[..., Record]
NOTICE = "These faces are rendered; no number here is about real faces."


def terminal(records: list[Record], width: int) -> str:
    console = console_for()
    console.width = width
    return tables_text(record_tables(records), console)


def words(text: str) -> str:
    """Text with frames and line breaks taken out."""
    return " ".join(text.translate(dict.fromkeys(map(ord, "┃│╭╮╰╯─┏┓┗┛━"), " ")).split())


@pytest.mark.parametrize("width", [60, 80, 120, 250])
def test_terminal_says_synthetic_in_title_and_notice(make_record: MakeRecord, width: int) -> None:
    text = terminal([make_record(kind="synthetic")], width)
    assert SYNTHETIC_LABEL in words(text)
    assert NOTICE in words(text)
    assert SYNTHETIC_LABEL not in words(terminal([make_record()], width))


@pytest.mark.parametrize("width", [80, 250])
def test_terminal_has_every_number_whole(make_record: MakeRecord, width: int) -> None:
    records = [make_record(model=f"model_{n}", seed=n) for n in range(4)]
    text = terminal(records, width)
    assert "…" not in text
    for record in records:
        accuracy = record.statistics.accuracy
        assert accuracy.interval is not None
        assert f"{100 * accuracy.value:.2f} ± {100 * accuracy.spread:.2f}" in text
        low, high = accuracy.interval.low, accuracy.interval.high
        assert f"[{100 * low:.2f}, {100 * high:.2f}]" in text
    assert max(map(len, text.splitlines())) <= width


def test_unresolvable_tar_is_marked_with_the_far_that_was_reached(make_record: MakeRecord) -> None:
    view = record_table([make_record(per_kind=30)])
    cell = view.rows[0].cells[view.headings.index("TAR % at FAR 0.1%")]
    assert cell.text.endswith("‡") and cell.detail == "at FAR 0%"
    assert any("300 non-mated comparisons cannot tell" in line for line in view.notes)


def test_a_list_that_is_not_the_published_one_is_said(make_record: MakeRecord) -> None:
    assert "NOT THE PUBLISHED LIST: 600 pairs" in (
        record_table([make_record(per_kind=30)]).notice or ""
    )
    for told, kind, expected in (
        (None, "real", False),
        (True, "real", False),
        (False, "real", True),
        (False, "synthetic", False),  # its notice says it
    ):
        notice = record_table([make_record(published_list=told, kind=kind, draws=0)]).notice or ""
        assert ("NOT THE PUBLISHED LIST: other pairs or folds" in notice) == expected


def test_significance_marks_are_against_the_first_row(make_record: MakeRecord) -> None:
    records = [
        make_record(model="a", seed=1),
        make_record(model="b", seed=2),
        make_record(model="c", seed=3, strength=2.5),
    ]
    view = record_table(records)
    column = view.headings.index("vs a")
    first, second, third = (row.cells[column] for row in view.rows)
    assert first.text == "reference"
    assert re.fullmatch(r"[−+]\d.\d\d", second.text) and second.mark == "≈"
    assert re.fullmatch(r"\[−\d.\d\d, \+\d.\d\d\]", second.detail)
    assert re.fullmatch(r"−\d.\d\d", third.text) and third.mark == "▼"
    p_values = [row.cells[view.headings.index("p")].text for row in view.rows]
    assert p_values[0] == "" and p_values[2] == "< 0.001" and float(p_values[1]) > 0.05
    assert re.fullmatch(r"\[−\d.\d\d, −\d.\d\d\]", third.detail)
    assert any("[95% interval over people, pointwise]" in line for line in view.reading)
    assert any(line.startswith("▲ better, ▼ worse than a, ≈ not") for line in view.notes)
    assert not any(text.startswith("vs ") for text in record_table(records[:1]).headings)


def test_failures_to_acquire_are_a_column(make_record: MakeRecord) -> None:
    view = record_table([make_record(failures=60)])
    cell = view.rows[0].cells[view.headings.index("FTA %")]
    assert (cell.text, cell.detail) == ("1.00", "60 faces")


def test_markdown_labels_synthetic_and_takes_names_literally(make_record: MakeRecord) -> None:
    text = to_markdown(
        record_tables([make_record(kind="synthetic", model="<script>|a|_b_*c*[d](e)`f`")])
    )
    assert f"### {SYNTHETIC_LABEL}".replace("(", "(") in text
    assert f"NOTICE: {NOTICE}" in text
    assert "<script>" not in text
    assert r"&lt;script&gt;\|a\|\_b\_\*c\*\[d\](e)\`f\`" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    bars = [line.replace(r"\|", "").count("|") for line in rows]
    assert [len(set(bars[:3])), len(set(bars[3:]))] == [1, 1]  # those of first sight, and the rest


def test_csv_has_full_numbers_and_the_label(make_record: MakeRecord) -> None:
    records = [make_record(), make_record(kind="synthetic", model='=cmd("x"),\n2')]
    lines = list(csv.DictReader(io.StringIO(records_csv(records))))
    assert [line["data_kind"] for line in lines] == ["real", "synthetic"]
    assert lines[1]["notice"] == NOTICE and lines[0]["notice"] == ""
    assert float(lines[0]["accuracy"]) == records[0].statistics.accuracy.value
    assert float(lines[0]["tar_at_far_0.001_reached"]) <= 0.001
    assert lines[1]["model"] == '\'=cmd("x"), 2'
    assert lines[0]["digest"] == records[0].digest()


def test_json_is_a_list_of_records(make_record: MakeRecord) -> None:
    records = [make_record(), make_record(kind="synthetic")]
    values = json.loads(records_json(records))
    assert [Record.model_validate(value) for value in values] == records
    assert values[1]["data"]["notice"] == NOTICE
