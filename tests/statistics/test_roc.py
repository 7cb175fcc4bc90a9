"""ROC, AUC, EER, TAR at FAR: the definitions by brute force, by hand, and others' mistakes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from facebench.statistics import auc, curve_for_plot, eer, roc, tar_at_far
from facebench.statistics.roc import allowed_false_accepts
from tests.helpers import brute_force as brute

TARGETS = [0.001, 0.01, 0.07, 0.1, 0.125, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.6, 0.7, 0.9, 1.0]


@settings(max_examples=1000, deadline=None)
@given(brute.comparisons())
def test_roc_has_every_operating_point(case):
    scores, mated = case
    points = brute.operating_points(scores, mated)
    curve = roc(scores, mated)
    found = zip(curve.thresholds, curve.false_accepts, curve.true_accepts, strict=True)
    assert [(float(t), int(f), int(a)) for t, f, a in found] == points
    assert curve.n_mated == mated.count(True)
    assert curve.far.tolist() == [f / mated.count(False) for _, f, _ in points]
    assert curve.tar.tolist() == [t / mated.count(True) for _, _, t in points]


@settings(max_examples=1000, deadline=None)
@given(brute.comparisons())
def test_auc_equals_the_definition(case):
    assert auc(*case) == float(brute.auc(*case))


@settings(max_examples=1000, deadline=None)
@given(brute.comparisons())
def test_eer_equals_the_definition(case):
    assert eer(*case) == float(brute.eer(*case))


@settings(max_examples=1000, deadline=None)
@given(brute.comparisons(), st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3))
def test_tar_at_far_equals_the_definition(case, targets):
    scores, mated = case
    n_nonmated = mated.count(False)
    points = tar_at_far(scores, mated, targets)
    assert [p.target for p in points] == targets
    for p in points:
        expected = brute.tar_at_far(scores, mated, p.target)
        assert (p.threshold, p.false_accepts, p.true_accepts) == expected
        assert p.far == p.false_accepts / n_nonmated
        assert p.tar == p.true_accepts / mated.count(True)
        assert p.resolvable == (Fraction(str(p.target)) * n_nonmated >= 1)
        # The threshold, applied, gives the counts that are reported.
        taken = [m for s, m in zip(scores, mated, strict=True) if brute.accepts(s, p.threshold)]
        assert (taken.count(False), taken.count(True)) == (p.false_accepts, p.true_accepts)


@settings(max_examples=300, deadline=None)
@given(brute.comparisons(st.lists(st.sampled_from(brute.TIES[1:]), min_size=4, max_size=60)))
def test_agrees_with_scikit_learn_where_both_are_defined(case):
    scores, mated = case
    far, tar, _ = roc_curve(mated, scores, drop_intermediate=False)
    curve = roc(scores, mated)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    assert auc(scores, mated) == pytest.approx(roc_auc_score(mated, scores), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(brute.comparisons(), st.sampled_from(["reverse", "cube"]))
def test_invariances(case, change):
    scores, mated = np.array(case[0]), np.array(case[1])
    if change == "reverse":
        other, flags = scores[::-1], mated[::-1]  # a view with a negative stride
    else:
        ranks = np.searchsorted(np.unique(scores), scores).astype(float)
        other, flags = np.where(scores == -np.inf, scores, ranks**3), mated
    assert auc(other, flags) == auc(scores, mated)
    assert eer(other, flags) == eer(scores, mated)
    tars = [p.tar for p in tar_at_far(scores, mated, TARGETS)]
    assert [p.tar for p in tar_at_far(other, flags, TARGETS)] == tars
    assert tars == sorted(tars)


def test_auc_by_hand():
    # mated 3, 2; non-mated 2, 1: 3>2, 3>1, 2=2 (half), 2>1: 3.5 of 4.
    assert auc([3, 2, 2, 1], [True, True, False, False]) == 0.875
    # Failures tie with each other: mated 1, -inf; non-mated 0, -inf: 1 + 1 + 0 + 1/2 of 4.
    assert auc([1, -np.inf, 0, -np.inf], [True, True, False, False]) == 0.625


def test_auc_does_not_overflow_small_integers():
    scores = np.tile(np.array([1, 0], dtype=np.int8), 3000)
    assert auc(scores, scores == 1) == 1.0  # of 3,000 x 3,000 pairs


def test_eer_by_hand():
    # Descending: m m n m n n (3 and 3). Points (FA, TA): (0,0) (0,1) (0,2) (1,2) (1,3) (2,3) (3,3).
    # FAR = FRR at (1/3, 2/3): exactly an operating point.
    assert eer([6, 5, 4, 3, 2, 1], [True, True, False, True, False, False]) == 1 / 3
    # Descending: m n m, 2 mated and 1 non-mated: (0,0) (0,1/2) (1,1/2) (1,1). FAR - FRR goes from
    # -1/2 at (0,1/2) to 1/2 at (1,1/2): half way on that segment, FAR = 1/2.
    assert eer([3, 2, 1], [True, False, True]) == 0.5
    # A tied group of 1 mated and 3 non-mated below 1 mated, above nothing: (0,0) (0,1/2) (1,1);
    # x = u, 1 - y = 1/2 - u/2, equal at u = 1/3.
    assert eer([2, 1, 1, 1, 1], [True, True, False, False, False]) == 1 / 3
    assert eer([2, 1], [True, False]) == 0.0
    assert eer([1, 2], [True, False]) == 1.0
    assert eer([1, 1], [True, False]) == 0.5


def test_eer_where_faces_were_not_acquired():
    # 1 of 2 mated lost: (0,0) (0,1/2) (1/2,1/2): the crossing is the operating point (1/2,1/2).
    assert eer([2, -np.inf, 1, -np.inf], [True, True, False, False]) == 0.5
    assert eer([-np.inf, -np.inf], [True, False]) == 0.5


def test_tar_at_far_by_hand():
    # 10 non-mated: 9 8 7 6 5 4 3 2 1 0; mated: 9.5 8.5 8 0.5.
    scores = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9.5, 8.5, 8, 0.5]
    mated = [False] * 10 + [True] * 4
    tenth, fifth, all_ = tar_at_far(scores, mated, [0.1, 0.2, 1.0])
    # One false accept: above 8, the second highest non-mated; the lowest observed above is 8.5.
    assert (tenth.tar, tenth.far, tenth.threshold) == (0.5, 0.1, 8.5)
    # Two: above 7; the lowest observed is 8, which is both mated and non-mated.
    assert (fifth.tar, fifth.far, fifth.threshold) == (0.75, 0.2, 8.0)
    assert (all_.tar, all_.far, all_.threshold) == (1.0, 1.0, 0.0)
    assert tenth.resolvable and (tenth.n_mated, tenth.n_nonmated) == (4, 10)


def test_target_out_of_reach_is_said_to_be():
    # 0.05 of 10 non-mated is half a comparison: TAR without a false accept, above 9.
    scores, mated = [*range(10), 9.5, 8.5], [False] * 10 + [True] * 2
    (point,) = tar_at_far(scores, mated, [0.05])
    assert not point.resolvable
    assert (point.tar, point.far, point.threshold) == (0.5, 0.0, 9.5)


def test_nothing_acceptable():
    # The highest score is non-mated: the threshold is the next float, and nothing is accepted.
    (point,) = tar_at_far([3.0, 2.0], [False, True], [0.5])
    assert (point.tar, point.far, point.threshold) == (0, 0, math.nextafter(3.0, math.inf))


def test_ties_at_the_boundary_are_accepted_together_or_not_at_all():
    # Non-mated 5 4 4 4 1 0 0 0 0 0; mated 5 4 4 3. Target 0.3 allows three; accepting one 4 means
    # accepting four. So above 4.
    scores = [5, 4, 4, 4, 1, 0, 0, 0, 0, 0, 5, 4, 4, 3]
    mated = [False] * 10 + [True] * 4
    at_3, at_4 = tar_at_far(scores, mated, [0.3, 0.4])
    assert (at_3.far, at_3.tar, at_3.threshold) == (0.1, 0.25, 5.0)
    assert (at_4.far, at_4.tar, at_4.threshold) == (0.4, 1.0, 3.0)


def test_trap_nearest_far():
    # Target 0.16 of 10: the nearest FAR is 0.2, the largest that does not exceed it 0.1.
    scores, mated = [*range(10), 8.5, 7.5], [False] * 10 + [True] * 2
    (point,) = tar_at_far(scores, mated, [0.16])
    far, tar, _ = roc_curve(mated, scores, drop_intermediate=False)
    nearest = tar[np.flatnonzero(far == far[np.argmin(np.abs(far - 0.16))])[-1]]
    assert nearest == 1.0
    assert (point.far, point.tar) == (0.1, 0.5)


def test_trap_interpolated_tar():
    # Pairs of one mated and one non-mated at each score: TAR 0.5 at FAR 0.5, then 0.75 at 0.75.
    scores, mated = [4, 4, 3, 3, 2, 2, 1, 1], [True, False] * 4
    curve, (point,) = roc(scores, mated), tar_at_far(scores, mated, [0.6])
    assert np.interp(0.6, curve.far, curve.tar) == pytest.approx(0.6)
    assert (point.far, point.tar) == (0.5, 0.5)


def test_trap_dropped_operating_points():
    # On the same scores the points are collinear, and scikit-learn by default keeps only the first
    # and the last: the last one with FAR at most 0.5 is then (0.25, 0.25).
    scores, mated = [4, 4, 3, 3, 2, 2, 1, 1], [True, False] * 4
    far, tar, _ = roc_curve(mated, scores)
    assert tar[np.flatnonzero(far <= 0.5)[-1]] == 0.25
    assert tar_at_far(scores, mated, [0.5])[0].tar == 0.5
    assert roc(scores, mated).far.tolist() == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("target", "n", "allowed"),
    [
        *[(0.1, 30, 3), (0.3, 10, 3), (0.001, 3000, 3), (0.29, 100, 29), (0.57, 100, 57)],
        *[(1e-5, 100_000, 1), (1e-6, 15_658_489, 15), (0.001, 2999, 2), (1.0, 7, 7), (1, 7, 7)],
        (np.float32(0.1), 30, 3),
    ],
)
def test_trap_false_accepts_allowed_are_counted_exactly(target, n, allowed):
    # In binary 0.29 * 100 is 28.999999999999996, and float32's 0.1 is a little above 0.1.
    assert allowed_false_accepts(target, n) == allowed


def test_trap_failures_leave_the_denominators():
    # 4 mated of which 2 were not acquired, 4 non-mated of which 1: shares are of four.
    scores = [4, 3, -np.inf, -np.inf, 2, 1, 0, -np.inf]
    mated = [True] * 4 + [False] * 4
    first, last = tar_at_far(scores, mated, [0.25, 1.0])
    assert (first.tar, first.far) == (0.5, 0.25)
    assert (last.tar, last.far, last.threshold) == (0.5, 0.75, 0.0)
    curve = roc(scores, mated)
    assert (curve.far[-1], curve.tar[-1]) == (0.75, 0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threshold_can_be_applied_in_the_dtype_of_the_scores(dtype):
    rng = np.random.default_rng(3)
    scores = rng.normal(size=3000).astype(dtype)
    mated = rng.random(3000) < 0.3
    for p in tar_at_far(scores, mated, [1e-9, 0.001, 0.01, 0.1]):
        taken = scores >= p.threshold  # NumPy compares a Python float as the array's dtype
        assert np.count_nonzero(taken & ~mated) == p.false_accepts
        assert np.count_nonzero(taken & mated) == p.true_accepts


def test_large_random_lists_agree_with_the_whole_curve():
    rng = np.random.default_rng(4)
    scores = np.round(rng.normal(size=50_000), 3)
    mated = rng.random(50_000) < 0.02
    scores[mated] += 2
    far, tar, thresholds = roc_curve(mated, scores, drop_intermediate=False)
    for p in tar_at_far(scores, mated, [1e-4, 1e-3, 1e-2, 0.1, 0.5]):
        i = np.flatnonzero(far <= p.target)[-1]
        assert (p.far, p.tar, p.threshold) == pytest.approx((far[i], tar[i], thresholds[i]))


@settings(max_examples=300, deadline=None)
@given(brute.comparisons(), st.integers(2, 30))
def test_plotted_curve_is_exact_at_the_decades_and_never_above(case, points):
    scores, mated = case
    curve = roc(scores, mated)
    thin = curve_for_plot(curve, points)
    n = curve.n_nonmated
    full = list(zip(curve.far, curve.tar, curve.thresholds, strict=True))
    assert all(row in full for row in zip(thin.far, thin.tar, thin.thresholds, strict=True))
    assert (np.diff(thin.far) > 0).all()
    assert (thin.far[0], thin.far[-1]) == (0.0, curve.far[-1])
    assert thin.tar[-1] == curve.tar[-1]
    for decade in range(len(str(n))):
        whole = curve.tar[curve.false_accepts * 10**decade <= n][-1]
        assert thin.tar[np.round(thin.far * n) * 10**decade <= n][-1] == whole


@pytest.mark.parametrize("points", [2, 3, 7, 50])
def test_plotted_curve_keeps_every_decade_of_a_long_list(points):
    rng = np.random.default_rng(6)
    mated = rng.random(5000) < 0.3
    curve = roc(rng.normal(size=5000) + mated, mated)
    thin = curve_for_plot(curve, points)
    for target in (0.001, 0.01, 0.1, 1.0):
        i, j = (np.flatnonzero(c.far <= target)[-1] for c in (curve, thin))
        assert (thin.far[j], thin.tar[j]) == (curve.far[i], curve.tar[i])


def test_plotted_curve_is_small():
    rng = np.random.default_rng(5)
    mated = rng.random(200_000) < 0.1
    curve = roc(rng.normal(size=200_000) + mated, mated)
    assert curve.far.size > 190_000
    assert curve_for_plot(curve, 200).far.size < 215
    with pytest.raises(ValueError, match="points is 1"):
        curve_for_plot(curve, 1)


def test_inputs_are_left_alone():
    scores, mated = np.array([3.0, 1.0, 4.0, 1.5]), np.array([True, False, True, False])
    roc(scores, mated), auc(scores, mated), eer(scores, mated), tar_at_far(scores, mated, [0.5])
    assert scores.tolist() == [3.0, 1.0, 4.0, 1.5]


@pytest.mark.parametrize("function", [roc, auc, eer, lambda s, m: tar_at_far(s, m, [0.1])])
@pytest.mark.parametrize(
    ("scores", "mated", "message"),
    [
        ([0.9, np.nan], [True, False], "NaN at index 1"),
        ([0.9, np.inf], [True, False], r"\+inf at index 1"),
        ([], [], "scores is empty"),
        ([0.9, 0.1], [True], "mated has shape"),
        ([0.9, 0.1], [True, True], "all 2 comparisons are mated"),
        ([0.9, 0.1], [False, False], "all 2 comparisons are non-mated"),
    ],
)
def test_errors(function, scores, mated, message):
    with pytest.raises(ValueError, match=message):
        function(scores, mated)


@pytest.mark.parametrize("target", [0.0, -0.1, 1.5, math.nan, math.inf, "a few"])
def test_bad_targets(target):
    with pytest.raises(ValueError, match="FAR target"):
        tar_at_far([0.9, 0.1], [True, False], [target])
