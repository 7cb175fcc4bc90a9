"""The statistics of a verification record: complete, consistent, and honest about failures."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from facebench.statistics import (
    auc,
    eer,
    tar_at_far,
    tar_key,
    ten_fold_accuracy,
    verification_statistics,
)
from tests.helpers import brute_force as brute


def lfw_like(seed=0):
    """10 folds of 30 mated and 30 non-mated comparisons; no person is in two folds."""
    rng = np.random.default_rng(seed)
    folds = np.repeat(np.arange(10), 60)
    mated = np.tile(np.repeat([True, False], 30), 10)
    a = folds * 20 + rng.integers(0, 20, 600)
    b = np.where(mated, a, folds * 20 + (a + rng.integers(1, 20, 600)) % 20)
    scores = np.where(mated, 0.6, 0.1) + rng.normal(0, 0.2, 600)
    return scores, mated, folds, a, b


def statistics_of(scores, mated, folds, a, b, acquired=None, **options):
    acquired = np.ones(len(mated), dtype=bool) if acquired is None else acquired
    options = {"draws": 100} | options
    return verification_statistics(scores, mated, folds, a, b, acquired, **options)


def test_everything_agrees_with_its_own_function():
    scores, mated, folds, a, b = lfw_like()
    acquired = np.ones(600, dtype=bool)
    acquired[[0, 35, 100]] = False  # 0 is mated, 35 and 100 are non-mated
    scores[0] = np.nan  # whatever was stored for a face that was not found
    result = statistics_of(scores, mated, folds, a, b, acquired)
    held = np.where(acquired, scores, -np.inf)

    assert (result.n_comparisons, result.n_mated, result.n_nonmated) == (600, 300, 300)
    assert (result.failures_to_acquire, result.failure_share) == (3, 0.005)
    assert result.n_subjects == len(set(a) | set(b))
    expected = ten_fold_accuracy(held, mated, folds)
    assert result.accuracy.accuracy == expected.accuracy
    assert result.accuracy.decisions.tolist() == expected.decisions.tolist()
    assert not result.accuracy.decisions[[0, 35, 100]].any()
    assert (result.auc, result.eer) == (auc(held, mated), eer(held, mated))
    assert list(result.tar_at_far) == tar_at_far(held, mated, [0.1, 0.01, 0.001])
    assert [p.resolvable for p in result.tar_at_far] == [True, True, False]

    keys = ["accuracy", "auc", "eer", *map(tar_key, (0.1, 0.01, 0.001))]
    values = [expected.accuracy, result.auc, result.eer, *(p.tar for p in result.tar_at_far)]
    assert list(result.intervals) == keys
    for value, interval in zip(values, result.intervals.values(), strict=True):
        assert interval.low < value < interval.high
        assert (interval.level, interval.kind) == (0.95, "dyadic over subjects")
    assert result.draws == 100
    assert (result.curve.far[0], result.curve.tar[-1]) == (0.0, 299 / 300)


def test_failures_count_against_the_model_and_are_not_dropped():
    scores, mated, folds, a, b = lfw_like()
    acquired = np.ones(600, dtype=bool)
    acquired[mated & (np.arange(600) % 2 == 0)] = False  # half of the mated comparisons
    result = statistics_of(scores, mated, folds, a, b, acquired, draws=0)
    assert result.n_comparisons == 600
    assert result.failure_share == 0.25
    assert result.tar_at_far[0].tar <= 0.5
    assert result.accuracy.accuracy <= 0.75


def test_accuracy_is_over_people_by_the_definition():
    scores, mated, folds, a, b = lfw_like()
    result = statistics_of(scores, mated, folds, a, b)
    right = result.accuracy.decisions == mated
    residual = (right - np.where(mated, right[mated].mean(), right[~mated].mean())) / 600
    variance = brute.shared_variance(residual, zip(a, b, strict=True))
    people = [residual[(a == s) | (b == s)].size for s in range(200)]
    freedom = sum(people) ** 2 / sum(m * m for m in people) - 1
    error, z = math.sqrt(variance) * (1 + 1 / freedom), stats.t.ppf(0.975, freedom)
    share = right.mean()
    effective = min(600, share * (1 - share) / error**2)
    # Wilson's ends solve (p - share)^2 = z^2 p (1 - p) / n.
    solved = np.roots([1 + z**2 / effective, -2 * share - z**2 / effective, share**2])
    exact = stats.binomtest(int(right.sum()), 600).proportion_ci(0.95, method="exact")
    expected = min(*solved, exact.low), max(*solved, exact.high)
    found = result.intervals["accuracy"]
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)


def test_people_need_no_draws_and_unknown_ones_are_said():
    scores, mated, folds, a, b = lfw_like()
    assert (
        statistics_of(scores, mated, folds, a, b, draws=0).intervals
        == statistics_of(scores, mated, folds, a, b).intervals
    )
    some = statistics_of(scores, mated, folds, None, None)
    assert some.n_subjects is None
    assert {interval.kind for interval in some.intervals.values()} == {"wilson over comparisons"}
    right = int((some.accuracy.decisions == mated).sum())
    exact = stats.binomtest(right, 600).proportion_ci(0.95, method="exact")
    found = some.intervals["accuracy"]
    assert found.low <= exact.low + 1e-12 and found.high >= exact.high - 1e-12
    assert found.high - found.low < 1.1 * (exact.high - exact.low)


def test_separation_by_hand():
    # mated 3, 5 (mean 4, variance 2), non-mated 0, 2, and one lost (mean 1, variance 2):
    # d' = 3 / sqrt((2 + 2) / 2) = 3 / sqrt(2).
    result = statistics_of(
        [3.0, 0.0, 5.0, 2.0, 9.0],
        np.array([True, False, True, False, False]),
        [0, 0, 1, 1, 1],
        None,
        None,
        np.array([True, True, True, True, False]),
        draws=0,
    )
    s = result.separation
    assert (s.mated_mean, s.nonmated_mean) == (4.0, 1.0)
    assert (s.mated_std, s.nonmated_std) == (pytest.approx(math.sqrt(2)),) * 2
    assert s.d_prime == pytest.approx(3 / math.sqrt(2))


def test_separation_is_none_where_undefined():
    scores, mated = [1.0, 0.0, 1.0, 0.0], np.array([True, False, True, False])
    s = statistics_of(scores, mated, [0, 0, 1, 1], None, None, draws=0).separation
    assert (s.mated_mean, s.mated_std, s.d_prime) == (1.0, 0.0, None)
    lost = np.array([True, True, False, True])
    scores, mated, folds = [1.0, 0.0, 1.0, 0.0], mated, [0, 0, 1, 1]
    s = statistics_of(scores, mated, folds, None, None, lost, draws=0).separation
    assert (s.mated_mean, s.mated_std, s.d_prime) == (1.0, None, None)


def test_float32_scores_stay_exact():
    scores, mated, folds, a, b = lfw_like()
    narrow = scores.astype(np.float32)
    one = statistics_of(narrow, mated, folds, a, b)
    two = statistics_of(narrow.astype(np.float64), mated, folds, a, b)
    assert one.accuracy.accuracy == two.accuracy.accuracy
    assert (one.auc, one.eer, one.tar_at_far) == (two.auc, two.eer, two.tar_at_far)
    assert one.intervals == two.intervals


def test_the_same_again_and_inputs_left_alone():
    case = lfw_like()
    copies = [column.copy() for column in case]
    one, two = statistics_of(*case), statistics_of(*case)
    assert one.intervals == two.intervals
    for before, after in zip(copies, case, strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.auc = 1.0
    with pytest.raises(TypeError):
        one.intervals["auc"] = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.9, -np.inf, 0.8, 0.2]}, "comparison 1 has the score -inf but is marked"),
        ({"scores": [0.9, np.nan, 0.8, 0.2]}, "NaN at index 1"),
        ({"scores": [0.9, 0.1, 0.8]}, r"acquired has shape \(4,\) but there are 3 scores"),
        ({"scores": ["a"] * 4}, "list of real numbers"),
        ({"mated": [True, False]}, "mated has shape"),
        ({"mated": [True] * 4}, "all 4 comparisons are mated"),
        ({"folds": [0, 0, 0, 0]}, "there is one fold"),
        ({"a": ["x", "x", "y", "x"]}, "comparison 3 is non-mated but its subjects are x and x"),
        ({"acquired": [1, 1, 1, 1]}, "acquired must be boolean"),
        ({"draws": -1}, "draws is -1"),
        ({"rule": "best"}, "there is no threshold rule 'best'"),
        ({"targets": (0.1, 0.0)}, "FAR target 0.0"),
        ({"level": 95}, "level is 95"),
    ],
)
def test_errors(change, message):
    good = {
        "scores": [0.9, 0.1, 0.8, 0.2],
        "mated": [True, False, True, False],
        "folds": [0, 0, 1, 1],
        "a": ["x", "x", "y", "y"],
        "b": ["x", "y", "y", "x"],
        "acquired": [True] * 4,
    }
    g = good | change
    options = {key: g[key] for key in ("draws", "rule", "targets", "level") if key in g}
    with pytest.raises(ValueError, match=message):
        statistics_of(g["scores"], g["mated"], g["folds"], g["a"], g["b"], g["acquired"], **options)
