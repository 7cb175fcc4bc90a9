"""Influences: by their definitions, and by what a small change of the data does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from facebench.statistics import auc, eer, tar_at_far
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.influence import (
    accepted_above,
    fold_weights,
    of_auc,
    of_eer,
    of_share,
    of_tar,
)
from facebench.statistics.weighted import auc_statistic
from tests.helpers.brute_force import comparisons


def normal_scores(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Sharing]:
    rng = np.random.default_rng(seed)
    mated = np.arange(n) % 2 == 0
    sharing = Sharing.of(Units.of(mated, None, None, "test"))
    return rng.normal(size=n) + 2.0 * mated, mated, sharing


@settings(max_examples=200, deadline=None)
@given(comparisons())
def test_auc_is_the_placement_among_the_other_kind(case) -> None:
    scores, mated = np.array(case[0]), np.array(case[1])
    found, area = of_auc(scores, mated), auc(scores, mated)
    for i, score in enumerate(scores):
        others = scores[mated != mated[i]]
        above = np.mean(score > others) + np.mean(score == others) / 2
        place = above if mated[i] else 1 - above
        expected = (place - area) / np.count_nonzero(mated == mated[i])
        assert found[i] == pytest.approx(expected, abs=1e-12)


def test_auc_is_what_a_little_more_weight_does() -> None:
    """The value with one comparison counted once more, to first order."""
    scores, mated, _ = normal_scores(200)
    found, of_weights = of_auc(scores, mated), auc_statistic(scores, mated)
    weights = 1000 * np.ones((200, 200), dtype=np.int64) + np.eye(200, dtype=np.int64)
    moved = 1000 * (of_weights(weights) - auc(scores, mated))
    np.testing.assert_allclose(moved, found, atol=1e-4 * np.abs(found).max() + 1e-5)


@settings(max_examples=200, deadline=None)
@given(comparisons())
def test_all_sum_to_zero_in_each_kind(case) -> None:
    scores, mated = np.array(case[0]), np.array(case[1])
    sharing = Sharing.of(Units.of(mated, None, None, "test"))
    found = [
        of_auc(scores, mated),
        of_eer(scores, mated, eer(scores, mated), sharing),
        of_tar(scores, mated, 0.1, sharing)[0],
        of_share(scores > 0, mated, np.full(scores.size, 1 / scores.size)),
    ]
    for influence in found:
        assert np.isfinite(influence).all()
        assert influence[mated].sum() == pytest.approx(0, abs=1e-12)
        assert influence[~mated].sum() == pytest.approx(0, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(comparisons())
def test_what_is_accepted_is_what_tar_at_far_accepts(case) -> None:
    scores, mated = np.array(case[0]), np.array(case[1])
    for target in (0.5, 0.1, 1.0):
        (point,) = tar_at_far(scores, mated, [target])
        allowed = int(target * np.count_nonzero(~mated) + 1e-9)
        accepted = accepted_above(scores, mated, allowed)
        assert (accepted & mated).sum() == point.true_accepts
        assert (accepted & ~mated).sum() == point.false_accepts


@pytest.mark.parametrize("target", [0.1, 0.01])
def test_tar_has_the_error_of_normal_scores(target: float) -> None:
    """TAR = Phi(2 - z): its variance is that of a share and of a quantile (Woodruff 1952)."""
    from scipy.stats import norm

    z = norm.isf(target)
    tar, slope = norm.cdf(2 - z), norm.pdf(z - 2) / norm.pdf(z)
    n = 20_000
    expected = (tar * (1 - tar) + slope**2 * target * (1 - target)) / (n / 2)
    found = []
    for seed in range(8):
        scores, mated, sharing = normal_scores(n, seed)
        found.append(sharing.variance(of_tar(scores, mated, target, sharing)[0]))
    assert np.mean(found) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("apart", [1.5, 3.0])
def test_tar_without_a_false_accept_has_the_error_of_the_highest_score(apart: float) -> None:
    """What 300 lists of 300 + 300 comparisons show; the threshold is most of it."""
    tars, variances = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        mated = np.arange(600) % 2 == 0
        scores = rng.normal(size=600) + apart * mated
        sharing = Sharing.of(Units.of(mated, None, None, "test"))
        (point,) = tar_at_far(scores, mated, [0.001])
        assert point.false_accepts == 0 and not point.resolvable
        tars.append(point.tar)
        variances.append(sharing.variance(of_tar(scores, mated, 0.001, sharing)[0]))
    assert 0.9 < np.sqrt(np.mean(variances)) / np.std(tars) < 2.5


def test_eer_has_the_error_of_normal_scores() -> None:
    """By symmetry half of each rate's: the variance is E (1 - E) / 2 over half of n."""
    from scipy.stats import norm

    error, n = norm.cdf(-1), 20_000
    scores, mated, sharing = normal_scores(n)
    found = sharing.variance(of_eer(scores, mated, eer(scores, mated), sharing))
    assert found == pytest.approx(error * (1 - error) / 2 / (n / 2), rel=0.1)


def test_a_share_is_less_the_mean_of_its_kind() -> None:
    right = np.array([True, False, True, True])
    mated = np.array([True, True, False, False])
    found = of_share(right, mated, np.full(4, 0.25))
    assert found.tolist() == [0.125, -0.125, 0.0, 0.0]


def test_folds_count_the_same_whatever_their_size() -> None:
    assert fold_weights(np.array([1, 1, 1, 2])).tolist() == [1 / 6] * 3 + [1 / 2]
