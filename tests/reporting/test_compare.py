"""What may stand in one table, and the paired test against its first row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facebench.errors import UserError
from facebench.reporting import compare
from facebench.reporting.compare import (
    SURE_DRAWS,
    Paired,
    compare_each,
    compare_paired,
    group_records,
    require_same_data,
)
from facebench.reporting.paired_statistics import paired_statistics
from facebench.reporting.record import Record
from facebench.reporting.record_sections import BootstrapSection
from facebench.reporting.scores import ScoreTable
from facebench.statistics import Interval, accuracy_statistic, paired_bootstrap
from tests.reporting.test_comparison import changed

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


@pytest.mark.parametrize(
    ("low", "high", "asked"),
    [
        (-0.02, -0.01, [1000]),
        (-0.02, -0.0001, [1000, SURE_DRAWS]),  # the sure one ends above zero
        (-0.0002, 0.01, [1000, SURE_DRAWS]),
        (-0.005, 0.005, [1000]),
    ],
)
def test_a_mark_that_would_rest_on_the_draw_gets_more_draws(
    make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch, low: float, high: float, asked: list
) -> None:
    seen = []

    def drawn(one: object, others: list, draws: int, seed: int) -> list[Interval]:
        seen.append(draws)
        if draws == SURE_DRAWS:
            return [Interval(-0.02, 0.001, 0.95, "bootstrap")]
        return [Interval(low, high, 0.95, "bootstrap")]

    monkeypatch.setattr(compare, "_intervals", drawn)
    base = changed(make_record(), bootstrap=BootstrapSection(draws=1000, seed=0))
    found = compare_paired(base, make_record("other", seed=1))
    assert seen == asked and found is not None and found.interval is not None
    assert found.interval.high == (0.001 if len(asked) > 1 else high)


def test_several_at_once_are_as_each_alone(make_record: MakeRecord) -> None:
    base = changed(make_record(per_kind=60), bootstrap=BootstrapSection(draws=100, seed=3))
    others = [make_record(f"m{n}", seed=n, strength=3 + n / 4, per_kind=60) for n in (1, 2, 3)]
    others[1] = others[1].model_copy()  # without its scores
    others[1]._table = None
    together = compare_each(base, others)
    assert together == [compare_paired(base, other) for other in others]
    assert together[1] is None and together[0] is not None and together[2] is not None


def test_two_seeds_tell_the_same_of_a_difference_at_the_edge(
    make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends of 5,000 draws agree to 4% of the width; those of 1,000 need not."""
    monkeypatch.setattr(compare, "_NEAR", 0.2)
    ends = []
    for seed in range(2):
        base = make_record(per_kind=150, strength=2.0)
        base = changed(base, bootstrap=BootstrapSection(draws=200, seed=seed))
        found = compare_paired(base, make_record("other", seed=1, per_kind=150, strength=2.2))
        assert found is not None and found.interval is not None
        ends.append((found.interval.low, found.interval.high))
    width = ends[0][1] - ends[0][0]
    assert np.allclose(ends[0], ends[1], atol=0.04 * width)


def test_groups_keep_data_apart_and_the_order(make_record: MakeRecord) -> None:
    records = [
        make_record(model="a"),
        make_record(model="a", kind="synthetic"),
        make_record(model="b"),
        make_record(model="a", per_kind=30),
    ]
    groups = group_records(records)
    assert [[record.model.id for record in group] for group in groups] == [["a", "b"], ["a"], ["a"]]


def test_mcnemar_on_the_decisions_of_both(make_record: MakeRecord) -> None:
    reference = make_record(model="a", seed=1)
    same = compare_paired(reference, reference)
    assert same is not None and same.p_value == 1.0 and not same.significant
    worse = make_record(model="b", seed=2, strength=2.5)
    paired = compare_paired(reference, worse)
    assert paired is not None and paired.difference < -0.05 and paired.significant


def test_the_interval_of_the_difference_is_that_of_the_accuracy_statistic(
    make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "_NEAR", 0)
    one, other = make_record(model="a", seed=1), make_record(model="b", seed=2, strength=3.2)
    paired, tables = compare_paired(one, other), (one.table, other.table)
    assert paired is not None and paired.interval is not None
    assert tables[0] is not None and tables[1] is not None
    assert tables[0].left_subjects is not None and tables[0].right_subjects is not None
    expected = paired_bootstrap(
        accuracy_statistic(tables[0].folds, one.rule),
        tables[0].scores,
        tables[1].scores,
        tables[0].mated,
        tables[0].left_subjects,
        tables[0].right_subjects,
        draws=50,
        rng=np.random.default_rng(0),
    )
    assert paired.difference == pytest.approx(expected.estimate, abs=1e-12)
    assert paired.interval == expected.interval
    assert paired.interval.kind == "bootstrap over subjects"
    assert paired.interval.low < paired.difference < paired.interval.high


def test_without_draws_there_is_no_interval(make_record: MakeRecord) -> None:
    paired = compare_paired(make_record(draws=0), make_record(draws=0, seed=1))
    assert paired is not None and paired.interval is None
    assert paired.mark == "" and not paired.significant


@pytest.mark.parametrize(
    ("p_value", "low", "high", "mark"),
    [
        (0.01, -0.03, -0.01, "▼"),
        (0.01, 0.01, 0.03, "▲"),
        (0.01, -0.03, 0.001, "≈"),  # comparisons share people, which McNemar's test does not know
        (0.2, -0.03, -0.01, "≈"),
        (None, -0.03, -0.01, "▼"),
        (None, -0.03, 0.0, "≈"),
    ],
)
def test_accuracy_is_marked_where_both_tests_say_so(
    p_value: float | None, low: float, high: float, mark: str
) -> None:
    difference = (low + high) / 2
    assert Paired(difference, p_value, Interval(low, high, 0.95, "")).mark == mark
    assert Paired(difference, p_value, None).mark == ""


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
    other = base.with_table(
        ScoreTable(table.scores + 1e-6, decisions, table.mated, table.folds, people, others)
    )
    paired = compare_paired(one, other)
    assert paired is not None and paired.p_value is not None and paired.p_value < 1e-6
    assert paired.mark == "≈" and not paired.significant
    (found,) = paired_statistics(one, other, ["accuracy"], draws=200)
    assert found.p_value == paired.p_value and found.over_subjects is not None
    assert found.over_subjects > 0.05 and found.verdict == "no difference shown"


def test_without_scores_there_is_no_test(make_record: MakeRecord) -> None:
    bare = Record.model_validate(make_record(seed=2).model_dump())
    assert bare.table is None
    assert compare_paired(make_record(), bare) is None
