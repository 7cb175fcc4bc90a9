"""LaTeX that fits: widths without TeX, and all of it compiled where TeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from facebench.base.errors import UserError, on_command_line
from facebench.base.text import percent, places, points
from facebench.records.find import Finder, named_together
from facebench.reports.build import fill_card
from facebench.reports.card import cards_named
from facebench.reports.table import report_table
from facebench.tables.latex import NARROW, WIDE, to_latex
from facebench.tables.records import record_tables
from facebench.tables.table import Cell, Choice, Column, Table, TableRow

pytestmark = pytest.mark.shipped_results
TWO_COLUMNS = {
    "article": "",
    "3.25 and 6.75 inches": r"\setlength{\textwidth}{6.75in}\setlength{\columnsep}{0.25in}",
}
needs_tex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="no pdflatex: apt-get install texlive-latex-base texlive-latex-recommended",
)


def compiled(folder: Path, texts: list[str], page: str = "") -> list[str]:
    """What TeX complains of in a document of two columns."""
    inputs = "".join(f"{text}\n\\clearpage\n" for text in texts)
    (folder / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage[T1]{fontenc}"
        f"\\usepackage{{booktabs,amssymb,textcomp}}{page}\\begin{{document}}\n{inputs}"
        "\\end{document}\n"
    )
    command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "paper.tex"]
    found = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    said = re.compile(r"Overfull.*|! .*|.*Float too large.*|.*Undefined.*")
    return said.findall(found.stdout.decode("latin-1"))


@pytest.fixture(scope="module")
def papers_tables() -> dict[str, list[Table]]:
    """Tables 1 to 9 on what is committed, and three models as `eval` shows them."""
    finder = Finder.of(cache=False)
    names = [f"table{n}" for n in range(1, 10)]
    filled = {name: fill_card(card, finder) for name in names for card in cards_named(name)}
    records = named_together(["baseline", "sparse_074", "sparse_012"], finder, "lfw", "cosine")
    tables = {name: list(map(report_table, made)) for name, made in filled.items()}
    return tables | {"eval": record_tables(records)}


@needs_tex
@pytest.mark.parametrize("page", TWO_COLUMNS.values(), ids=list(TWO_COLUMNS))
def test_nothing_is_too_wide_or_too_high_in_two_columns(
    papers_tables: dict[str, list[Table]], tmp_path: Path, page: str
) -> None:
    texts = [to_latex(tables, name) for name, tables in papers_tables.items()]
    assert compiled(tmp_path, texts, page) == []


@needs_tex
def test_a_table_that_is_too_wide_is_noticed(tmp_path: Path) -> None:
    wide = r"\begin{table}\begin{tabular}{l}" + "M" * 60 + r"\end{tabular}\end{table}"
    assert any(line.startswith("Overfull") for line in compiled(tmp_path, [wide]))


@needs_tex
def test_whatever_stands_in_its_cells_a_table_fits(tmp_path: Path) -> None:
    cells = ("W" * 12, "96.67 ± 0.36 [96.10, 97.15]", "a_b%c&d#e", "<0.001 ≈", "−1.02 ▼", "1/2 1/4")
    made = [
        to_latex([table(columns, cell, heading=heading)], f"t{columns}{len(cell)}{len(heading)}")
        for cell in cells
        for columns in (1, 2, 3, 5, 8, 13)
        for heading in ("TAR % at FAR", "multiply-adds", "W")
    ]
    assert compiled(tmp_path, made) == []


def table(columns: int, cell: str = "96.67", rows: int = 2, heading: str = "accuracy") -> Table:
    headings = (Column("model", left=True), *(Column(f"{heading} {n}") for n in range(columns)))
    cells = (Cell("sparse_074"), *(Cell(cell) for _ in range(columns)))
    return Table("Title", headings, (TableRow(cells),) * rows)


def test_a_small_table_takes_a_column_and_a_wide_one_the_page() -> None:
    assert r"\begin{table}" in to_latex([table(3)])
    assert r"\begin{table*}" in to_latex([table(9)])


def test_a_table_wider_than_a_page_stands_in_parts_that_lose_no_column() -> None:
    text = to_latex([table(40)])
    assert text.count(r"\begin{table*}") == 1
    assert text.count(r"\begin{tabular}") > 1
    assert [int(n) for n in re.findall(r"accuracy \\\\ (\d+)\}", text)] == list(range(40))
    assert text.count("model") == text.count(r"\begin{tabular}")


def test_a_table_higher_than_a_page_is_several_floats() -> None:
    text = to_latex([table(40, rows=30)], "long")
    assert text.count(r"\begin{table*}") == text.count(r"\begin{tabular}") > 1
    assert "Title (continued)" in text
    assert len(set(re.findall(r"\\label\{.*\}", text))) == text.count(r"\begin{table*}")


def test_widths_are_those_of_the_narrower_documents() -> None:
    assert NARROW < 3.25 * 72.27
    assert WIDE < 6.75 * 72.27


def test_chosen_columns_and_rows_stand_in_the_order_asked_for() -> None:
    columns = tuple(map(Column, ("model", "size", "LFW accuracy %", "AUC %")))
    rows = [TableRow(tuple(map(Cell, (name, "1", "2", "3")))) for name in ("a_1", "a_2", "b")]
    whole = Table("", columns, tuple(rows))
    shown = Choice(("ACCURACY", "size"), ("b", "a_*")).of(whole)
    assert shown.headings == ("model", "LFW accuracy %", "size")
    assert [row.cells[0].text for row in shown.rows] == ["b", "a_1", "a_2"]
    assert [cell.text for cell in shown.rows[0].cells] == ["b", "2", "1"]
    assert Choice().of(whole) == whole


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(columns=("acuracy",)), "--columns 'acuracy': is none of accuracy; did you mean"),
        (Choice(rows=("spars_4",)), "--rows 'spars_4': is none of sparse_074"),
    ],
)
def test_what_no_table_has_is_said(choice: Choice, said: str) -> None:
    columns = (Column("model"), Column("accuracy"))
    tables = [Table("", columns, (TableRow((Cell("sparse_074"), Cell("1"))),))]
    with on_command_line(), pytest.raises(UserError, match=re.escape(said)):
        choice.require(tables)


@pytest.mark.parametrize(
    ("digits", "share", "difference"),
    [(0, "97", "−1"), (1, "96.6", "−0.5"), (None, "96.65", "−0.55"), (4, "96.6467", "−0.5467")],
)
def test_digits_are_of_the_number_and_not_of_its_text(
    digits: int | None, share: str, difference: str
) -> None:
    with places(digits):
        assert (percent(0.966467), points(-0.005467)) == (share, difference)
    assert percent(0.966467) == "96.65"
