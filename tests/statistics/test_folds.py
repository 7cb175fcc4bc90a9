"""Fold accuracy: the definition by brute force, by hand, and the mistakes others make."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facebench.statistics import THRESHOLD_RULES, ten_fold_accuracy
from facebench.statistics.folds import midpoint
from tests.helpers import brute_force as brute


@settings(max_examples=1000, deadline=None)
@given(brute.folded())
def test_equals_the_definition(case):
    scores, mated, folds = case
    expected = brute.k_fold(scores, mated, folds)
    if expected is None:
        with pytest.raises(ValueError, match="no comparison outside fold"):
            ten_fold_accuracy(scores, mated, folds)
        return
    thresholds, accuracies, decisions = expected
    result = ten_fold_accuracy(scores, mated, folds)
    assert result.thresholds.tolist() == thresholds
    assert result.per_fold.tolist() == accuracies
    assert result.decisions.tolist() == decisions
    assert result.labels.tolist() == sorted(set(folds))
    k = len(accuracies)
    mean = math.fsum(accuracies) / k
    spread = math.sqrt(math.fsum((a - mean) ** 2 for a in accuracies) / (k - 1))
    assert result.accuracy == pytest.approx(mean, abs=1e-15)
    assert result.standard_error == pytest.approx(spread / math.sqrt(k), abs=1e-15)


@settings(max_examples=300, deadline=None)
@given(brute.folded(st.lists(st.sampled_from(brute.COSINES), min_size=4, max_size=24)))
def test_facenet_grid_equals_its_definition(case):
    scores, mated, folds = case
    if brute.k_fold(scores, mated, folds) is None:
        return
    expected = brute.facenet_grid(scores, mated, folds)
    result = ten_fold_accuracy(scores, mated, folds, rule="facenet-grid")
    np.testing.assert_allclose(result.thresholds, [t for t, _ in expected], atol=1e-12)
    assert result.per_fold.tolist() == [a for _, a in expected]
    assert result.unit == "squared L2 distance"


@settings(max_examples=200, deadline=None)
@given(brute.folded(), st.randoms(use_true_random=False))
def test_order_of_comparisons_and_increasing_maps_of_fold_labels_change_nothing(case, random):
    scores, mated, folds = (np.array(column) for column in case)
    if brute.k_fold(*case) is None:
        return
    order = list(range(len(scores)))
    random.shuffle(order)
    one = ten_fold_accuracy(scores, mated, folds)
    two = ten_fold_accuracy(scores[order], mated[order], 7 * folds[order] + 1)
    assert one.thresholds.tolist() == two.thresholds.tolist()
    assert one.decisions[order].tolist() == two.decisions.tolist()


@settings(max_examples=500, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
@example(-1.7e308, 1.7e308)
@example(1.6e308, 1.7e308)
@example(0.0, 5e-324)
@example(1.0, math.nextafter(1.0, 2.0))
def test_midpoint_separates(a, b):
    low, high = min(a, b), max(a, b)
    if low < high:
        assert low < midpoint(low, high) <= high


def test_by_hand():
    # fold 0: mated 3, non-mated 1; fold 1: mated 6, non-mated 2; fold 2: mated 5, non-mated 4.
    # Threshold of fold 0, from 2n 4n 5m 6m: only between 4 and 5 are all right: 4.5; 3 is decided
    #   non-mated (wrong), 1 non-mated (right): 1/2.
    # Fold 1, from 1n 3m 4n 5m: above 1 gets 3 right (n m . m), above 4 gets 3 (n . n m), others
    #   fewer: below 1: 2, above 3: 2, above 5: 2. Tied candidates 2 and 4.5: even number, the lower
    #   of the two is 2. Then 6 >= 2 right, 2 >= 2 is mated, wrong: 1/2.
    # Fold 2, from 1n 2n 3m 6m: 2.5 is the only best; 5 right, 4 wrong: 1/2.
    scores = [3, 1, 6, 2, 5, 4]
    result = ten_fold_accuracy(scores, [True, False] * 3, [0, 0, 1, 1, 2, 2])
    assert result.thresholds.tolist() == [4.5, 2.0, 2.5]
    assert result.per_fold.tolist() == [0.5, 0.5, 0.5]
    assert result.decisions.tolist() == [False, False, True, True, True, True]
    assert (result.accuracy, result.standard_error) == (0.5, 0.0)
    assert (result.rule, result.unit) == ("exact", "score")


def test_middle_of_three_tied_candidates():
    # Training for fold 1 (fold 0): 1n 2m 3n 4m 5n 6m. Right when accepting from: 1: 3, 2: 4, 3: 3,
    # 4: 4, 5: 3, 6: 4, none: 3. Tied candidates 1.5, 3.5, 5.5; the middle one is 3.5.
    scores = [1, 2, 3, 4, 5, 6, 10, 0]
    mated = [False, True, False, True, False, True, True, False]
    result = ten_fold_accuracy(scores, mated, [0] * 6 + [1] * 2)
    assert result.thresholds[1] == 3.5


def test_one_candidate_beyond_each_end():
    # Training for fold 1: 1m 2n. Accept all: 1 right; accept from 2: 0; accept none: 1. Tied are
    # the two ends, the lower is just below 1.
    result = ten_fold_accuracy([1, 2, 5, 0], [True, False, True, False], [0, 0, 1, 1])
    assert result.thresholds[1] == math.nextafter(1.0, -math.inf)
    # With one more non-mated at 2 the upper end is best: just above 2, and 5 is still accepted.
    scores, mated = [1, 2, 2, 5, 0], [True, False, False, True, False]
    result = ten_fold_accuracy(scores, mated, [0, 0, 0, 1, 1])
    assert result.thresholds[1] == math.nextafter(2.0, math.inf)
    assert result.decisions[3:].tolist() == [True, False]


def test_standard_error_by_hand():
    # Perfectly separable but for one mated score in fold 3 of 4: accuracies 1, 1, 1/2, 1, mean
    # 7/8; squared deviations 3 (1/8)^2 + (3/8)^2 = 12/64; / 3 = 1/16; root 1/4; / sqrt(4) = 1/8.
    scores = [9, 1, 9, 1, 0, 1, 9, 1]
    result = ten_fold_accuracy(scores, [True, False] * 4, [0, 0, 1, 1, 2, 2, 3, 3])
    assert result.per_fold.tolist() == [1, 1, 0.5, 1]
    assert result.accuracy == 7 / 8
    assert result.standard_error == pytest.approx(1 / 8)
    # The trap: the population standard deviation of the folds as the ±, sqrt(12/64/4) = 0.2165.
    assert result.standard_error != pytest.approx(np.std(result.per_fold))


def test_trap_threshold_chosen_on_the_tested_fold():
    # Each fold is separable by itself (0.1 of 0, and 0.5 of 0.9), but not at the other's threshold.
    scores, mated = [0.2, 0.0, 0.9, 0.5], [True, False, True, False]
    result = ten_fold_accuracy(scores, mated, [0, 0, 1, 1])
    assert result.accuracy == 0.5


def test_trap_grid_is_another_rule():
    # d = 0.503 mated, 0.507 non-mated: both within one step of the grid, which cannot part them.
    d = np.array([0.503, 0.507] * 4)
    cosines = 1 - d / 2
    mated, folds = np.array([True, False] * 4), np.repeat([0, 1], 4)
    assert ten_fold_accuracy(cosines, mated, folds).accuracy == 1.0
    assert ten_fold_accuracy(cosines, mated, folds, rule="facenet-grid").accuracy == 0.5


def test_facenet_grid_takes_the_first_best_and_is_strict():
    # Exact binary cosines: d = 0.5 mated, d = 1.5 non-mated. d < t is strict, so t = 0.50 still
    # rejects 0.5 and 0.51 is the first that is right about both.
    cosines, mated = [0.75, 0.25] * 2, [True, False] * 2
    result = ten_fold_accuracy(cosines, mated, [0, 0, 1, 1], rule="facenet-grid")
    np.testing.assert_allclose(result.thresholds, [0.51, 0.51])


@pytest.mark.parametrize("bad", [1.2, -3.0, 40.0])
def test_trap_grid_refuses_what_is_not_a_cosine(bad):
    # Log-likelihood ratios, or dot products of concatenated flips (distances up to 8).
    with pytest.raises(ValueError, match=r"index 1 is not a cosine.*use the rule 'exact'"):
        ten_fold_accuracy([0.5, bad, 0.1, 0.2], [True, False] * 2, [0, 0, 1, 1], "facenet-grid")


def test_trap_failures_to_acquire_stay_in_their_fold():
    # 2 folds of 2 mated + 2 non-mated; the first mated comparison of fold 0 has no face.
    scores = [-np.inf, 0.9, 0.1, 0.2, 0.8, 0.9, 0.1, 0.3]
    mated = [True, True, False, False] * 2
    result = ten_fold_accuracy(scores, mated, [0] * 4 + [1] * 4)
    assert result.decisions.tolist() == [False, True, False, False, True, True, False, False]
    assert result.per_fold.tolist() == [0.75, 1.0]  # dropping it would have said 1.0
    # A list from which it was dropped no longer matches the folds, and is refused, not re-cut.
    with pytest.raises(ValueError, match=r"folds has shape \(8,\) but there are 7 scores"):
        ten_fold_accuracy(scores[1:], mated[1:], [0] * 4 + [1] * 4)


def test_failures_are_non_mated_even_at_the_lowest_threshold():
    # Training for fold 1 is 2 mated and 1 non-mated at one score, so "accept everything" is best.
    # Beyond the most negative float that candidate is -inf itself, and still rejects -inf.
    lowest = -np.finfo(np.float64).max
    scores = [lowest, lowest, lowest, -np.inf, 1.0, -np.inf]
    mated = [True, True, False, True, False, False]
    result = ten_fold_accuracy(scores, mated, [0, 0, 0, 1, 1, 1])
    assert result.thresholds[1] == -np.inf
    assert result.decisions[3:].tolist() == [False, True, False]


def test_float32_scores_are_decided_as_float64():
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    scores = np.array([high, low, high, low], dtype=np.float32)
    result = ten_fold_accuracy(scores, [True, False] * 2, [0, 0, 1, 1])
    assert result.accuracy == 1.0
    assert float(low) < result.thresholds[0] < float(high)


def test_unequal_folds_are_averaged_as_folds():
    # Fold accuracies 1 (of 2) and 3/4 (of 4): mean 7/8, not the pooled 5/6.
    scores = [9, 1, 9, 0, 1, 2]
    mated = [True, False, True, True, False, False]
    result = ten_fold_accuracy(scores, mated, [0, 0, 1, 1, 1, 1])
    assert result.per_fold.tolist() == [1.0, 0.75]
    assert result.accuracy == 7 / 8


def test_inputs_are_left_alone_and_results_are_frozen():
    scores, mated = np.array([3.0, 1.0, 4.0, 2.0]), np.array([True, False, True, False])
    folds = np.array([1, 1, 0, 0])
    copies = scores.copy(), mated.copy(), folds.copy()
    result = ten_fold_accuracy(scores, mated, folds)
    for before, after in zip(copies, (scores, mated, folds), strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(ValueError, match="read-only"):
        result.thresholds[0] = 0.0
    with pytest.raises(AttributeError):
        result.accuracy = 1.0


GOOD = ([0.9, 0.1, 0.8, 0.2], [True, False, True, False], [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: [0.9, np.nan, np.nan, 0.2]}, "NaN at index 1"),
        ({0: [0.9, 0.1, np.inf, 0.2]}, r"\+inf at index 2"),
        ({0: []}, "scores is empty"),
        ({0: [[0.9, 0.1, 0.8, 0.2]]}, "one dimension"),
        ({0: ["a", "b", "c", "d"]}, "real numbers"),
        ({1: [True, False, True]}, r"mated has shape \(3,\) but there are 4 scores"),
        ({1: [1, 0, 1, 0]}, "mated must be boolean, not int64; pass mated == 1"),
        ({1: [True] * 4}, "all 4 comparisons are mated"),
        ({1: [False] * 4}, "all 4 comparisons are non-mated"),
        ({2: [0, 0, 1]}, r"folds has shape \(3,\)"),
        ({2: [0.0, 0.0, 1.0, 1.0]}, "folds must be whole numbers"),
        ({2: [7, 7, 7, 7]}, r"there is one fold \(7\)"),
        ({1: [True, True, False, False]}, "no comparison outside fold 0 is mated"),
        ({0: [0.9, 0.1, -np.inf, -np.inf]}, "no comparison outside fold 0 is acquired"),
    ],
)
def test_errors_say_what_and_where(change, message):
    arguments = [change.get(i, value) for i, value in enumerate(GOOD)]
    with pytest.raises(ValueError, match=f"ten_fold_accuracy: .*{message}"):
        ten_fold_accuracy(*arguments)


def test_unknown_rule_names_the_known_ones():
    with pytest.raises(ValueError, match="'exakt'; choose one of exact, facenet-grid"):
        ten_fold_accuracy(*GOOD, rule="exakt")
    assert all(name == rule.name and rule.summary for name, rule in THRESHOLD_RULES.items())
