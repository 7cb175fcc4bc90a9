"""Log-likelihood ratios and what they cost, against independent computations."""

from __future__ import annotations

from fractions import Fraction
from math import exp, inf, log, log2

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from facebench.statistics.calibration.likelihood import (
    LikelihoodRatio,
    best_ratios,
    cllr,
    fit_likelihood,
    likelihood_cost,
    min_cllr,
    probability,
)
from facebench.statistics.intervals.bootstrap import Units
from tests.helpers import brute_force as brute


def drawn(seed: int, mated: int = 60, nonmated: int = 200, apart: float = 2.0):
    rng = np.random.default_rng(seed)
    flags = np.arange(mated + nonmated) < mated
    return np.round(rng.normal(size=flags.size) + apart * flags, 2) / 7, flags


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_the_minimum_of_the_penalised_loss(seed):
    """Found by another solver, of the loss as it is written down."""
    scores, mated = drawn(seed, apart=1.0 + seed)
    kinds = scores[mated], scores[~mated]
    centre = (kinds[0].mean() + kinds[1].mean()) / 2
    scale = ((kinds[0].var() + kinds[1].var()) / 2) ** 0.5
    z, fewer = (scores - centre) / scale, min(len(kind) for kind in kinds)

    def loss(at):
        ratios = at[0] * z + at[1]
        own, other = np.logaddexp(0, -ratios[mated]), np.logaddexp(0, ratios[~mated])
        return fewer * (own.mean() + other.mean()) + at[0] ** 2 / 2

    best = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-7}).x
    found = fit_likelihood(scores, mated)
    assert found.slope * scale == pytest.approx(best[0], rel=1e-5)
    assert found.intercept + found.slope * centre == pytest.approx(best[1], abs=1e-5)


@pytest.mark.parametrize("fits", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_fit_leaves_nothing_to_gain(fits: int):
    """The penalised loss is strictly convex: where its two derivatives are zero is its minimum."""
    rng = np.random.default_rng(0)
    for _ in range(fits):
        mated, nonmated = rng.integers(2, 12, 2)
        scores, flags = drawn(rng.integers(10**9), mated, nonmated, rng.uniform(0.5, 4))
        kinds = scores[flags], scores[~flags]
        if kinds[0].mean() <= kinds[1].mean():
            continue
        scale = ((kinds[0].var() + kinds[1].var()) / 2) ** 0.5
        found, fewer = fit_likelihood(scores, flags), min(mated, nonmated)
        ratios = found.of(scores)
        off = np.where(flags, -1 / mated, 1 / nonmated) / (
            1 + np.exp(np.where(flags, 1, -1) * ratios)
        )
        z = (scores - (kinds[0].mean() + kinds[1].mean()) / 2) / scale
        assert fewer * off.sum() == pytest.approx(0, abs=1e-7)
        assert fewer * (off @ z) + found.slope * scale == pytest.approx(0, abs=1e-7)


def test_the_fit_is_scikit_learns_balanced_logistic_regression():
    scores, mated = drawn(1, mated=150, nonmated=150)
    scale = np.sqrt((scores[mated].var() + scores[~mated].var()) / 2)
    # Weights of one on either side, and the penalty in the scores' own units.
    model = LogisticRegression(C=1 / scale**2, class_weight="balanced", tol=1e-12, max_iter=10_000)
    model.fit(scores[:, None], mated)
    found = fit_likelihood(scores, mated)
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=1e-5)
    assert found.intercept == pytest.approx(model.intercept_[0], rel=1e-5)


def test_the_share_of_mated_comparisons_is_no_prior():
    """Ten times as many of the more frequent kind leave ratios and costs as they are."""
    scores, mated = drawn(2)
    times = np.where(mated, 1, 10)
    many = np.repeat(scores, times), np.repeat(mated, times)
    one, other = fit_likelihood(scores, mated), fit_likelihood(*many)
    assert other.slope == pytest.approx(one.slope, rel=1e-9)
    assert other.intercept == pytest.approx(one.intercept, rel=1e-9)
    ratios = one.of(scores), one.of(many[0])
    assert cllr(ratios[1], many[1]) == pytest.approx(cllr(ratios[0], mated), rel=1e-12)
    assert min_cllr(*many) == pytest.approx(min_cllr(scores, mated), rel=1e-9)


def test_any_unit_of_the_scores_gives_the_same_ratios():
    scores, mated = drawn(3)
    one, other = fit_likelihood(scores, mated), fit_likelihood(1000 * scores - 5, mated)
    assert one.of(scores) == pytest.approx(other.of(1000 * scores - 5), rel=1e-7, abs=1e-7)


