"""Reports as Markdown, HTML, CSV and LaTeX: complete, and names stay names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.reports.build import fill_card, with_rows
from facebench.reports.card import load_report
from facebench.reports.cells import FilledCard
from facebench.reports.formats import FORMATS, render_records, render_report
from facebench.reports.html import policy_for
from facebench.reports.table import report_table
from facebench.tables import latex
from facebench.tables.table import EVERYTHING
from tests.tables.test_html import LOADING, Page

MakeRecord = Callable[..., Record]
EVIL = "<script>alert(1)</script>|`a`_b_\\end{table}%$x$&\"'"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and cache."""
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def tables(make_record: MakeRecord, tmp_path: Path) -> list[FilledCard]:
    """A free comparison of a plain model and one with a wild name, on both kinds of faces."""
    for kind in ("real", "synthetic"):
        for seed, model in enumerate(("plain", EVIL)):
            made = make_record(model, kind=kind, seed=seed, per_kind=40, draws=20)
            save_record(made, tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    return fill_card(with_rows(load_report("compare"), finder, ["plain", EVIL]), finder)


def paper_tables() -> list[FilledCard]:
    return fill_card(load_report("table9"), Finder.of(cache=False))


def test_every_format_labels_synthetic_faces(tables: list[FilledCard]) -> None:
    for format in FORMATS:
        text = render_report(format, tables, "Comparison")
        plain = text.replace("\\", "").replace("$", "")
        assert "no number here is about real faces" in plain
        assert format == "csv" or SYNTHETIC_LABEL in plain


def test_markdown_has_one_line_per_row_and_no_markup_of_names(tables: list[FilledCard]) -> None:
    text = render_report("md", tables, "Comparison")
    assert "<script" not in text and "`a`" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    bars = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert len(rows) == 2 * 4 and len(set(bars)) == 1
    assert text.count("\n### ") + text.startswith("### ") == 2


def test_markdown_shows_the_papers_value_and_the_commands() -> None:
    text = render_report("md", paper_tables(), "Table 9")
    row = "| sparse\\_074<br><sub>Sparse ConvNet</sub> |"
    assert f"{row} 6.7 MB | missing<br>paper 92.70 | missing<br>paper 72.60 |" in text
    assert "| OpenBR | – | paper 43.30 | paper 23.60 | paper 10.40 |" in text
    assert "facebench eval --model baseline --model sparse_074 --protocol ijba\n" in text


def test_html_keeps_names_as_text_and_loads_nothing(tables: list[FilledCard]) -> None:
    text = render_report("html", tables, "Comparison")
    parsed = Page(text)
    assert not parsed.open
    assert [tag for tag, _ in parsed.elements].count("script") == 1
    assert EVIL in "".join(parsed.text)
    for tag, attributes in parsed.elements:
        assert tag not in {"iframe", "object", "embed", "img", "base", "form", "link"}
        loading = {name for name in LOADING & set(attributes) if name != "href"}
        assert not loading
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import|https?://", text)


def test_html_allows_its_own_script_by_hash_only(tables: list[FilledCard]) -> None:
    text = render_report("html", tables, "Comparison")
    (policy,) = [a["content"] for _, a in Page(text).elements if a.get("http-equiv")]
    script = text.split("<script>")[1].split("</script>")[0]
    assert policy == policy_for(script)
    assert "'unsafe-inline'" not in policy.split("script-src")[1]
    assert policy.startswith("default-src 'none'")


def test_html_is_a_table_to_a_screen_reader(tables: list[FilledCard]) -> None:
    parsed = Page(render_report("html", tables, "Comparison"))
    tags = parsed.elements
    sortable = [a for tag, a in tags if tag == "th" and "aria-sort" in a]
    shown = [report_table(table).parts[0].columns for table in tables]
    assert len(sortable) == sum(map(len, shown))
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    controlled = [a["aria-controls"] for _, a in tags if "aria-controls" in a]
    assert set(controlled) <= set(ids) and len(controlled) == 4
    drawings = [a for tag, a in tags if tag == "svg"]
    assert drawings and all(a["role"] == "img" and a["aria-label"] for a in drawings)


def test_html_draws_differences_sizes_and_curves_once_per_table(tables: list[FilledCard]) -> None:
    labels = [
        a["aria-label"]
        for tag, a in Page(render_report("html", tables, "Comparison")).elements
        if tag == "svg"
    ]
    assert [label.split()[0] for label in labels] == ["Paired", "LFW", "ROC", "DET"] * 2


def test_csv_has_every_cell_in_full(tables: list[FilledCard]) -> None:
    lines = list(csv.DictReader(io.StringIO(render_report("csv", tables, "Comparison"))))
    cells = [cell for table in tables for row in table.rows for cell in row.cells]
    assert len(lines) == len(cells)
    for line, cell in zip(lines, cells, strict=True):
        assert line["value"] == ("" if cell.value is None else str(cell.value))
        if cell.record is not None:
            assert line["digest"] == cell.record.digest()
            assert line["data_kind"] == cell.record.data.kind


def test_csv_gives_the_papers_shares() -> None:
    lines = list(csv.DictReader(io.StringIO(render_report("csv", paper_tables(), "Table 9"))))
    found = {(line["row"], line["column"]): line["paper"] for line in lines}
    assert found["Sparse ConvNet", "tar_001"] == "0.46"
    assert {line["paper_source"].split(", ")[-1] for line in lines if line["paper"]} == {"Table 9"}


def test_csv_text_is_no_formula(make_record: MakeRecord, tmp_path: Path) -> None:
    save_record(make_record("=1+1", per_kind=4, draws=0), tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    text = render_report("csv", fill_card(with_rows(load_report("compare"), finder), finder), "")
    (line, *_) = csv.DictReader(io.StringIO(text))
    assert line["model"] == "'=1+1"


@pytest.mark.parametrize("character", list('\\{}$&#%_^~<>|"'))
def test_latex_acts_on_no_character(character: str) -> None:
    escaped = latex.escape(f"a{character}b")
    bare = re.sub(r"\\text\w+\{\}|\\[{}$&#%_]", "", escaped)
    assert bare == "ab"


def test_latex_is_balanced_whatever_the_names(tables: list[FilledCard]) -> None:
    text = render_report("latex", tables, "Comparison")
    assert text.count(r"\begin{table") == text.count(r"\end{table") == 2
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count("{tabular}") / 2
    bare = re.sub(r"\\.", "", text)
    assert bare.count("{") == bare.count("}")
    bodies = re.findall(r"\\midrule\n(.*?)\\bottomrule", text, re.S)
    specs = re.findall(r"\\begin\{tabular\}\{@\{\}(.*?)@\{\}\}\n", text)
    columns = [len(re.findall(r"[lr]|p\{.*?\}", spec)) for spec in specs]
    for body, number in zip(bodies, columns, strict=True):
        for line in body.strip().splitlines():
            assert len(re.findall(r"(?<!\\)&", line)) == number - 1


def test_latex_has_ours_the_papers_and_the_difference(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    save_record(make_record("baseline", per_kind=40, draws=20), tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    tables = fill_card(load_report("table3"), finder)
    text = render_report("latex", tables, "Table 3")
    first = tables[0].rows[0].cells
    value = next(cell.value for cell in first if cell.column.key == "accuracy")
    difference = f"{100 * (value - 0.9895):.2f}".replace("-", "$-$")
    assert re.search(rf"{100 * value:.2f} \$\\pm\$ \S+ & 98.95 & {re.escape(difference)}", text)


def test_records_in_every_format(make_record: MakeRecord) -> None:
    records = [make_record(model, seed=seed, per_kind=40) for seed, model in enumerate((EVIL, "b"))]
    for format in FORMATS:
        text = render_records(format, records, EVERYTHING)
        assert "b" in text
        assert format in ("csv", "html") or "<script" not in text
    assert r"\toprule" in render_records("latex", records, EVERYTHING)
