"""Two models by their scores alone: what a comparison of their records says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.compare import compare_records
from facebench.records.record import Record
from tests.helpers.records import drawn_record

MATED = [True, False] * 20
BASE = [0.9, 0.1] * 20
WORSE = [0.9, 0.1] * 14 + [0.1, 0.9] * 6
FOLDS = [1, 1, 2, 2] * 10


def scores_of(record: Record) -> Any:
    assert record.table is not None
    return record.table.scores


def test_differences_are_those_of_the_records() -> None:
    base, *others = (drawn_record(f"m{seed}", seed=seed, per_kind=30) for seed in range(3))
    table = base.table
    assert table is not None
    expected = compare_records(base, others)
    found = facebench.compare_scores(
        scores_of(base),
        {one.model.id: scores_of(one) for one in others},
        table.mated,
        table.folds,
        (table.left_subjects, table.right_subjects),
    )
    assert [one.name for one in found] == ["m1", "m2"]
    for own, other in zip(found, expected, strict=True):
        for mine, theirs in zip(own.statistics, other.statistics, strict=True):
            assert mine.statistic == theirs.statistic and mine.interval == theirs.interval
            assert (mine.base, mine.candidate) == (theirs.base, theirs.candidate)
            assert (mine.p_value, mine.adjusted) == (theirs.p_value, theirs.adjusted)
            assert mine.verdict == theirs.verdict and mine.resolvable == theirs.resolvable
        assert own.changed == other.changed and own.total == len(table.mated)


def test_without_folds_accuracies_are_not_compared_and_all_else_stays() -> None:
    whole = facebench.compare_scores(BASE, WORSE, MATED, FOLDS)[0]
    (found,) = facebench.compare_scores(BASE, WORSE, MATED)
    assert found.changed is None
    assert [one.statistic for one in found.statistics][:2] == ["auc", "eer"]
    for one, other in zip(found.statistics, whole.statistics[1:], strict=True):
        assert (one.difference, one.interval, one.p_value) == (
            other.difference,
            other.interval,
            other.p_value,
        )
    assert found.statistics[0].verdict == "worse"


def test_p_values_of_several_candidates_are_corrected_for_their_number() -> None:
    one = facebench.compare_scores(BASE, WORSE, MATED, FOLDS)[0].statistics[0]
    worse, same = facebench.compare_scores(BASE, {"a": WORSE, "b": BASE}, MATED, FOLDS)
    assert one.adjusted == one.p_value
    assert worse.statistics[0].adjusted == pytest.approx(2 * one.p_value)
    assert same.statistics[0].verdict == "no difference shown"
    assert worse.statistics[1].adjusted is None


def test_the_frame_has_a_row_for_every_candidate_and_statistic() -> None:
    found = facebench.compare_scores(BASE, {"a": WORSE, "b": BASE}, MATED, FOLDS)
    frame = found.to_frame()
    assert len(frame) == 2 * 6 and list(frame["candidate_model"].unique()) == ["a", "b"]
    first = frame.iloc[0]
    assert first["difference"] == found[0].statistics[0].difference
    assert (first["statistic"], first["verdict"]) == ("accuracy", "worse")
    assert frame["verdict"].notna().sum() == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base": [np.nan, *BASE[1:]]}, "compare_scores, base: scores has a NaN at index 0"),
        ({"candidates": BASE[1:]}, "compare_scores, candidate: 39 scores, and the base has 40"),
        (
            {"candidates": {"mine": [np.inf, *BASE[1:]]}},
            r"compare_scores, mine: scores has \+inf at index 0",
        ),
        ({"candidates": {}}, "give at least one candidate"),
        ({"mated": [True] * 40}, "compare_scores: all 40 comparisons are mated"),
        ({"folds": [1] * 40}, "compare_scores: there is one fold"),
        ({"level": 0}, "compare_scores: level is 0"),
        ({"subjects": (range(40), range(40))}, "compare_scores: comparison 1 is non-mated but"),
    ],
)
def test_wrong_input_is_one_line(change: dict[str, Any], says: str) -> None:
    given = {"base": BASE, "candidates": WORSE, "mated": MATED, "folds": FOLDS}
    with pytest.raises(UserError, match=says) as caught:
        facebench.compare_scores(**(given | change))
    assert "\n" not in str(caught.value)
