"""One table in every format: what stands in a cell, and where."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from facebench.tables.csv import to_csv
from facebench.tables.html import to_html
from facebench.tables.latex import to_latex
from facebench.tables.markdown import grid, to_markdown
from facebench.tables.table import DASH, Cell, Table, columns_of, list_of, rows_of
from facebench.tables.terminal import Console, console_for, tables_text
from tests.tables.test_html import Page

FULL = Cell(
    "96.90 ± 0.38", "[96.35, 97.37]", 0.969, "▼", "a", paper="98.95", difference="−2.05",
    told="−0.25 ▼ p = 0.012",
)  # fmt: skip
PAPER_ONLY = Cell(DASH, paper="97.30")
MISSING = Cell("missing", told="no record")


def table(*cells: Cell, **fields: object) -> Table:
    headings = ["row", *(f"column {number}" for number in range(len(cells)))]
    rows = rows_of((Cell("model_1"), *cells))
    return Table("Title", columns_of(*headings), rows, **fields)  # type: ignore[arg-type]


def row_in(markdown: list[str]) -> str:
    return markdown[2]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ("beside", r"96.90 ± 0.38 ▼ <sup>a</sup> \[96.35, 97.37\] paper 98.95"),
        ("below", r"96.90 ± 0.38 ▼ <sup>a</sup><br>\[96.35, 97.37\]<br>paper 98.95"),
        (
            "small",
            r"96.90 ± 0.38 ▼ <sup>a</sup><br><sub>\[96.35, 97.37\]</sub><br>paper 98.95",
        ),
    ],
)
def test_markdown_puts_a_detail_beside_or_below(details: str, expected: str) -> None:
    assert row_in(grid(table(FULL, details=details))) == rf"| model\_1 | {expected} |"


def test_where_only_the_paper_has_a_value_no_dash_stands_before_it() -> None:
    made = table(PAPER_ONLY, Cell(DASH), details="small")
    assert row_in(grid(made)) == rf"| model\_1 | paper 97.30 | {DASH} |"
    assert DASH not in to_html([table(PAPER_ONLY)], "x").partition("<tbody>")[2]
    assert "-- & 97.30 &" in to_latex([made])


def test_columns_of_words_stand_at_the_left() -> None:
    assert grid(table(FULL))[1] == "| :--- | ---: |"
    assert grid(list_of(("a", "b"), [("1", "2")]))[1] == "| :--- | :--- |"


def test_footnotes_notes_and_signatures_follow_the_table() -> None:
    made = table(FULL, notes=("a note",), footnotes=(("a", "another setting"),), signatures=("s",))
    told = (
        "- a note\n\n<details><summary>How to read this</summary>\n\n- a: another setting\n\n"
        "</details>\n\n<details><summary>Signatures</summary>\n\n- s\n\n</details>\n"
    )
    assert to_markdown([made]).endswith(f"|\n\n{told}")


def test_the_verdict_stands_before_the_table_and_columns_aside_behind_it() -> None:
    made = table(FULL, Cell("0.123"), verdict=("It holds.", "It saves 5%."), notes=("a note",))
    first, other = replace(made.columns[1]), replace(made.columns[2], aside=True)
    made = replace(made, columns=(made.columns[0], first, other))
    markdown, page = to_markdown([made]), to_html([made], "x")
    assert markdown.startswith("### Title\n\n**It holds.** It saves 5%.\n\n| row | column 0 |")
    for text in (markdown, page, tables_text([made], console_for())):
        order = [text.index(word) for word in ("It saves 5%", "96.90", "a note", "0.123")]
        assert order[0] == min(order) and text.count("96.90") == text.count("0.123") == 1
    assert "<strong>It holds.</strong> It saves 5%." in page
    assert "<summary>More numbers: column 1</summary>" in page


def test_a_page_says_what_is_missing_and_what_a_mark_means() -> None:
    text = to_html([table(FULL, MISSING)], "x")
    assert not Page(text).open
    spans = {attrs.get("class"): attrs for tag, attrs in Page(text).elements if tag == "span"}
    assert spans["missing"]["title"] == "no record"
    assert spans["worse"]["title"] == "−0.25 ▼ p = 0.012"
    assert spans["worse"]["aria-label"] == "significantly worse than the reference"
    assert "<small>paper 98.95</small>" in text


def test_latex_gives_the_papers_values_columns_of_their_own() -> None:
    text = to_latex([table(FULL, Cell("3"), details="small")], "table_3")
    assert r"\begin{tabular}{@{}lrrrr@{}}" in text and r"\label{tab:table-3-1}" in text
    assert (
        "row & \\multicolumn{3}{c}{column 0} & \\shortstack[r]{column \\\\ 1} \\\\\n" in text
        and "\n\\cmidrule(lr){2-4}\n" in text
    )
    assert " & here & paper & $\\Delta$ &  \\\\\n\\midrule" in text
    value = r"96.90 $\pm$ 0.38 $\blacktriangledown$\textsuperscript{a}"
    assert rf"model\_1 & {value} & 98.95 & $-$2.05 & 3 \\" in text


def test_latex_without_the_papers_values_has_one_line_of_headings() -> None:
    text = to_latex([table(Cell("1", "[0, 2]"))])
    assert (
        "\\toprule\nrow & \\shortstack[r]{column \\\\ 0} \\\\\n"
        "\\midrule\nmodel\\_1 & 1 {[}0, 2{]} \\\\\n" in text
    )


def test_a_list_has_neither_frame_nor_title() -> None:
    made = list_of(("name", "what"), [("a", "[red]"), ("bb", "c")])
    text = tables_text([made], console_for(), "bare")
    assert [line.split() for line in text.splitlines()] == [
        ["name", "what"], ["a", "[red]"], ["bb", "c"],
    ]  # fmt: skip


def test_a_table_too_wide_keeps_its_rows_unless_all_fit_as_columns() -> None:
    columns = columns_of("model", "accuracy %", "vs base", "parameters")
    columns = (*columns[:2], replace(columns[2], beside=True), columns[3])
    rows = [(Cell(f"network_{n}"), Cell("96.90 ± 0.38"), Cell("−0.25"), Cell(f"{n}.25 M"))
            for n in range(6)]  # fmt: skip

    def drawn(number: int, width: int) -> str:
        made = Table("", columns, rows_of(*rows[:number]))
        return tables_text([made], Console(width, "utf-8", False, False))

    assert drawn(6, 60).count("network_5") == 1  # it fits
    text = drawn(6, 45)
    assert text.count("network_5") == 2 and max(map(len, text.splitlines())) <= 45
    assert "columns stand in 2 tables; in one they need 49 characters" in text.replace("\n", " ")
    first, second = text.split("╰", 1)
    assert "vs base" in first and "−0.25" in first and "parameters" in second
    few = drawn(2, 45)
    assert few.count("network_1") == 1 and "rows stand as columns" in few


def test_rows_are_sorted_by_the_number_in_full() -> None:
    assert Cell("66.67", value=2 / 3).sort_key == repr(2 / 3)
    assert Cell("words", value="words").sort_key == "words" and Cell(DASH).sort_key == ""


def test_csv_takes_lines_of_other_fields_and_no_formulas() -> None:
    text = to_csv([{"a": 1 / 3, "b": "=1+1"}, {"a": None, "c": True}])
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"a": repr(1 / 3), "b": "'=1+1", "c": ""},
        {"a": "", "b": "", "c": "True"},
    ]
    assert to_csv([], ["report"]) == "report\n"
