"""Statistics of scores alone: by their definitions, and those of a record of the same scores."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import facebench
from facebench.base.errors import UserError
from facebench.records.frames import named_estimates
from tests.helpers import brute_force as brute
from tests.helpers import search_brute_force as searching
from tests.helpers.records import drawn_record

SCORES = [0.9, 0.8, 0.35, 0.7, 0.2, 0.4, 0.1, 0.5]
SOME = st.one_of(
    *(
        st.lists(st.sampled_from(kind), min_size=2, max_size=24)
        for kind in (brute.TIES, brute.NEIGHBOURS, brute.COSINES)
    )
)
MATED = [True, True, True, True, False, False, False, False]


@pytest.mark.parametrize("failures", [0, 3])
def test_statistics_of_a_record_from_its_scores(failures: int) -> None:
    record = drawn_record(per_kind=30, failures=failures)
    table = record.table
    assert table is not None
    found = facebench.verification(
        table.scores,
        table.mated,
        table.folds,
        (table.left_subjects, table.right_subjects),
    )
    assert dict(found.statistics) == named_estimates(record.statistics)
    assert found["accuracy"].interval.kind == "dyadic over subjects"
    told = record.comparisons
    assert (found.total, found.mated, found.nonmated) == (told.total, told.mated, told.nonmated)
    assert (found.subjects, found.failures) == (told.subjects, failures)


def test_without_people_comparisons_are_taken_for_independent() -> None:
    table = drawn_record(per_kind=30).table
    assert table is not None
    found = facebench.verification(table.scores, table.mated, table.folds)
    assert found.subjects is None
    assert {one.interval.kind for one in found.statistics.values()} == {"wilson over comparisons"}


def test_without_folds_there_is_no_accuracy_and_all_else_stays() -> None:
    table = drawn_record(per_kind=30).table
    assert table is not None
    people = (table.left_subjects, table.right_subjects)
    whole = facebench.verification(table.scores, table.mated, table.folds, people)
    found = facebench.verification(table.scores, table.mated, subjects=people)
    assert list(found) == list(whole)[1:] and "accuracy" not in found.statistics
    assert all(found[name] == whole[name] for name in found)


@settings(max_examples=50, deadline=None)
@given(brute.folded(SOME))
def test_values_are_their_definitions(case: Any) -> None:
    scores, mated, folds = case
    expected = brute.k_fold(scores, mated, folds)
    found = facebench.verification(scores, mated, folds if expected else None)
    if expected:
        assert found["accuracy"].per_fold == pytest.approx(expected[1])
        assert found["accuracy"].thresholds == tuple(expected[0])
    assert found["auc"].value == pytest.approx(float(brute.auc(scores, mated)))
    assert found["eer"].value == pytest.approx(float(brute.eer(scores, mated)))
    _, false, true = brute.tar_at_far(scores, mated, 0.1)
    point = found["TAR@FAR=0.1"]
    assert (point.false_accepts, point.true_accepts) == (false, true)
    assert point.value == float(Fraction(true, mated.count(True)))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_of_another_level_are_narrower(level: float) -> None:
    wide, narrow = (facebench.verification(SCORES, MATED, level=one) for one in (0.95, level))
    for name in wide:
        assert narrow[name].interval.level == level
        assert narrow[name].interval.low >= wide[name].interval.low
        assert narrow[name].interval.high <= wide[name].interval.high


@pytest.mark.parametrize("mated", [np.array(MATED), np.array(MATED, float), [1] * 4 + [0] * 4])
@pytest.mark.parametrize("scores", [SCORES, torch.tensor(SCORES), np.float32(SCORES)])
def test_lists_arrays_and_tensors_will_do(scores: Any, mated: Any) -> None:
    assert facebench.verification(scores, mated)["auc"].value == 0.875


def test_names_of_people_will_do() -> None:
    left = ["Ann", "Bob", "Cy", "Dee", "Ann", "Bob", "Cy", "Dee"]
    right = ["Ann", "Bob", "Cy", "Dee", "Bob", "Cy", "Dee", "Ann"]
    found = facebench.verification(SCORES, MATED, subjects=(left, right))
    assert found.subjects == 4 and found["auc"].interval.kind == "dyadic over subjects"
    numbers = ([0, 1, 2, 3, 0, 1, 2, 3], [0, 1, 2, 3, 1, 2, 3, 0])
    same = facebench.verification(SCORES, MATED, subjects=numbers)
    assert dict(found.statistics) == dict(same.statistics)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scores": [float("nan"), *SCORES[1:]]}, "scores has a NaN at index 0"),
        ({"scores": [*SCORES[:7], float("inf")]}, r"scores has \+inf at index 7"),
        ({"scores": SCORES[1:]}, r"mated has shape \(8,\) but there are 7 scores"),
        ({"scores": []}, "scores is empty"),
        ({"scores": 0.5}, "must have one dimension"),
        ({"scores": ["a"] * 8}, "must be real numbers"),
        ({"scores": [[1, 2], [3]]}, "scores cannot be read as an array"),
        ({"scores": torch.ones(8, requires_grad=True)}, "scores cannot be read as an array"),
        ({"scores": MATED, "mated": SCORES}, "scores come first"),
        ({"mated": [True] * 8}, "all 8 comparisons are mated; both kinds are needed"),
        ({"mated": [0] * 8}, "all 8 comparisons are non-mated; both kinds are needed"),
        ({"mated": [1, 1, 1, 1, -1, -1, -1, -1]}, "mated has -1 at index 4"),
        ({"mated": ["yes"] * 8}, "mated must be boolean"),
        ({"folds": [1] * 8}, r"there is one fold \(1\)"),
        ({"folds": [1] * 7 + [2]}, "no comparison outside fold 1 is mated"),
        ({"folds": [1, 2]}, r"folds has shape \(2,\)"),
        ({"folds": [0.5, 1] * 4}, "folds must be whole numbers"),
        ({"subjects": (range(8), range(8))}, "comparison 4 is non-mated but its subjects are 4"),
        ({"subjects": np.zeros((8, 2), int)}, r"give a pair \(left, right\)"),
        ({"subjects": (range(8), range(7))}, r"subjects\[1\] has shape \(7,\)"),
        ({"subjects": (["Ann"] * 7 + [None], range(8))}, "has None at index 7, not a name"),
        ({"subjects": ([0.5] * 8, range(8))}, "names or whole numbers, not float64"),
        ({"fars": [0]}, "FAR target 0 is not a share"),
        ({"fars": [1.5]}, "FAR target 1.5 is not a share"),
        ({"level": 95}, "level is 95; give a share"),
        ({"rule": "exat", "folds": [1, 2] * 4}, "there is no threshold rule 'exat'"),
    ],
)
def test_wrong_input_is_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        facebench.verification(**({"scores": SCORES, "mated": MATED} | change))
    line = str(caught.value)
    assert line.startswith("verification: ") and "\n" not in line


def test_a_misspelt_statistic_has_a_nearest_name() -> None:
    found = facebench.verification(SCORES, MATED)
    with pytest.raises(UserError, match=r"did you mean 'TAR@FAR=0\.1'"):
        found["TAR@FAR=0.2"]


@settings(max_examples=50, deadline=None)
@given(searching.cases())
def test_searches_are_their_definitions(case: searching.Case) -> None:
    scores = [[case.score(g, p) for g in range(len(case.gallery))] for p in range(len(case.probes))]
    found = facebench.identification(scores, case.probes, case.gallery, fars=(0.5, 0.1), ranks=[1])
    mated = case.mated.count(True)
    first = sum(searching.rank(case, p) == 1 for p, is_mated in enumerate(case.mated) if is_mated)
    assert found["rank-1"].value == pytest.approx(first / mated)
    for far in (0.5, 0.1):
        false, hits = searching.dir_at_far(case, far)
        rate = found[f"DIR@FAR={far}"]
        assert rate.value == pytest.approx(hits / mated)
        assert rate.reached[0] == pytest.approx(false / case.mated.count(False))


def test_a_closed_set_has_ranks_only() -> None:
    found = facebench.identification([[0.9, 0.1], [0.2, 0.3]], ["a", "b"], ["a", "b"])
    assert list(found) == ["rank-1", "rank-5"] and (found.mated, found.nonmated) == (2, 0)


def test_lost_probes_and_gallery_faces_count_as_failures() -> None:
    lost = -np.inf
    scores = [[0.9, lost, 0.1], [0.5, lost, 0.2], [lost, lost, lost]]
    found = facebench.identification(scores, ["a", "b", "x"], ["a", "b", "c"])
    assert found["rank-1"].value == 0.5 and found.failures == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scores": [0.1, 0.2]}, r"scores has shape \(2,\); give one row a probe"),
        ({"scores": [["a", "b"], ["c", "d"]]}, "must be real numbers"),
        ({"scores": [[0.1, float("nan")], [0, 0]]}, "scores has nan in row 0, column 1"),
        ({"scores": [[0.1, 0.2], [float("inf"), 0]]}, "scores has inf in row 1, column 0"),
        ({"probes": ["a"]}, r"probes has shape \(1,\), but 2 people are needed"),
        ({"gallery": ["a", "b", "c"]}, r"gallery has shape \(3,\), but 2 people are needed"),
        ({"gallery": [1, 2]}, "both be names, or both whole numbers"),
        ({"probes": ["x", "y"]}, "no probe is of a person in the gallery"),
        ({"fars": [0.1]}, "all probes are of people in the gallery"),
        ({"probes": ["a", "x"], "fars": [2]}, "FAR target 2 is not a share"),
        ({"ranks": [0]}, "rank is 0"),
        ({"ranks": [1.5]}, "ranks are whole numbers"),
        ({"level": "x"}, "level is x"),
    ],
)
def test_wrong_searches_are_one_line(change: dict[str, Any], says: str) -> None:
    given = {"scores": [[0.9, 0.1], [0.2, 0.3]], "probes": ["a", "b"], "gallery": ["a", "b"]}
    with pytest.raises(UserError, match=says) as caught:
        facebench.identification(**(given | change))
    line = str(caught.value)
    assert line.startswith("identification: ") and "\n" not in line


def test_frames_have_a_row_for_every_statistic() -> None:
    found = facebench.verification(SCORES, MATED, [1, 1, 2, 2, 1, 1, 2, 2])
    frame = found.to_frame()
    assert list(frame["statistic"]) == list(found)
    assert list(frame["value"]) == [one.value for one in found.statistics.values()]
    accuracy = frame.iloc[0]
    assert accuracy["low"] <= 0.75 <= accuracy["high"] and accuracy["level"] == 0.95
    assert accuracy["spread"] == found["accuracy"].spread
    assert list(frame["resolvable"]) == [True] * 3 + [False] * 3


@pytest.mark.parametrize("fars", [0.1, ["0.1"], [[0.1]]])
def test_fars_are_a_list_of_numbers(fars: Any) -> None:
    with pytest.raises(UserError, match=r"fars is .*; give a list of numbers"):
        facebench.verification(SCORES, MATED, fars=fars)


def test_two_fars_of_one_name_are_refused_and_names_are_the_same_in_a_comparison() -> None:
    with pytest.raises(UserError, match=r"both called 0\.1"):
        facebench.verification(SCORES, MATED, fars=[0.1, 0.1000000001])
    found = facebench.verification(SCORES, MATED, fars=[1, 1 / 3])
    (compared,) = facebench.compare_scores(SCORES, SCORES, MATED, fars=[1, 1 / 3])
    assert [one.statistic for one in compared.statistics] == list(found)


def test_people_of_long_numbers_stay_apart_whatever_their_types() -> None:
    people = np.array([2**53, 2**53 + 1])
    for kind in ("u8", "i8"):
        found = facebench.identification([[0.0, 1.0]], people[:1].astype(kind), people)
        assert found["rank-1"].value == 0.0
    with pytest.raises(UserError, match="give them as text"):
        facebench.identification([[0.0, 1.0]], np.array([2**63], "u8"), people)
