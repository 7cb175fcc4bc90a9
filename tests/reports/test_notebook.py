"""What results show in a notebook."""

from __future__ import annotations

from typing import Any

import pytest

import facebench
from facebench.comparison.power import power
from facebench.records.frames import Results, Shown
from facebench.tables.html import to_fragment
from facebench.tables.table import Cell, Table, columns_of, rows_of
from tests.helpers.records import MakeRecord

SCORES, MATED = [0.9, 0.8, 0.35, 0.7, 0.2, 0.4, 0.1, 0.5], [True] * 4 + [False] * 4
FOLDS = [1, 1, 2, 2, 1, 1, 2, 2]


@pytest.fixture
def shown(make_record: MakeRecord) -> dict[str, Any]:
    base, other = (make_record(f"m{seed}", seed=seed, per_kind=20) for seed in (0, 1))
    compared = facebench.compare(base, other)
    scores = facebench.compare_scores(SCORES, SCORES[::-1], MATED, FOLDS)
    return {
        "record": base,
        "records": Results([base, other]),
        "comparison": compared[0],
        "comparisons": compared,
        "power": power([base, other], drop=0.01),
        "one of power": power([base, other], drop=0.01)[0],
        "degradation": facebench.degradation([base, other]),
        "threshold": facebench.threshold(base, far=0.05, draws=0),
        "worst errors": facebench.worst(base),
        "most hit": facebench.worst(base, other),
        "history": facebench.history([base, other]),
        "gate": facebench.judge([base, other], ["lfw.accuracy >= 0.5"]),
        "scores": facebench.verification(SCORES, MATED, FOLDS),
        "searches": facebench.identification([[0.9, 0.1], [0.2, 0.3]], ["a", "b"], ["a", "b"]),
        "score comparison": scores,
        "report": facebench.report("compare", models=["baseline"]),
    }


SAYS = {
    "record": "view 2",
    "records": "vs m",
    "comparison": "m1 against m0",
    "comparisons": "not told apart",
    "power": "smallest seen",
    "one of power": "m1 against m0",
    "degradation": "on degraded faces",
    "threshold": "minCllr",
    "worst errors": "labels first",
    "most hit": "whom m1 hits most",
    "history": "history of accuracy",
    "gate": "✓ pass",
    "scores": "8 scores, 4 of them mated",
    "searches": "rank-1",
    "score comparison": "candidate against the base",
    "report": "baseline",
}


@pytest.mark.parametrize("what", SAYS)
def test_every_result_shows_its_tables_as_a_part_of_a_page(
    shown: dict[str, Any], what: str
) -> None:
    html = shown[what]._repr_html_()
    assert html.count("<table") == html.count("</table>") >= 1
    assert SAYS[what] in html
    assert not any(tag in html for tag in ("<!doctype", "<style", "<script", "<body", "<link"))


def test_records_of_one_data_set_stand_in_one_table(shown: dict[str, Any]) -> None:
    html = shown["records"]._repr_html_()
    assert html.count("<section") == 1 and html.count("<table") == 2  # the second one is folded


def test_rendered_faces_are_labelled_and_names_are_text(make_record: MakeRecord) -> None:
    record = make_record("<b>bold</b>", kind="synthetic", per_kind=20)
    html = record._repr_html_()
    assert html is not None and "NOTICE" in html and "SYNTHETIC FACES" in html
    assert "<b>bold" not in html and "&lt;b&gt;bold" in html


def test_what_the_scores_are_too_few_for_is_said(shown: dict[str, Any]) -> None:
    assert "too few non-mated comparisons for TAR@FAR=0.1" in shown["scores"]._repr_html_()
    assert "right only with the base" in shown["score comparison"]._repr_html_()


def test_without_the_public_layer_nothing_is_shown(
    shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shown, "writer", None)
    assert shown["record"]._repr_html_() is None


def test_letters_in_cells_are_explained_and_lines_of_a_cell_stay_apart() -> None:
    cell = Cell("96.92", "[96.35, 97.37]", letters="a", paper="98.95", difference="−2.05")
    rows = rows_of((Cell("view 2"), cell))
    html = to_fragment([Table("t", columns_of("", "lfw"), rows, footnotes=(("a", "one crop"),))])
    lines = "".join(html.split("\n"))
    assert (
        "96.92<sup>a</sup><br><small>[96.35, 97.37]</small><br><small>paper 98.95</small>" in lines
    )
    assert "<li><sup>a</sup> one crop</li>" in lines
