"""Comparison of records: what is paired, what is refused, and what is said of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.compare import compare_records
from facebench.comparison.paired import paired_statistics
from facebench.records.comparability import require_comparable, signature_differences
from facebench.records.record import Record, signature_of
from facebench.records.scores import ScoreTable
from facebench.statistics.paired import mcnemar_exact
from facebench.tables.html import to_html
from facebench.tables.markdown import to_markdown
from facebench.tables.paired.comparison import comparison_table, comparisons_csv, comparisons_json
from tests.helpers.records import MakeRecord


def changed(record: Record, **fields: object) -> Record:
    """The record with other fields, its signature made again, and its scores."""
    values = dict(record) | fields
    values["signature"] = signature_of(Record.model_construct(**values))  # type: ignore[arg-type]
    other = Record.model_validate(values)
    return other.with_table(record.table) if record.table else other


def with_decisions(record: Record, rows: np.ndarray) -> Record:
    """The record with the decisions of some comparisons turned round, and their scores moved."""
    table = record.table
    assert table is not None
    decisions, scores = table.decisions.copy(), table.scores.copy()
    decisions[rows] = ~decisions[rows]
    scores[rows] -= 0.5
    return record.with_table(
        ScoreTable(
            scores, decisions, table.mated, table.folds, table.left_subjects, table.right_subjects
        )
    )


def test_signature_differences_name_each_word() -> None:
    found = signature_differences("data:a|align:x->y:z|rule:r", "data:b|align:x->y:z|flip:f")
    assert [str(difference) for difference in found] == [
        "data a against b",
        "rule r against -",
        "flip - against f",
    ]
    assert signature_differences("data:a", "data:a") == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alignment": "template"}, "alignment landmarks-5pt(0f1e2d3c)->similarity against templ"),
        ({"data": "other"}, "data lfw-0123456789abcdef against lfw-other"),
        ({"protocol": "other"}, "protocol lfw.v1 against lfw.v2"),
    ],
)
def test_records_of_other_settings_are_refused_in_one_line(
    make_record: MakeRecord, fields: dict[str, str], said: str
) -> None:
    base = make_record("baseline", per_kind=20, draws=0)
    other: dict[str, object] = dict(fields)
    if "data" in fields:
        other["data"] = base.data.model_copy(update={"fingerprint": "lfw-other"})
    if "protocol" in fields:
        other["protocol"] = base.protocol.model_copy(update={"version": 2})
    with pytest.raises(UserError) as caught:
        compare_records(base, [changed(base, **other)])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rendered_faces_are_never_compared_with_photographs(make_record: MakeRecord) -> None:
    with pytest.raises(UserError, match="never compared"):
        require_comparable(
            make_record(per_kind=20, draws=0), make_record(kind="synthetic", per_kind=20, draws=0)
        )


def test_other_settings_are_told(make_record: MakeRecord) -> None:
    base = make_record("baseline", per_kind=20, draws=0)
    (found,) = compare_records(base, [changed(base, similarity="joint-bayesian")])
    assert [difference.word for difference in found.settings] == ["similarity"]
    assert "similarity cosine against joint-bayesian" in "\n".join(comparison_table(found).notes)


def test_every_statistic_is_compared(make_record: MakeRecord) -> None:
    base = make_record("baseline", seed=0, per_kind=60, draws=0)
    worse = make_record("small", seed=1, strength=2.0, per_kind=60, draws=0)
    (found,) = compare_records(base, [worse])
    names = [statistic.statistic for statistic in found.statistics]
    assert names == ["accuracy", "auc", "eer", "TAR@FAR=0.1", "TAR@FAR=0.01", "TAR@FAR=0.001"]
    assert base.table is not None and worse.table is not None
    exact = mcnemar_exact(base.table.correct, worse.table.correct)
    assert found.statistics[0].mcnemar == exact.p_value
    assert [s.mcnemar for s in found.statistics[1:]] == [None] * 5
    assert all(s.over_subjects for s in found.statistics)
    assert "McNemar's exact test of the decisions: p < 0.001; it takes comparisons" in "\n".join(
        comparison_table(found).reading
    )
    for statistic in found.statistics:
        assert statistic.interval is not None
        assert statistic.interval.low <= statistic.difference <= statistic.interval.high
        assert statistic.difference == statistic.candidate - statistic.base
    assert found.statistics[0].verdict == "worse"
    assert found.statistics[1].verdict == "worse"
    # A larger EER is worse, though the number rises.
    assert found.statistics[2].difference > 0 and found.statistics[2].verdict == "worse"


def test_changed_pairs_are_named_each_way(make_record: MakeRecord) -> None:
    base = make_record("baseline", per_kind=30, draws=0)
    assert base.table is not None
    right, wrong = np.flatnonzero(base.table.correct), np.flatnonzero(~base.table.correct)
    rows = np.concatenate([right[[3, 7]], wrong[:1]])
    (found,) = compare_records(base, [with_decisions(base, rows)])
    assert set(found.worse) == set(right[[3, 7]].tolist())
    assert set(found.better) == set(wrong[:1].tolist())
    assert found.changed is not None
    assert (found.changed.only_a, found.changed.only_b) == (2, 1)
    caption = "\n".join(comparison_table(found).notes)
    assert "3 of 600 comparisons changed: 2 right only with baseline" in caption
    values = json.loads(comparisons_json([found]))[0]["changed"]
    assert [pair["position"] for pair in values["better"]] == wrong[:1].tolist()


def test_the_same_scores_of_another_model_are_bounded_by_the_people(
    make_record: MakeRecord,
) -> None:
    base = make_record("baseline", per_kind=20, draws=0)
    again = make_record("again", per_kind=20, draws=0)
    for found in paired_statistics(base, again):
        assert found.interval is not None and (found.difference, found.p_value) == (0.0, 1.0)
        assert found.interval.low < 0 < found.interval.high
    for found in paired_statistics(base, base):  # one record: nothing was sampled
        assert found.interval is not None and found.interval.kind == "the same record"
        assert (found.interval.low, found.interval.high, found.p_value) == (0.0, 0.0, 1.0)


def test_no_changed_decision_is_no_proof_where_comparisons_are_few(
    make_record: MakeRecord,
) -> None:
    base = make_record("baseline", per_kind=20, draws=0)
    table = base.table
    assert table is not None
    moved = make_record("moved", per_kind=20, draws=0).with_table(
        ScoreTable(
            table.scores * 1.01,
            table.decisions,
            table.mated,
            table.folds,
            table.left_subjects,
            table.right_subjects,
        )
    )
    (found,) = paired_statistics(base, moved, ["accuracy"])
    assert found.interval is not None
    people = np.unique(table.left_subjects).size  # type: ignore[arg-type]
    assert found.interval.high == pytest.approx(1 - 0.025 ** (1 / people))
    assert found.interval.low == -found.interval.high


def test_records_without_scores_are_compared_by_number_only(make_record: MakeRecord) -> None:
    base, other = make_record("a", per_kind=20, draws=0), make_record("b", per_kind=20, draws=0)
    (found,) = compare_records(base, [Record.model_validate(other.model_dump())])
    assert all(statistic.interval is None for statistic in found.statistics)
    why = found.statistics[0].why
    assert why.startswith("the scores of b, b-") and why.endswith("are not beside its record")
    assert found.changed is None and found.statistics[0].verdict == "unknown"


def test_an_unresolvable_target_is_marked(make_record: MakeRecord) -> None:
    base = make_record("a", per_kind=20, draws=0)
    other = make_record("b", seed=1, per_kind=20, draws=0)
    (found,) = compare_records(base, [other])
    assert [s.resolvable for s in found.statistics] == [True, True, True, True, True, False]


def test_a_statistic_that_is_not_there_is_refused(make_record: MakeRecord) -> None:
    base = make_record(per_kind=20, draws=0)
    with pytest.raises(UserError, match=r"no 'rank-1'"):
        paired_statistics(base, base, ["rank-1"])


def test_formats_agree_and_names_stay_text(make_record: MakeRecord) -> None:
    base = make_record("<script>", per_kind=30, draws=0)
    other = make_record("=b|c", seed=3, strength=3.0, per_kind=30, draws=0)
    compared = compare_records(base, [other])
    sheets = [comparison_table(one) for one in compared]
    html, markdown = to_html(sheets, "x"), to_markdown(sheets)
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "<script" not in markdown and "=b\\|c" in markdown
    lines = list(csv.DictReader(io.StringIO(comparisons_csv(compared))))
    values = json.loads(comparisons_json(compared))[0]["statistics"]
    assert [float(line["difference"]) for line in lines] == [v["difference"] for v in values]
    assert lines[0]["candidate_model"] == "'=b|c"


def test_synthetic_faces_are_labelled(make_record: MakeRecord) -> None:
    base = make_record("a", kind="synthetic", per_kind=20, draws=0)
    other = make_record("b", kind="synthetic", seed=1, per_kind=20, draws=0)
    (found,) = compare_records(base, [other])
    text = to_markdown([comparison_table(found)])
    assert "SYNTHETIC FACES" in text and "NOTICE" in text
    assert json.loads(comparisons_json([found]))[0]["data"]["kind"] == "synthetic"


def test_a_failure_to_acquire_is_no_number_in_json(make_record: MakeRecord) -> None:
    base = make_record("a", per_kind=20, draws=0)
    other = make_record("b", failures=5, per_kind=20, draws=0)
    with pytest.raises(UserError):
        require_comparable(base, make_record("c", per_kind=10, draws=0))
    (found,) = compare_records(base, [other])
    values = json.loads(comparisons_json([found]))[0]["changed"]["worse"]
    assert values and all(pair["candidate_score"] is None for pair in values[:1])


def test_a_score_that_is_not_there_is_no_minus_infinity(make_record: MakeRecord) -> None:
    one = make_record("a", per_kind=20, draws=0)
    other = make_record("b", failures=5, per_kind=20, draws=0)
    for kind, word in (("verification", "not acquired"), ("identification", "not first")):
        protocol = one.protocol.model_copy(update={"kind": kind})
        comparison = compare_records(one, [other])[0]
        shown = replace(comparison, base=changed(one, protocol=protocol))
        notes = " ".join(comparison_table(shown).reading)
        assert f"→ {word}" in notes and "inf" not in notes.replace("information", "")


def test_the_legend_says_which_statistic_has_the_marks(make_record: MakeRecord) -> None:
    base, other = (make_record(name, seed=n, per_kind=20) for n, name in enumerate("ab"))
    (found,) = compare_records(base, [other])
    (several,) = (note for note in comparison_table(found).notes if note.startswith("▲"))
    assert "≈ not told apart, by accuracy only: paired over people" in several
    alone = replace(found, statistics=found.statistics[:1])
    (single,) = (note for note in comparison_table(alone).notes if note.startswith("▲"))
    assert "≈ not told apart: paired over people" in single
