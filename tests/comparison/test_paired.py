"""What may stand in one table, and the paired test against its first row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.paired import (
    PairedStatistic,
    compare_each,
    compare_paired,
    group_records,
    paired_statistics,
    require_same_data,
)
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.statistics import Interval
from tests.comparison.test_compare import changed

MakeRecord = Callable[..., Record]


def test_photographs_and_rendered_faces_are_never_compared(make_record: MakeRecord) -> None:
    real, synthetic = make_record(), make_record(kind="synthetic", model="baseline")
    with pytest.raises(UserError, match="on real faces and baseline on synthetic ones; they are"):
        require_same_data([real, synthetic])
    with pytest.raises(UserError, match="never compared"):
        compare_paired(real, synthetic)


def test_other_comparisons_are_not_compared_either(make_record: MakeRecord) -> None:
    with pytest.raises(UserError, match="differ in list of comparisons"):
        require_same_data([make_record(), make_record(per_kind=30)])


def test_other_alignments_are_not_compared(make_record: MakeRecord) -> None:
    one = make_record(per_kind=10, draws=0)
    other = changed(make_record("other", per_kind=10, draws=0), alignment="template-crop")
    for refused in (lambda: require_same_data([one, other]), lambda: compare_paired(one, other)):
        with pytest.raises(
            UserError, match=r"differ in alignment landmarks.* against template-crop"
        ):
            refused()
    assert group_records([one, other, one]) == [[one, one], [other]]


def test_several_at_once_are_as_each_alone(make_record: MakeRecord) -> None:
    base = make_record(per_kind=60)
    others = [make_record(f"m{n}", seed=n, strength=3 + n / 4, per_kind=60) for n in (1, 2, 3)]
    others[1] = others[1].model_copy()  # without its scores
    others[1]._table = None
    together = compare_each(base, others)
    assert together == [compare_paired(base, other) for other in others]
    assert together[1] is None and together[0] is not None and together[2] is not None


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
    same = compare_paired(reference, reference)
    assert same is not None and same.p_value == 1.0 and not same.significant and same.mark == "≈"
    worse = make_record(model="b", seed=2, strength=2.5)
    paired = compare_paired(reference, worse)
    assert paired is not None and paired.difference < -0.05 and paired.mark == "▼"


def test_the_table_and_compare_say_the_same_whatever_the_draws(make_record: MakeRecord) -> None:
    found = []
    for draws in (0, 50):
        one = make_record(model="a", seed=1, draws=draws)
        other = make_record(model="b", seed=2, strength=3.2, draws=draws)
        table, (compared,) = compare_paired(one, other), paired_statistics(one, other, ["accuracy"])
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
    found = PairedStatistic(
        statistic, 0.9, 0.8, interval, p_value, mcnemar=0.5, undecided=undecided
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
    paired = compare_paired(one, other)
    assert paired is not None and paired.mcnemar is not None and paired.mcnemar < 1e-6
    assert paired.p_value is not None and paired.p_value > 0.05
    assert paired.mark == "≈" and not paired.significant


def test_without_scores_there_is_no_test(make_record: MakeRecord) -> None:
    bare = Record.model_validate(make_record(seed=2).model_dump())
    assert bare.table is None
    assert compare_paired(make_record(), bare) is None
