"""What may stand in one table, and the paired test against its first row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.compare import compare_records
from facebench.comparison.paired import Paired, paired_statistics, paired_with_first
from facebench.records.comparability import group_records, require_comparable
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.statistics import Interval
from tests.comparison.test_compare import changed

MakeRecord = Callable[..., Record]


def test_photographs_and_rendered_faces_are_never_compared(make_record: MakeRecord) -> None:
    real, synthetic = make_record(), make_record(kind="synthetic", model="baseline")
    with pytest.raises(UserError, match="on real faces and baseline on synthetic ones; they are"):
        require_comparable(real, synthetic)
    with pytest.raises(UserError, match="never compared"):
        paired_with_first(real, [synthetic])


def test_other_comparisons_are_not_compared_either(make_record: MakeRecord) -> None:
    with pytest.raises(UserError, match="differ in list of comparisons"):
        require_comparable(make_record(), make_record(per_kind=30))


def test_other_alignments_are_not_compared(make_record: MakeRecord) -> None:
    one = make_record(per_kind=10, draws=0)
    other = changed(make_record("other", per_kind=10, draws=0), alignment="template-crop")
    for refused in (require_comparable, lambda one, two: paired_with_first(one, [two])):
        with pytest.raises(
            UserError, match=r"differ in alignment landmarks.* against template-crop"
        ):
            refused(one, other)
    assert group_records([one, other, one]) == [[one, one], [other]]


def test_several_at_once_are_as_each_alone(make_record: MakeRecord) -> None:
    base = make_record(per_kind=60)
    others = [make_record(f"m{n}", seed=n, strength=3 + n / 4, per_kind=60) for n in (1, 2, 3)]
    others[1] = others[1].model_copy()  # without its scores
    others[1]._table = None
    together = paired_with_first(base, others)
    assert together == [one for other in others for one in paired_with_first(base, [other])]
    assert [one.tested for one in together] == [True, False, True]


def test_groups_keep_data_apart_and_the_order(make_record: MakeRecord) -> None:
    records = [
        make_record(model="a"),
        make_record(model="a", kind="synthetic"),
        make_record(model="b"),
        make_record(model="a", per_kind=30),
    ]
    groups = group_records(records)
    assert [[record.model.id for record in group] for group in groups] == [["a", "b"], ["a"], ["a"]]


def test_a_worse_model_is_marked_and_the_same_one_is_not(make_record: MakeRecord) -> None:
    reference = make_record(model="a", seed=1)
    (same,) = paired_with_first(reference, [reference])
    assert same.p_value == 1.0 and not same.significant and same.mark == "≈"
    worse = make_record(model="b", seed=2, strength=2.5)
    (paired,) = paired_with_first(reference, [worse])
    assert paired.difference < -0.05 and paired.mark == "▼"


def test_the_table_and_compare_say_the_same_whatever_the_draws(make_record: MakeRecord) -> None:
    found = []
    for draws in (0, 50):
        one = make_record(model="a", seed=1, draws=draws)
        other = make_record(model="b", seed=2, strength=3.2, draws=draws)
        (table,), (compared,) = (
            paired_with_first(one, [other]),
            paired_statistics(one, other, ["accuracy"]),
        )
        assert table == compared and compared.interval is not None and compared.over_subjects
        assert compared.interval.low < compared.difference < compared.interval.high
        found.append(compared)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("statistic", "p_value", "undecided", "verdict", "mark"),
    [
        ("accuracy", 0.049, False, "worse", "▼"),
        ("accuracy", 0.051, False, "no difference shown", "≈"),
        ("accuracy", 0.049, True, "undecided", "?"),
        ("accuracy", None, False, "unknown", ""),
        ("eer", 0.01, False, "better", "▲"),  # an error rate: less is better
    ],
)
def test_one_rule_says_what_is_significant(
    statistic: str, p_value: float | None, undecided: bool, verdict: str, mark: str
) -> None:
    interval = Interval(-0.2, -0.01, 0.95, "dyadic over subjects")
    found = Paired(
        statistic,
        0.9,
        0.8,
        interval,
        p_value,
        mcnemar=0.5,
        p_range=(0.01, 0.1) if undecided else None,
    )
    assert (found.verdict, found.mark) == (verdict, mark)
    assert found.significant == (verdict in ("better", "worse"))


def test_comparisons_that_share_people_are_not_marked_by_mcnemars_test_alone(
    make_record: MakeRecord,
) -> None:
    """One person is in 40 comparisons that changed: a single reason, counted 40 times."""
    base = make_record(per_kind=60, draws=200)
    table = base.table
    assert table is not None and table.left_subjects is not None
    rows = np.flatnonzero(table.correct & table.mated)[:40]
    decisions, people = table.decisions.copy(), table.left_subjects.copy()
    decisions[rows] = ~decisions[rows]
    people[rows] = people[rows[0]]
    others = np.where(table.mated, people, table.right_subjects)
    one = base.with_table(
        ScoreTable(table.scores, table.decisions, table.mated, table.folds, people, others)
    )
    other = make_record("other", per_kind=60, draws=200).with_table(
        ScoreTable(table.scores + 1e-6, decisions, table.mated, table.folds, people, others)
    )
    (paired,) = paired_with_first(one, [other])
    assert paired.mcnemar is not None and paired.mcnemar < 1e-6
    assert paired.p_value is not None and paired.p_value > 0.05
    assert paired.mark == "≈" and not paired.significant


def test_without_scores_there_is_no_test(make_record: MakeRecord) -> None:
    bare = Record.model_validate(make_record(seed=2).model_dump())
    assert bare.table is None
    (found,) = paired_with_first(make_record(), [bare])
    assert not found.tested and found.mark == "" and found.why.startswith("the scores of")


def reordered(record: Record, what: str) -> Record:
    """The record of another model, two of whose comparisons have changed places in one column."""
    table = record.table
    assert table is not None and table.left_subjects is not None
    if what == "people":
        left = np.roll(table.left_subjects, 1)
        right = np.where(table.mated, left, np.roll(table.right_subjects, 1))
        return record.with_table(replace(table, left_subjects=left, right_subjects=right))
    return record.with_table(replace(table, **{what: np.roll(getattr(table, what), 1)}))


@pytest.mark.parametrize("what", ["mated", "folds", "people"])
def test_one_check_of_order_for_differences_and_changed_comparisons(
    make_record: MakeRecord, what: str
) -> None:
    one, other = make_record(per_kind=20), make_record("other", seed=2, per_kind=20)
    (found,) = compare_records(one, [reordered(other, what)])
    assert {s.why for s in found.statistics} == {"the comparisons are in another order"}
    assert found.changed is None and not found.worse and not found.better
    (found,) = compare_records(one, [other])
    assert found.changed is not None and all(s.tested for s in found.statistics)


def test_a_comparison_says_the_same_in_both_directions_whoever_knows_the_people(
    make_record: MakeRecord,
) -> None:
    known, other = make_record(per_kind=60), make_record("other", seed=2, per_kind=60)
    assert other.table is not None
    plain = other.with_table(replace(other.table, left_subjects=None, right_subjects=None))
    (expected,) = paired_with_first(known, [other])
    for candidate in (other, plain):
        ((forth,), (back,)) = (
            paired_with_first(known, [candidate]),
            paired_with_first(candidate, [known]),
        )
        assert forth == expected and back.interval is not None and back.over_subjects
        assert (back.difference, back.p_value) == (-forth.difference, forth.p_value)
        assert back.interval.high == pytest.approx(-expected.interval.low)
