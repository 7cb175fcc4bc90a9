"""The index of a group: what is measured and missing, its links, and nothing loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.reports.build import fill_card
from facebench.reports.card import groups, load_report
from facebench.reports.cells import FilledCard
from facebench.reports.formats import render_index, render_report
from facebench.reports.index import index_html, index_lines, index_markdown, summary_of
from facebench.reports.verdict.group import group_verdict
from tests.tables.test_html import LOADING, Page

MakeRecord = Callable[..., Record]
FILES = [("html", ".html"), ("md", ".md"), ("csv", ".csv"), ("latex", ".tex")]
Reports = list[tuple[str, list[FilledCard]]]


@pytest.fixture
def reports(make_record: MakeRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reports:
    """Tables 1 and 3, of which one model was measured on both kinds of faces."""
    monkeypatch.chdir(tmp_path)
    for kind in ("real", "synthetic"):
        made = make_record("baseline", kind=kind, per_kind=40, draws=20)
        save_record(made, tmp_path / "records")
    finder = Finder.of([tmp_path / "records"], cache=False)
    return [(name, fill_card(load_report(name), finder)) for name in ("table1", "table3")]


def test_every_table_has_a_line_with_its_cells(reports: Reports) -> None:
    lines = index_lines(reports, FILES)
    order = {"real": 0, None: 1, "synthetic": 2}
    tables = sorted((t for _, made in reports for t in made), key=lambda t: order[t.kind])
    assert [line.title for line in lines] == [table.title for table in tables]
    for line, table in zip(lines, tables, strict=True):
        cells = [cell for row in table.rows for cell in row.cells]
        assert line.measured == sum(cell.value is not None for cell in cells)
        assert line.missing == sum(bool(cell.missing) for cell in cells)
        assert line.measured + line.missing <= len(cells)
        assert 0 <= line.ready <= line.missing
    by_faces = {line.faces for line in lines}
    assert {"photographs", "synthetic (rendered)"} <= by_faces


def test_titles_lead_to_their_section(reports: Reports) -> None:
    third = [line for line in index_lines(reports, FILES) if "table3" in line.page]
    assert [line.page for line in third] == ["table3.html#t1", "table3.html#t2"]
    assert third[0].files[-1] == ("latex", "table3.tex")
    pages = [line.page for line in index_lines(reports, FILES[1:])]
    assert pages == ["table3.md", "table1.md", "table3.md"]
    page = render_report("html", reports[1][1], "Table 3")
    assert 'id="t2"' in page


def test_synthetic_faces_are_counted_apart(reports: Reports) -> None:
    summary = summary_of(index_lines(reports, FILES))
    counted = re.findall(r"(\d+) of (\d+) cells", summary)
    assert len(counted) == 2 and "of synthetic faces" in summary
    assert all(int(some) <= int(most) for some, most in counted)


def test_the_page_loads_nothing_and_links_to_the_files(reports: Reports) -> None:
    text = render_index("html", reports, FILES, "paper")
    parsed = Page(text)
    assert not parsed.open
    links = {a["href"] for tag, a in parsed.elements if tag == "a"}
    assert {"table1.html", "table3.md", "table3.csv", "table3.tex"} <= links
    assert all(re.fullmatch(r"[a-z0-9_-]+\.\w+(#t\d+)?", link or "") for link in links)
    for tag, attributes in parsed.elements:
        assert tag not in {"script", "link", "iframe", "img", "base", "form"}
        assert not (LOADING - {"href"}) & set(attributes)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "facebench eval" in text


def test_what_no_command_measures_yet_is_told_apart() -> None:
    """Models that have no weights: nobody can evaluate them today."""
    card = load_report("taylor")
    text = render_index("html", [("taylor", fill_card(card, Finder()))], FILES, "paper")
    assert "Missing for now" in text


def test_markdown_is_one_table_with_links(reports: Reports) -> None:
    text = render_index("md", reports, FILES, "paper")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(index_lines(reports, FILES))
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "(table3.md)" in text and "[csv](table3.csv)" in text
    assert "```sh\nfacebench eval" in text


def test_a_wild_title_stays_text(reports: Reports) -> None:
    name, tables = reports[0]
    evil = "<script>alert(1)</script>|`x`"
    wild = [replace(tables[0], title=evil)]
    page = render_index("html", [(name, wild)], FILES, "paper")
    assert evil in "".join(Page(page).text) and "<script" not in page
    text = render_index("md", [(name, wild)], FILES, "paper")
    assert "<script" not in text


def test_a_page_of_a_group_links_to_the_index(reports: Reports) -> None:
    page = render_report("html", reports[1][1], "Table 3", index="index.html")
    assert "index.html" in {a["href"] for tag, a in Page(page).elements if tag == "a"}
    alone = render_report("html", reports[1][1], "Table 3")
    assert "index.html" not in alone


def test_the_index_has_every_card_of_the_paper() -> None:
    cards = groups()["paper"]
    made: Reports = [(card.name, fill_card(card, Finder.of(cache=False))) for card in cards]
    text = render_index("md", made, FILES, "paper")
    for card in cards:
        assert f"({card.name}.md)" in text


def test_the_index_says_what_came_out_and_what_the_paper_says(
    make_record: MakeRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, (name, strength) in enumerate((("baseline", 4.0), ("sparse_074", 2.0))):
        save_record(
            make_record(name, seed=seed, strength=strength, per_kind=60), tmp_path / "records"
        )
    finder = Finder.of([tmp_path / "records"], cache=False)
    made = [(name, fill_card(load_report(name), finder)) for name in ("table1", "table3", "table9")]
    filled = [one for _, cards in made for one in cards]
    first = next(line for line in index_lines(made, FILES) if "table3" in line.page)
    assert first.here.startswith("sparse_074 is worse than baseline, by ")
    assert first.paper == "In the paper sparse_074 is above its reference, by 0.35 points."
    assert first.same == "opposite"
    said = " ".join(group_verdict(filled))
    assert said.startswith("Of 1 comparison of the paper, measured again: 1 the opposite way")
    assert "(table3)" in said and said.endswith("Not measured yet: table9.")
    for text in (index_html, index_markdown):
        page = text(index_lines(made, FILES), filled, "Reports").replace("\\", "")
        assert page.index("measured again") < page.index("sparse_074 is worse") < page.index("csv")
