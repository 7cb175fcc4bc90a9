"""TAR at FAR over splits: by definition, by hand, the traps of IJB-A, and the intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_curve

from facebench.statistics import templates
from facebench.statistics.templates import (
    SplitScores,
    mean_and_deviation,
    people_by_mated,
    people_if_consistent,
    roc_of_splits,
    tar_intervals,
    tar_over_splits,
)
from tests.helpers import brute_force as brute

TARGETS = (0.5, 0.25, 0.1, 0.01)


def split_of(scores, mated, left=None, right=None) -> SplitScores:
    return SplitScores(np.array(scores, np.float64), np.array(mated), left, right)


def tar_by_full_sort(scores, mated, target) -> tuple[float, float]:
    """Sort everything, walk down, and keep the last point whose FAR is at most the target."""
    order = np.argsort(-scores, kind="stable")
    s, m = scores[order], mated[order]
    last = np.append(s[1:] != s[:-1], True) & (s > -np.inf)  # a tied group is accepted as one
    tar, far = np.cumsum(m)[last] / m.sum(), np.cumsum(~m)[last] / (~m).sum()
    allowed = np.flatnonzero(far <= target)
    return (float(tar[allowed[-1]]), float(far[allowed[-1]])) if allowed.size else (0.0, 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(brute.comparisons(), min_size=1, max_size=4))
def test_every_split_equals_the_definition(cases) -> None:
    for found in tar_over_splits([split_of(*case) for case in cases], TARGETS):
        values = []
        for (scores, mated), point in zip(cases, found.points, strict=True):
            threshold, false, true = brute.tar_at_far(scores, mated, found.target)
            assert (point.threshold, point.false_accepts, point.true_accepts) == (
                threshold,
                false,
                true,
            )
            values.append(true / sum(mated))
        assert found.mean == pytest.approx(math.fsum(values) / len(values))
        least = min(mated.count(False) for _, mated in cases)
        assert found.resolvable == (found.target * least >= 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_partition_equals_a_full_sort(dtype) -> None:
    rng = np.random.default_rng(0)
    mated = rng.random(200_000) < 0.01
    scores = np.round(rng.normal(0, 1, 200_000) + 2 * mated, 3).astype(dtype)  # many ties
    scores[rng.random(200_000) < 0.01] = -np.inf
    targets = (0.1, 0.01, 0.001, 0.0001, 0.00001)
    for found in tar_over_splits([SplitScores(scores, mated)], targets):
        expected = tar_by_full_sort(scores, mated, found.target)
        assert (found.points[0].tar, found.points[0].far) == expected


def test_mean_and_standard_deviation_by_hand() -> None:
    # TARs 1/2 and 1: mean 3/4, deviation sqrt((1/16 + 1/16) / 1).
    splits = [
        split_of([5, 1, 4, 3], [True, True, False, False]),
        split_of([5, 5, 4, 3], [True, True, False, False]),
    ]
    found = tar_over_splits(splits, [0.1])[0]
    assert [point.tar for point in found.points] == [0.5, 1.0]
    assert (found.mean, found.spread) == (0.75, math.sqrt(1 / 8))
    assert mean_and_deviation([0.25]) == (0.25, 0.0)


def test_trap_the_nearest_far_is_not_taken() -> None:
    # FARs 0, 1/4, 1/2, ...: 1/4 is nearer to 0.2 than 0 is, and exceeds it.
    scores, mated = [9, 8, 7, 6, 5, 4], [True, False, True, False, False, False]
    found = tar_over_splits([split_of(scores, mated)], [0.2])[0]
    assert (found.points[0].far, found.mean, found.resolvable) == (0.0, 0.5, False)


def test_trap_no_operating_point_is_dropped() -> None:
    # scikit-learn drops points on a straight line; the one at FAR 0.5 is among them here.
    scores = np.array([8, 7, 6, 5, 4, 3, 2, 1.0])
    mated = np.array([True, False, True, False, True, False, True, False])
    scores[0:2] = 8  # tied pairs of one mated and one non-mated: a diagonal
    scores[2:4], scores[4:6], scores[6:8] = 6, 4, 2
    far, _, _ = roc_curve(mated, scores, drop_intermediate=True)
    assert 0.5 not in far
    found = tar_over_splits([SplitScores(scores, mated)], [0.5, 0.25])
    assert [(f.points[0].far, f.mean) for f in found] == [(0.5, 0.5), (0.25, 0.25)]


def test_trap_tar_is_not_interpolated() -> None:
    # Operating points (0, 0) and (1/2, 1): interpolation at 0.25 would give 1/2.
    scores, mated = [5, 5, 1], [True, False, False]
    found = tar_over_splits([split_of(scores, mated)], [0.25])[0]
    assert found.mean == 0.0


def test_trap_failures_stay_in_the_denominators() -> None:
    # Two of four mated comparisons have a template without a face.
    scores = [5, 4, -np.inf, -np.inf, 3, -np.inf]
    found = tar_over_splits([split_of(scores, [True] * 4 + [False] * 2)], [0.5])[0]
    assert found.mean == 0.5 and found.points[0].n_mated == 4


def test_the_roc_has_operating_points_of_one_split_only() -> None:
    rng = np.random.default_rng(3)
    mated = rng.random(3000) < 0.2
    scores = np.round(rng.normal(0, 1, 3000) + mated, 1)
    scores[:40] = -np.inf
    far, tar = roc_of_splits([SplitScores(scores, mated)])
    assert (np.diff(far) > 0).all() and (np.diff(tar) >= 0).all() and far[-1] == 1
    for x, y in zip(far, tar, strict=True):
        assert y == tar_by_full_sort(scores, mated, x)[0]


def test_the_roc_of_splits_is_the_mean_at_each_far() -> None:
    rng = np.random.default_rng(4)
    splits = []
    for size in (500, 800):
        mated = rng.random(size) < 0.2
        splits.append(SplitScores(rng.normal(0, 1, size) + mated, mated))
    far, tar = roc_of_splits(splits)
    for x, y in list(zip(far, tar, strict=True))[::7]:
        each = [tar_by_full_sort(s.scores, s.mated, x + 1e-12)[0] for s in splits]
        assert y == pytest.approx(np.mean(each))


def three_splits(seed: int, people: int = 40) -> list[SplitScores]:
    rng = np.random.default_rng(seed)
    splits = []
    for split in range(3):
        left = rng.integers(0, people, 800) + 5 * split
        mated = rng.random(800) < 0.3
        right = np.where(mated, left, left + 1 + rng.integers(0, people, 800))
        scores = rng.normal(0, 1, 800) + 1.5 * mated + 0.5 * (left % 3)
        splits.append(SplitScores(scores, mated, left, right))
    return splits


def test_intervals_hold_the_value_and_say_their_kind() -> None:
    splits = three_splits(2)
    tars = tar_over_splits(splits, TARGETS)
    found = tar_intervals(splits, tars)
    for tar, interval in zip(tars, found, strict=True):
        assert interval.low <= tar.mean <= interval.high
        assert interval.kind == "dyadic over subjects"


def test_where_people_are_unknown_comparisons_are_independent() -> None:
    splits = [SplitScores(s.scores, s.mated) for s in three_splits(2)]
    tars = tar_over_splits(splits, [0.1])
    (interval,) = tar_intervals(splits, tars)
    assert interval.kind == "wilson over comparisons"
    assert interval.low <= tars[0].mean <= interval.high


def test_of_many_comparisons_the_people_of_the_mated_ones_count(monkeypatch) -> None:
    monkeypatch.setattr(templates, "MANY", 1000)
    splits = three_splits(6)
    tars = tar_over_splits(splits, [0.1])
    (found,) = tar_intervals(splits, tars)
    assert found.kind == "dyadic over subjects, mated comparisons, thresholds held fixed"
    assert found.low < tars[0].mean < found.high
    monkeypatch.setattr(templates, "MANY", 10**9)
    (full,) = tar_intervals(splits, tars)
    # The threshold's own uncertainty is left out: narrower, and of the same order.
    assert 0.3 * (full.high - full.low) < found.high - found.low <= 1.1 * (full.high - full.low)


def test_many_comparisons_of_unknown_people_are_independent(monkeypatch) -> None:
    monkeypatch.setattr(templates, "MANY", 1000)
    splits = [SplitScores(s.scores, s.mated) for s in three_splits(6)]
    (tar,) = tar_over_splits(splits, [0.1])
    (found,) = tar_intervals(splits, [tar])
    assert found.kind == "wilson over comparisons, mated comparisons, thresholds held fixed"
    accepts = sum(point.true_accepts for point in tar.points)
    exact = binomtest(accepts, sum(point.n_mated for point in tar.points)).proportion_ci()
    # A mean over splits of other sizes is not quite the share of all.
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=3e-3)


def test_people_by_their_mated_comparisons() -> None:
    left, right = np.array([0, 1, 3, 0]), np.array([1, 2, 4, 3])
    people = people_by_mated(left, right, np.array([True, True, True, False]), 6)
    assert people[0] == people[1] == people[2]
    assert people[3] == people[4] != people[0]
    assert len(set(people.tolist())) == 3  # and template 5 alone


def test_people_of_all_comparisons_only_where_labels_agree() -> None:
    left, right = np.array([0, 1, 3, 0]), np.array([1, 2, 4, 3])
    mated = np.array([True, True, True, False])
    found = people_if_consistent(left, right, mated, 6)
    assert np.array_equal(found, people_by_mated(left, right, mated, 6))
    left, right = np.append(left, 0), np.append(right, 2)  # joined by 0-1 and 1-2, and non-mated
    assert people_if_consistent(left, right, np.append(mated, False), 6) is None
