"""README and docs hold no figure that does not come from the committed records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.reports.documents import PLACE, Documents, main

CHECKOUT = Path(__file__).parents[2]
WRITTEN = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
# ± with a number, a difference in points, an interval, a p-value, a rate with two places.
TYPED = re.compile(
    r"±\s*\d|[+−]\d+\.\d|\[[+−-]?\d+\.\d+, |\bp\s*[=<≈]|\b\d{2}\.\d{2}\b|\d times quicker"
)
CODE = re.compile(r"```.*?```|`[^`\n]*`|^ {4}.*$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.shipped_results


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(CHECKOUT / "docs" / "tables")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_every_table_and_figure_is_that_of_the_records(documents: Documents, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert documents.renewed(text) == text, f"{path.name}: `make tables` renews it"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_no_measured_figure_is_typed(path: Path) -> None:
    prose = CODE.sub("", PLACE.sub("", path.read_text(encoding="utf-8")))
    assert [line for line in prose.splitlines() if TYPED.search(line)] == []


def test_a_figure_changed_by_hand_is_found_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(CHECKOUT)
    page = tmp_path / "page.md"
    place = "<!-- figure zoo sparse_074 held_out -->"
    page.write_text(f"It errs in {place}9.99<!-- end -->% of them.\n", encoding="utf-8")
    assert main(["--check", str(page)]) == 1 and "out of date" in capsys.readouterr().out
    assert "9.99" in page.read_text(encoding="utf-8")
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == f"It errs in {place}10.60<!-- end -->% of them.\n"
    assert main(["--check", str(page)]) == 0


def test_rows_of_a_csv_file_are_shown_as_their_card_says(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(
        "run,faces,error,change,low,high\na_b,1200,0.16444,-0.02886,-0.041,-0.01672\n"
        "open,1200,,,,\nlast,,0.5,,,\n",
        encoding="utf-8",
    )
    (tmp_path / "runs.toml").write_text(
        'needs = "error"\ncolumns = [\n{ heading = "run", fields = ["run"] },\n'
        '{ heading = "faces", fields = ["faces"], form = "count" },\n'
        '{ heading = "%", fields = ["error"], form = "percent" },\n'
        '{ heading = "share", fields = ["error"], form = "share" },\n'
        '{ heading = "by", fields = ["change", "low", "high"], form = "points" },\n]\n',
        encoding="utf-8",
    )
    written = Documents(tmp_path).renewed("<!-- rows runs --><!-- end -->").splitlines()
    assert written[2:-2] == [
        "| run | faces | % | share | by |",
        "| :--- | ---: | ---: | ---: | ---: |",
        r"| a\_b | 1,200 | 16.44 | 0.164 | −2.89 \[−4.10, −1.67\] |",
        "| last | – | 50.00 | 0.500 | – |",
    ]
    (tmp_path / "runs.csv").write_text("run,faces\na,1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"runs.csv has no field 'error'"):
        Documents(tmp_path).renewed("<!-- rows runs --><!-- end -->")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("figure zoo sparse_75 held_out", "has no model 'sparse_75'; did you mean 'sparse_076'"),
        ("figure zoo sparse_074 heldout", "has no column 'heldout'; did you mean 'held_out'"),
        ("table taylor synthetic", "no records of synthetic faces for table 'taylor'"),
        ("table zooo", "no report 'zooo'"),
        ("figure zoo", "figure zoo: needs"),
        ("rows ablations", "ablations.toml"),
    ],
)
def test_a_place_that_asks_for_nothing_is_told(
    documents: Documents, place: str, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        documents.renewed(f"<!-- {place} --><!-- end -->")
