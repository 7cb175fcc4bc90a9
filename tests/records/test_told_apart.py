"""Records of one model that stand beside each other: what lines and tables call them."""

from __future__ import annotations

from pathlib import Path

import pytest

import facebench
from facebench.comparison.compare import compare_records
from facebench.figures.curves.layout import layout_of
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rules
from facebench.protocols.kinds.verification import SINGLE_FACES
from facebench.records.files import save_record
from facebench.records.record import Record
from facebench.tables.history import history_table
from facebench.tables.html import to_html
from facebench.tables.paired.comparison import comparison_table
from facebench.tables.records import record_table
from tests.comparison.test_compare import changed
from tests.helpers.records import MakeRecord


@pytest.fixture
def base(make_record: MakeRecord) -> Record:
    return make_record("sparse_074", per_kind=20, draws=0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([{}, {"similarity": "joint-bayesian(1)"}], ["cosine", "joint-bayesian"]),
        (
            [{"similarity": "joint-bayesian(1)"}, {"similarity": "joint-bayesian(2)"}],
            ["joint-bayesian(1)", "joint-bayesian(2)"],
        ),
        ([{}, {"pooling": "mean-score, all frames"}], [SINGLE_FACES, "mean-score, all frames"]),
        (
            [{}, {"similarity": "projection(1)", "pooling": "media"}],
            [f"cosine; {SINGLE_FACES}", "projection; media"],
        ),
        (
            [{}, {"alignment": "template-crop"}],
            ["landmarks-5pt(0f1e2d3c)->similarity", "template-crop"],
        ),
        ([{}], [""]),
        ([{}, {}], ["", ""]),  # the same record twice
    ],
)
def test_records_of_one_model_are_told_apart(
    base: Record, fields: list[dict[str, str]], said: list[str]
) -> None:
    """By what differs, and nothing else; the other model in the middle needs no more."""
    records = [changed(base, **own) for own in fields]
    other = changed(base, model=base.model.model_copy(update={"id": "other"}))
    result = gated(parse_rules(["lfw.accuracy >= 0.5"]), [], [records[0], other, *records[1:]])
    assert [v.settings for v in result.verdicts] == [said[0], "", *said[1:]]
    bracketed = f"sparse_074 ({said[0]}): " if said[0] else "sparse_074: "
    assert result.verdicts[0].line.startswith(bracketed)


def test_editions_weights_and_the_rest_tell_records_apart_too(base: Record) -> None:
    card = base.protocol.model_copy(update={"edition": "+12345678"})
    rule = parse_rules(["lfw.accuracy >= 0.5"])
    own = gated(rule, [], [base, changed(base, protocol=card)]).verdicts
    assert [v.subject for v in own] == ["sparse_074 (v1)", "sparse_074 (v1+12345678)"]
    weights = base.model.model_copy(update={"weights_hash": "12" * 32})
    both = [base, changed(base, model=weights, similarity="joint-bayesian(1)")]
    of_model = gated(parse_rules(["bytes <= 30MB"]), [], both).verdicts
    assert [v.settings for v in of_model] == ["weights abababab", "weights 12121212"]
    later = changed(base, facebench="0.9.9")
    told = gated(rule, [], [base, later]).verdicts
    assert [v.settings for v in told] == [f"record {one.digest()[:8]}" for one in (base, later)]


def test_two_records_of_one_model_have_two_names(base: Record, tmp_path: Path) -> None:
    """In a table, a comparison and a history, as in a gate."""
    later = base.run.model_copy(update={"created": "2026-09-09T00:00:00+00:00"})
    model = base.model.model_copy(update={"weights_hash": "12" * 32})
    other = changed(base, model=model, run=later)
    (compared,) = compare_records(base, [other])
    sheet = comparison_table(compared)
    names = ("sparse_074 (weights abababab)", "sparse_074 (weights 12121212)")
    assert sheet.headings[1:3] == names
    assert sheet.title.startswith(f"{names[1]} against {names[0]} · ")
    for record in (base, other):
        save_record(record, tmp_path)
    (history,) = facebench.history(tmp_path)
    told = ["weights abababab", "weights 12121212"]
    assert [row.cells[0].detail for row in history_table(history).rows] == told
    assert [row.cells[0].detail for row in record_table([base, other]).rows] == told
    assert record_table([base]).rows[0].cells[0].detail == ""


def test_runs_of_one_name_differ_in_figures_and_notes(make_record: MakeRecord) -> None:
    """Curves, the sentences below a history, the picture of what changed."""
    one, other = (
        make_record(
            "m", strength=strength, weights=weights * 64, draws=20, created=f"2026-01-0{day}"
        )
        for day, (strength, weights) in enumerate(((3.5, "a"), (2.2, "b")), start=1)
    )
    labels = [curve.label for curve in layout_of([one, other]).curves]
    assert labels == ["m (weights aaaaaaaa)", "m (weights bbbbbbbb)"]
    (found,) = facebench.history([one, other])
    assert history_table(found).verdict[0].startswith("m (weights bbbbbbbb) is the first to fall")
    page = to_html([record_table([one, other])], "x")
    assert all(f"<summary>m (weights {letter * 8})" in page for letter in "ab")


def test_a_run_that_went_back_has_its_number(make_record: MakeRecord) -> None:
    one, other = (
        make_record("m", per_kind=20, draws=0, created=f"2026-01-0{day}", weights=weights * 64)
        for day, weights in enumerate("ab", start=1)
    )
    again = one.model_copy(update={"run": one.run.model_copy(update={"again": "2026-01-03"})})
    (found,) = facebench.history([again, other])
    first, second, last = found.names
    assert second == "m (weights bbbbbbbb)"
    assert (first, last) == ("m (weights aaaaaaaa; run 1)", "m (weights aaaaaaaa; run 3)")
