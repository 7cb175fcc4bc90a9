"""Verdicts of a gate: on toy records, with each of the three outcomes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.paired import paired_statistics, paired_with_first
from facebench.gate.formats import render_gate
from facebench.gate.judge import GateResult, Verdict, gated
from facebench.gate.rules import parse_rule, parse_rules
from facebench.records.record import Record
from facebench.records.sections import ScoresSection
from facebench.statistics.intervals.exact import Interval
from tests.comparison.test_compare import changed, with_decisions
from tests.helpers.records import MakeRecord
from tests.tables.test_rates import record as rates_record

RULE = "lfw.accuracy drop <= 0.3pt at 95%"


@pytest.fixture
def base(make_record: MakeRecord) -> Record:
    return make_record("sparse_074", strength=6.0, draws=20)


def damaged(record: Record, number: int, name: str = "damaged") -> Record:
    """The record of a model that decides so many more comparisons wrongly."""
    assert record.table is not None
    right = np.flatnonzero(record.table.correct)
    rows = right[:: max(1, right.size // number)][:number]
    worse = with_decisions(record, rows)
    statistics = record.statistics
    assert statistics.kind == "verification"
    accuracy = statistics.accuracy
    value = accuracy.value - number / record.comparisons.total
    return changed(
        worse,
        model=record.model.model_copy(update={"id": name, "weights_hash": "cd" * 32}),
        statistics=statistics.model_copy(
            update={"accuracy": accuracy.model_copy(update={"value": value})}
        ),
    )


def outcome_of(rule: str, base: Record, record: Record) -> Verdict:
    (verdict,) = gated(parse_rules([rule]), [base], [record]).verdicts
    return verdict


def test_a_damaged_model_fails(base: Record) -> None:
    result = gated(parse_rules([RULE]), [base], [damaged(base, 60)])  # one point of 6,000
    assert (result.outcome, result.code) == ("fail", 1)
    assert "damaged: lfw.accuracy drop <= 0.3pt at 95%: −1.00 pt [−" in result.verdicts[0].line


def test_the_same_model_saved_again_passes(base: Record, make_record: MakeRecord) -> None:
    again = make_record("again", strength=6.0, draws=20, created="2026-05-05T00:00:00+00:00")
    result = gated(parse_rules([RULE]), [base], [again])
    assert (result.outcome, result.code) == ("pass", 0)


def test_a_drop_too_small_to_tell_is_undecided(base: Record) -> None:
    result = gated(parse_rules([RULE]), [base], [damaged(base, 12)])  # 0.2 points
    assert (result.outcome, result.code) == ("undecided", 3)
    (verdict,) = result.verdicts
    assert verdict.units_needed == result.to_frame()["units_needed"][0]
    # 12 people lost: an error of sqrt(12) / 6,000, and 0.1 points to the bound; by Student's t,
    # whose quantiles are a little larger, a few more.
    by_hand = base.comparisons.subjects * ((1.96 + 0.8416) * 12**0.5 / 6000 / 0.001) ** 2
    assert verdict.units_needed == pytest.approx(by_hand, rel=0.05)
    clause = r"; about [1-9]\d,000 people would decide it, if the change is as found; there are "
    said = re.compile(f"the comparisons are too few to tell{clause}[0-9,]+")
    assert said.fullmatch(verdict.why)
    for format in ("text", "md", "github", "junit"):
        assert said.search(render_gate(result, format).replace("\\", ""))


def test_of_people_that_nobody_knows_comparisons_would_do(base: Record) -> None:
    pair = (base, damaged(base, 12))
    unknown = [
        record.with_table(replace(record.table, left_subjects=None, right_subjects=None))
        for record in pair
    ]
    (verdict,) = gated(parse_rules([RULE]), unknown[:1], unknown[1:]).verdicts
    assert "000 comparisons would decide it" in verdict.why and "are 6,000" in verdict.why


def test_what_never_changed_says_no_number(base: Record, make_record: MakeRecord) -> None:
    again = make_record("again", strength=6.0, draws=20, created="2026-05-05T00:00:00+00:00")
    again = changed(again, model=again.model.model_copy(update={"weights_hash": "cd" * 32}))
    (verdict,) = gated(
        parse_rules(["lfw.accuracy drop <= 0.01pt at 95%"]), [base], [again]
    ).verdicts
    assert (verdict.outcome, verdict.units_needed) == ("undecided", None)
    assert verdict.why == "the comparisons are too few to tell"


@pytest.mark.parametrize(("choice", "code"), [("fail", 1), ("pass", 0), ("report", 3)])
def test_undecided_is_a_choice(base: Record, choice: str, code: int) -> None:
    rules = parse_rules([RULE], choice)  # type: ignore[arg-type]
    result = gated(rules, [base], [damaged(base, 12)])
    assert result.code == code
    assert result.verdicts[0].outcome == "undecided"


def test_the_worst_outcome_is_the_gates() -> None:
    rule = parse_rule("bytes <= 1MB", "here")
    verdicts = [Verdict(rule, "m", outcome, "") for outcome in ("pass", "undecided", "fail")]  # type: ignore[arg-type]
    assert GateResult(tuple(verdicts), "report").code == 1
    assert GateResult(tuple(verdicts[:2]), "report").code == 3
    assert GateResult(tuple(verdicts[:1]), "report").code == 0


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ("bytes <= 0.75 of baseline", "fail"),
        ("bytes <= 1 of baseline", "pass"),
        ("bytes <= 26.6MB", "pass"),
        ("compression_ratio <= 0.74", "pass"),
        ("kept_parameters >= 14000000", "fail"),
        ("lfw.accuracy >= 0.9", "pass"),
        ("lfw.accuracy >= 99.99% at 95%", "fail"),
        ("lfw.auc >= 99%", "pass"),
        ("lfw.accuracy >= 1 of baseline", "fail"),
        ("lfw.accuracy >= 0.99 of baseline", "pass"),
        ("lfw.accuracy drop <= 0.2pt", "pass"),
        ("lfw.accuracy drop <= 0.19pt", "fail"),
        ("lfw.eer rise <= 5pt at 95%", "pass"),
    ],
)
def test_outcomes_follow_from_the_numbers(base: Record, rule: str, outcome: str) -> None:
    assert outcome_of(rule, base, damaged(base, 12)).outcome == outcome


def test_a_value_within_its_interval_is_undecided(base: Record) -> None:
    statistics = base.statistics
    assert statistics.kind == "verification" and statistics.accuracy.interval is not None
    bound = 100 * (statistics.accuracy.value - 1e-4)
    found = outcome_of(f"lfw.accuracy >= {bound:.4f}% at 95%", base, base)
    assert found.outcome == "undecided"
    assert found.outcome != outcome_of(f"lfw.accuracy >= {bound:.4f}%", base, base).outcome


def test_a_target_finer_than_the_data_is_undecided(make_record: MakeRecord) -> None:
    few = make_record("few", per_kind=20, draws=20)  # 200 non-mated comparisons
    for rule in ("lfw.tar@0.001 >= 0.01", "lfw.tar@0.001 drop <= 5pt at 95%"):
        found = outcome_of(rule, few, few)
        assert found.outcome == "undecided"
        assert found.why == "FAR 0.001 needs 1,000 non-mated comparisons, and there are fewer"


@pytest.mark.parametrize("choice", ["report", "pass", "fail"])
def test_scores_that_are_not_there_are_never_undecided(base: Record, choice: str) -> None:
    """--undecided pass must let nothing through that was never computed."""
    assert base.table is not None
    named = changed(base, scores=ScoresSection.of(base.table, "sparse_074"))
    lost = Record.model_validate(named.model_dump())  # without its table
    never = Record.model_validate(base.model_dump() | {"scores": None})
    rules = parse_rules([RULE], choice)  # type: ignore[arg-type]
    for pair in ((base, lost), (lost, base), (base, never)):
        with pytest.raises(UserError) as caught:
            gated(rules, pair[:1], pair[1:])
        assert "\n" not in str(caught.value) and "evaluate it again" in str(caught.value)
    with pytest.raises(UserError, match="are not beside its record; copy the file there"):
        gated(rules, [base], [lost])
    assert gated(parse_rules(["lfw.accuracy drop <= 0.3pt"]), [base], [lost]).outcome == "pass"


def test_a_record_without_interval_is_never_undecided(make_record: MakeRecord) -> None:
    plain = make_record("plain", per_kind=20)
    statistics = plain.statistics
    assert statistics.kind == "verification"
    bare = statistics.auc.model_copy(update={"interval": None})  # as of earlier versions
    plain = changed(plain, statistics=statistics.model_copy(update={"auc": bare}))
    with pytest.raises(UserError, match="the record of plain has no interval; evaluate it"):
        gated(parse_rules(["lfw.auc >= 0.5 at 95%"], "pass"), [], [plain])
    assert gated(parse_rules(["lfw.auc >= 0.5"]), [], [plain]).outcome == "pass"


@pytest.mark.parametrize("rule", ["bytes <= 1 of baseline", "lfw.auc >= 0.5", RULE])
@pytest.mark.parametrize("which", ["baseline", "candidate"])
def test_what_has_no_seal_passes_no_gate(base: Record, rule: str, which: str) -> None:
    """Else a number is changed, and the seal with which that would be told taken away."""
    other = damaged(base, 2, "one")
    bare = {"baseline": base, "candidate": other}[which].model_copy(update={"seal": None})
    records = (bare, other) if which == "baseline" else (base, bare)
    if which == "baseline" and "auc" in rule:  # needs none
        assert gated(parse_rules([rule]), [records[0]], [records[1]]).code == 0
        return
    with pytest.raises(UserError, match=f"record of {bare.model.id} on lfw has no seal"):
        gated(parse_rules([rule]), [records[0]], [records[1]])


def test_every_model_is_judged(base: Record) -> None:
    result = gated(
        parse_rules([RULE, "bytes <= 1 of baseline"]),
        [base],
        [damaged(base, 60, "one"), damaged(base, 90, "two")],
    )
    assert [v.model for v in result.verdicts] == ["one", "two", "one", "two"]


def test_a_fact_of_a_model_is_judged_once(base: Record) -> None:
    joint = changed(base, similarity="joint-bayesian")
    result = gated(parse_rules(["bytes <= 30MB"]), [], [base, joint])
    assert len(result.verdicts) == 1


def test_the_baseline_of_the_same_settings_is_taken(base: Record) -> None:
    joint = changed(base, similarity="joint-bayesian")
    result = gated(parse_rules([RULE]), [joint, base], [base, joint])
    assert [v.outcome for v in result.verdicts] == ["pass", "pass"]


@pytest.mark.parametrize("fields", [{"similarity": "joint-bayesian(12ab)"}, {"pooling": "mean"}])
def test_a_baseline_of_other_settings_is_no_baseline(base: Record, fields: dict[str, str]) -> None:
    other = changed(base, **fields)
    for rule in (RULE, "lfw.accuracy >= 0.9 of baseline"):
        with pytest.raises(UserError, match="no baseline of lfw has cosine and") as caught:
            gated(parse_rules([rule]), [other], [base])
        assert f"(there is: {other.similarity} and {other.pooling})" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert gated(parse_rules(["bytes <= 1 of baseline"]), [other], [base]).outcome == "pass"


def test_what_a_similarity_has_learned_may_differ(base: Record) -> None:
    one, other = (changed(base, similarity=f"joint-bayesian({n})") for n in ("12ab", "34cd"))
    assert gated(parse_rules([RULE]), [one], [other]).outcome == "pass"
    assert gated(parse_rules([RULE]), [one, other], [other]).outcome == "pass"


def test_a_fact_is_held_against_the_baseline_that_fits(base: Record) -> None:
    large = changed(base, model=base.model.model_copy(update={"id": "large", "bytes": 99_000_000}))
    joint = changed(large, similarity="joint-bayesian")
    rules = parse_rules(["bytes <= 0.75 of baseline"])
    for baselines in ([base, joint], [joint, base]):
        assert gated(rules, baselines, [base]).outcome == "fail"
        assert gated(rules, baselines, [joint]).outcome == "fail"
    assert gated(rules, [base, base], [base]).outcome == "fail"  # both tell the same
    projected = changed(base, similarity="projection")
    for baselines, record in (([base, large], base), ([base, joint], projected)):
        with pytest.raises(UserError, match="differ in bytes") as caught:
            gated(rules, baselines, [record])
        assert "sparse_074 26,600,000, large 99,000,000" in str(caught.value)
    assert gated(parse_rules(["parameters <= 1 of baseline"]), [base, large], [base]).code == 0


def kept_as(record: Record, template: str) -> Record:
    """The record of a model whose embeddings are kept smaller."""
    return changed(record, model=record.model.model_copy(update={"template": template}))


def test_other_settings_of_the_model_are_said(base: Record) -> None:
    """A flip rule or a precision is of the model that is judged, and no gate passes over it."""
    model = base.model.model_copy(update={"flip": "none", "precision": "bfloat16"})
    (verdict,) = gated(parse_rules([RULE]), [base], [changed(base, model=model)]).verdicts
    assert verdict.outcome == "pass"
    assert verdict.why == f"flip none against {base.model.flip}; precision bfloat16 against float32"


def test_smaller_templates_are_held_against_whole_ones_and_it_is_said(base: Record) -> None:
    (verdict,) = gated(parse_rules([RULE]), [base], [kept_as(base, "int8")]).verdicts
    assert (verdict.outcome, verdict.why) == ("pass", "template int8 against fp32")
    both = gated(parse_rules([RULE]), [base, kept_as(base, "int8")], [base, kept_as(base, "int8")])
    assert [v.subject for v in both.verdicts] == ["sparse_074 (fp32)", "sparse_074 (int8)"]
    assert [v.why for v in both.verdicts] == ["", ""]
    with pytest.raises(UserError, match=r"there is: cosine and none \(single faces\) and int8"):
        gated(parse_rules([RULE]), [kept_as(base, "int8")], [base])


def test_bytes_per_face_are_a_fact_of_each_template(base: Record) -> None:
    rules = parse_rules(["bytes_per_face <= 0.3 of baseline"])
    result = gated(rules, [base], [base, kept_as(base, "int8"), kept_as(base, "binary")])
    assert [v.outcome for v in result.verdicts] == ["fail", "pass", "pass"]
    assert "0.252 of baseline (516 of 2,048)" in result.verdicts[1].measured


def test_synthetic_faces_are_said_in_the_verdict(make_record: MakeRecord) -> None:
    twin = make_record("twin", kind="synthetic", per_kind=20, draws=0)
    assert outcome_of(RULE, twin, twin).notice == twin.data.notice


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("lfv.accuracy drop <= 1pt", "no record of 'lfv' was given; did you mean 'lfw'?"),
        ("lfw.rank-1 >= 0.5", "records of lfw have no 'rank-1'"),
        ("lfw.tar@0.05 >= 0.5", "did you mean 'TAR@FAR=0.01'?"),
        ("lfw.accuracy >= 0.9 at 90%", "records have 95% intervals"),
    ],
)
def test_a_rule_that_nothing_answers_is_one_line(base: Record, rule: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        gated(parse_rules([rule]), [base], [base])
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_cannot_be_judged_is_refused(base: Record, make_record: MakeRecord) -> None:
    rules = parse_rules([RULE])
    with pytest.raises(UserError, match="there is no baseline of lfw"):
        gated(rules, [], [base])
    with pytest.raises(UserError, match="never compared"):
        gated(rules, [base], [make_record(kind="synthetic", per_kind=20, draws=0)])
    with pytest.raises(UserError, match="signatures differ in alignment"):
        gated(rules, [base], [changed(base, alignment="template")])
    with pytest.raises(UserError, match="2 baselines of lfw fit"):
        gated(rules, [base, base], [base])
    with pytest.raises(UserError, match="does not tell its bytes"):
        unknown = base.model.model_copy(update={"bytes": None})
        gated(parse_rules(["bytes <= 3"]), [], [changed(base, model=unknown)])
    with pytest.raises(UserError, match="at least one record"):
        gated(rules, [base], [])


def test_searches_are_judged_over_people() -> None:
    base, worse = rates_record("base", 0.8), rates_record("worse", 0.4)
    for found in paired_statistics(base, worse):
        assert found.interval is not None and found.p_value is not None and found.over_subjects
        if found.statistic.startswith("DIR"):
            assert [found] == paired_with_first(base, [worse])
    verdict = outcome_of("lfw-open.dir@0.01 drop <= 1pt at 95%", base, worse)
    assert verdict.outcome == "undecided"  # the toy's non-mated searches are too few for 1%
    assert verdict.why == "FAR 0.01 needs 100 non-mated comparisons, and there are fewer"
    assert outcome_of("lfw-open.rank-1 drop <= 1pt", base, base).outcome == "pass"


def test_an_interval_that_ends_at_the_bound_is_within_it() -> None:
    from facebench.gate.judge import _within

    rule = parse_rule("lfw.accuracy drop <= 0.3pt at 95%", "here")
    ends = Interval(0.1, 0.1 + 0.2, 0.95, "x")  # 0.30000000000000004
    assert _within(rule, 0.0, ends.high / 100) == "pass"
    assert _within(rule, 0.003, 0.0031) == "undecided"
    assert _within(rule, 0.0031, 0.004) == "fail"


def test_all_or_none_right_is_bounded_by_how_many_people_there_are(base: Record) -> None:
    """596 people who all were right leave 1 - 0.025 ** (1 / 596) = 0.617 points open."""
    statistics = base.statistics
    interval = statistics.auc.interval.model_copy(update={"low": 1.0, "high": 1.0})
    perfect = statistics.auc.model_copy(update={"value": 1.0, "interval": interval})
    sizes = base.comparisons.model_copy(update={"subjects": 596})
    whole = changed(
        base, statistics=statistics.model_copy(update={"auc": perfect}), comparisons=sizes
    )
    for bound, outcome in ((0.99, "pass"), (0.9938, "pass"), (0.994, "undecided")):
        (verdict,) = gated(parse_rules([f"lfw.auc >= {bound} at 95%"]), [], [whole]).verdicts
        assert verdict.outcome == outcome and "[99.38, 100.00]" in verdict.measured
    none = statistics.eer.model_copy(
        update={"value": 0.0, "interval": interval.model_copy(update={"low": 0.0, "high": 0.0})}
    )
    whole = changed(whole, statistics=statistics.model_copy(update={"eer": none}))
    (verdict,) = gated(parse_rules(["lfw.eer <= 0.006 at 95%"]), [], [whole]).verdicts
    assert verdict.outcome == "undecided" and "[0.00, 0.62]" in verdict.measured


def test_accuracy_at_a_level_is_judged_over_subjects(base: Record) -> None:
    statistics = base.statistics
    over = statistics.accuracy.interval.model_copy(update={"low": 0.9623, "high": 0.9746})
    own = statistics.accuracy.interval.model_copy(update={"low": 0.9643, "high": 0.9731})
    accuracy = statistics.accuracy.model_copy(
        update={"value": 0.969, "interval": own, "over_subjects": over}
    )
    whole = changed(base, statistics=statistics.model_copy(update={"accuracy": accuracy}))
    (verdict,) = gated(parse_rules(["lfw.accuracy >= 96.3% at 95%"]), [], [whole]).verdicts
    assert verdict.outcome == "undecided" and "[96.23, 97.46]" in verdict.measured