def test_scores_without_an_error_have_a_finite_slope():
    found = fit_likelihood([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    assert 0 < found.slope < 100
    assert found.intercept == pytest.approx(-found.slope / 2, rel=1e-6)
    assert fit_likelihood([0.2, 0.2, 0.8], [False, False, True]).slope > 0


@pytest.mark.parametrize("scores", [[0.9, 0.8, 0.2, 0.1], [0.5, 0.5, 0.5, 0.5]])
def test_distances_are_no_similarities(scores):
    with pytest.raises(ValueError, match="look like distances"):
        fit_likelihood(scores, [False, False, True, True])


def test_scores_that_hardly_differ_are_refused_by_their_size():
    with pytest.raises(ValueError, match="differ by no more than 5e-41; multiply them"):
        fit_likelihood([0, 1e-40, 3e-40, 4e-40], [False, False, True, True])


@settings(max_examples=200, deadline=None)
@given(brute.comparisons())
def test_the_least_cost_is_that_of_pooled_adjacent_violators(case):
    check(case)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(brute.comparisons())
def test_it_is_so_in_a_thousand_cases(case):
    check(case)


@np.errstate(over="ignore")
def check(case):
    scores, mated = np.array(case[0], dtype=float), np.array(case[1])
    there = scores > -np.inf
    scores, mated = scores[there], mated[there]
    if mated.all() or not mated.any():
        return
    ratios = pooled(scores.tolist(), mated.tolist())
    assert best_ratios(scores, mated) == pytest.approx(ratios, rel=1e-9, abs=1e-9)
    costs = {True: [], False: []}
    for ratio, kind in zip(ratios, mated.tolist(), strict=True):
        costs[kind].append(bits(ratio if kind else -ratio))
    least = sum(sum(each) / len(each) for each in costs.values()) / 2
    assert min_cllr(scores, mated) == pytest.approx(least, rel=1e-9, abs=1e-12)
    for slope, intercept in ((1.0, 0.0), (3.0, -1.0), (0.1, 0.5)):
        assert cllr(slope * scores + intercept, mated) >= least - 1e-12


def bits(ratio: float) -> float:
    return 0.0 if ratio == inf else log2(1 + exp(-ratio))


def pooled(scores: list[float], mated: list[bool]) -> list[float]:
    """Ratios by merging blocks, lowest score first, while one has no larger share than the last."""
    blocks: list[tuple[int, int, list[float]]] = []
    for score in sorted(set(scores)):
        kinds = [kind for one, kind in zip(scores, mated, strict=True) if one == score]
        blocks.append((sum(kinds), len(kinds), [score]))
        while len(blocks) > 1 and Fraction(*blocks[-2][:2]) >= Fraction(*blocks[-1][:2]):
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    prior, of_score = Fraction(sum(mated), len(mated) - sum(mated)), {}
    for hits, number, inside in blocks:
        odds = Fraction(hits, number - hits) / prior if hits < number else None
        ratio = inf if odds is None else log(odds) if odds else -inf
        of_score |= dict.fromkeys(inside, ratio)
    return [of_score[score] for score in scores]


def test_scores_that_hardly_differ_are_not_equal():
    close = [1.0, 1.0 + 2.3e-16, 1.0 + 4.5e-16]
    assert min_cllr(close, [False, True, True]) == 0


def test_costs_by_hand_and_by_scikit_learn():
    mated = np.array([True, False, False])
    assert cllr([0.0, 0.0, 0.0], mated) == 1.0
    assert cllr([inf, -inf, -inf], mated) == 0.0
    assert cllr([-inf, 0.0, 0.0], mated) == inf
    # log2(1 + 1/3) of the mated one, and log2(1 + 1/3), log2(1 + 1) of the others
    found = cllr([log(3), -log(3), 0.0], mated)
    assert found == pytest.approx((log2(4 / 3) + (log2(4 / 3) + 1) / 2) / 2, rel=1e-12)
    scores, flags = drawn(5)
    ratios = fit_likelihood(scores, flags).of(scores)
    weights = np.where(flags, 1 / flags.sum(), 1 / (~flags).sum())
    shares = 1 / (1 + np.exp(-ratios))
    reckoned = log_loss(flags, shares, sample_weight=weights) / log(2)
    assert cllr(ratios, flags) == pytest.approx(reckoned, rel=1e-12)


def test_a_probability_takes_a_stated_prior():
    # Bayes: odds of 1 to 99 before, times 9, are 9 to 99.
    assert probability(log(9), 0.01) == pytest.approx(9 / 108, rel=1e-12)
    assert LikelihoodRatio(2.0, -1.0).probability(0.5, 0.3) == pytest.approx(0.3, rel=1e-12)
    assert probability(-1e6, 0.5) == 0.0 and probability(1e6, 0.5) == 1.0
    for prior in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="give a share above 0 and below 1"):
            probability(0.0, prior)


def test_failures_are_left_out_and_counted():
    scores, mated = drawn(6)
    units = Units.of(mated, None, None, "test")
    ratio = fit_likelihood(scores, mated)
    whole = likelihood_cost(ratio, scores, units)
    lost = np.append(scores, [-inf, -inf])
    flags = np.append(mated, [True, False])
    assert fit_likelihood(lost, flags) == ratio
    found = likelihood_cost(ratio, lost, Units.of(flags, None, None, "test"))
    assert (found.value, found.best, found.failures) == (whole.value, whole.best, 2)
    assert whole.failures == 0 and whole.interval.kind == "normal over comparisons"
    assert whole.calibration_loss == whole.value - whole.best > 0


@pytest.mark.slow
def test_the_interval_of_the_cost_covers():
    """Of 1,000 lists whose comparisons share people: at least 93% and at most 97%."""
    ratio, people, covered = LikelihoodRatio(2.0, -2.0), 120, 0
    rng = np.random.default_rng(0)

    def scores_of(left, right, mated, count):
        own = rng.normal(scale=0.5, size=count)
        return rng.normal(size=mated.size) + own[left] + own[right] + 2 * mated

    def list_of(n, count):
        mated = np.arange(n) % 2 == 0
        left = rng.integers(0, count, n)
        return mated, left, np.where(mated, left, (left + rng.integers(1, count, n)) % count)

    mated, left, right = list_of(2_000_000, 2_000_000)
    truth = cllr(ratio.of(scores_of(left, right, mated, 2_000_000)), mated)
    for _ in range(1000):
        mated, left, right = list_of(600, people)
        scores = scores_of(left, right, mated, people)
        found = likelihood_cost(ratio, scores, Units.of(mated, left, right, "test")).interval
        covered += found.low <= truth <= found.high
    assert 930 <= covered <= 970, covered
