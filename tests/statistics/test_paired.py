"""Two models on the same comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from facebench.statistics import auc, auc_statistic, mcnemar_exact, tar_key
from facebench.statistics.paired import difference_of_draws, group_means, no_change_interval
from facebench.statistics.verification import paired_verification
from tests.helpers.brute_force import excludes_zero


def flags_of(both, only_a, only_b, neither):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_test(only_a, only_b):
    a, b = flags_of(3, only_a, only_b, 2)
    result = mcnemar_exact(a, b)
    assert (result.only_a, result.only_b) == (only_a, only_b)
    n = only_a + only_b
    expected = binomtest(only_a, n, 0.5).pvalue if n else 1.0
    assert result.p_value == pytest.approx(expected, rel=1e-10)
    assert mcnemar_exact(b, a).p_value == result.p_value


def test_mcnemar_by_hand():
    # 5 discordant, all for a: 2 * (1/2)^5 = 1/16. One of 5: 2 * (1 + 5) / 32 = 3/8.
    assert mcnemar_exact(*flags_of(9, 5, 0, 1)).p_value == pytest.approx(1 / 16)
    assert mcnemar_exact(*flags_of(9, 1, 4, 1)).p_value == pytest.approx(3 / 8)
    # As many for either: 1, although twice the tail is more than 1. None: 1.
    assert mcnemar_exact(*flags_of(9, 2, 2, 1)).p_value == 1.0
    assert mcnemar_exact(*flags_of(9, 0, 0, 1)).p_value == 1.0


def test_mcnemar_of_many():
    a, b = flags_of(100_000, 30_000, 30_700, 0)
    expected = binomtest(30_000, 60_700, 0.5).pvalue
    assert mcnemar_exact(a, b).p_value == pytest.approx(expected, rel=1e-8)


def test_mcnemar_errors():
    with pytest.raises(ValueError, match="correct_a has shape"):
        mcnemar_exact([], [])
    with pytest.raises(ValueError, match=r"correct_b has shape \(1,\)"):
        mcnemar_exact([True, False], [True])
    with pytest.raises(ValueError, match="correct_a must be boolean"):
        mcnemar_exact([1, 0], [True, False])


def models(rng, drop):
    """One list, two models that share most of their noise; the candidate is worse by drop."""
    people, each, nonmated = 100, 3, 300
    a = np.concatenate((np.repeat(np.arange(people), each), rng.integers(0, people, nonmated)))
    b = a.copy()
    b[people * each :] = (b[people * each :] + rng.integers(1, people, nonmated)) % people
    mated = a == b
    common = np.where(mated, 1.0, 0.0) + rng.normal(0, 0.5, a.size)
    baseline = common + rng.normal(0, 0.05, a.size)
    candidate = common + rng.normal(0, 0.05, a.size) - drop * mated
    return baseline, candidate, mated, a, b


def compared(baseline, candidate, mated, a, b):
    """AUC and TAR at FAR 0.1, candidate minus baseline."""
    models = [(scores, scores >= 0.5) for scores in (baseline, candidate)]
    found = paired_verification(*models, mated, np.arange(mated.size) % 10, a, b, (0.1,))
    return found["auc"], found[tar_key(0.1)]


def test_difference_is_candidate_minus_baseline():
    baseline, candidate, *who = models(np.random.default_rng(0), drop=0.3)
    both = zip(
        compared(baseline, candidate, *who), compared(candidate, baseline, *who), strict=True
    )
    for forth, back in both:
        assert forth.estimate < 0 and forth.p_value < 0.05
        assert forth.interval.low <= forth.estimate <= forth.interval.high < 0
        ends = (-back.interval.high, -back.interval.low)
        assert forth.estimate == pytest.approx(-back.estimate)
        assert (forth.interval.low, forth.interval.high) == pytest.approx(ends)
        assert forth.p_value == pytest.approx(back.p_value)
    area, _ = compared(baseline, candidate, *who)
    assert area.estimate == pytest.approx(auc(candidate, who[0]) - auc(baseline, who[0]))


def test_a_model_does_not_differ_from_itself():
    baseline, _, mated, a, b = models(np.random.default_rng(2), drop=0.0)
    same, _ = compared(baseline, 3 * baseline, mated, a, b)
    # The two kinds have 100 people and half of those whom non-mated comparisons are of.
    nonmated = np.unique(np.concatenate((a[~mated], b[~mated]))).size // 2
    assert same.interval == no_change_interval(nonmated, 0.95, 0.0, "subjects")
    assert (same.estimate, same.p_value) == (0.0, 1.0)


def test_trap_unpaired_intervals_miss_a_drop_that_the_paired_one_finds():
    baseline, candidate, mated, a, b = models(np.random.default_rng(4), drop=0.05)
    paired, _ = compared(baseline, candidate, mated, a, b)
    assert paired.p_value < 0.05
    # An unpaired comparison would be at least as wide as the interval of one model alone.
    spread = paired.interval.high - paired.interval.low
    once = auc_statistic(baseline, mated)
    weights = np.random.default_rng(6).multinomial(a.size, np.ones(a.size) / a.size, size=300)
    alone = np.quantile(once(weights), [0.025, 0.975])
    assert spread < 0.6 * (alone[1] - alone[0])


def test_rate_of_false_alarms():
    # Two equally good models: about 5% of 95% intervals may exclude zero, not more.
    rng, repeats = np.random.default_rng(7), 400
    found = [compared(*models(rng, drop=0.0)) for _ in range(repeats)]
    for statistic in range(2):
        alarms = sum(excludes_zero(one[statistic]) for one in found)
        assert alarms / repeats <= 0.08


def told_apart(worse: float, better: float, nonmated: float, rng: np.random.Generator) -> tuple:
    """Shares of 300 lists of 6,000 comparisons, of 4,281 people, whose decisions flip by chance:
    covered by the interval, not containing zero, and that with McNemar's p below 0.05.

    worse, better: expected flips, each of other people; nonmated: their share.
    """
    counts = np.zeros(3)
    for _ in range(300):
        fell, rose = rng.poisson(worse), rng.poisson(better)
        signs = np.r_[-np.ones(fell), np.ones(rose)]
        weights = rng.poisson(1, (400, signs.size))
        times = np.where(rng.random(signs.size) < nonmated, rng.poisson(1, weights.shape), 1)
        found = difference_of_draws(
            (rose - fell) / 6000, (weights * times) @ signs / 6000, 0.95, "subjects", 4281
        )
        exact = mcnemar_exact(*flags_of(9, fell, rose, 9)).p_value
        covered = found.interval.low <= (better - worse) / 6000 <= found.interval.high
        apart = excludes_zero(found)
        counts += [covered, apart, apart and exact < 0.05]
    return tuple(counts / 300)


@pytest.mark.parametrize("nonmated", [0.0, 0.5])
def test_a_few_flips_among_6000_are_no_proof(nonmated: float) -> None:
    rng = np.random.default_rng(11)
    for flips in (1, 2, 4, 6, 20):
        covered, alone, both = told_apart(flips / 2, flips / 2, nonmated, rng)
        print(f"{flips} flips, {nonmated} non-mated: {covered:.3f} {alone:.3f} {both:.3f}")
        assert covered >= 0.93 and alone <= 0.08 and both <= 0.055
    covered, _, both = told_apart(25, 5, nonmated, rng)
    assert covered >= 0.93 and both > 0.7


def test_group_means_by_hand():
    # Groups 1, 3 | 5, 7 | 9: means 2, 6, 9; within (1+1+1+1)/(5-3) = 2; overall 5, so among
    # (2*9 + 2*1 + 16)/2 = 18; size (5 - 9/5)/2 = 1.6; between (18 - 2)/1.6 = 10.
    found = group_means([1, 3, 5, 7, 9], [0, 0, 1, 1, 2])
    assert found.mean.tolist() == [2, 6, 9] and found.number.tolist() == [2, 2, 1]
    assert found.between == pytest.approx(10**0.5)
    weight = np.array([10 / 11, 10 / 11, 10 / 12])
    assert found.weight == pytest.approx(weight)
    overall = np.sum(weight * [2, 6, 9]) / weight.sum()
    assert found.expected == pytest.approx(overall + weight * ([2, 6, 9] - overall))


def test_group_means_that_chance_explains():
    alike = group_means([1.0, -1.0, 1.0, -1.0], [0, 0, 1, 1])
    assert alike.between == 0 and alike.expected.tolist() == [0, 0] == alike.weight.tolist()
    single = group_means([1.0, 2.0, 6.0], [0, 1, 2])
    assert single.between is None and single.expected.tolist() == [3, 3, 3]
    assert group_means([1.0, 1.0, 2.0], [0, 0, 1]).weight.tolist() == [1, 1]  # no noise at all
    for values, groups in (([1.0], [0]), ([1.0, 2.0], [0, 2]), ([1.0, 2.0], [0])):
        with pytest.raises(ValueError, match="group_means"):
            group_means(values, groups)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=6), min_size=2, max_size=6))
def test_group_means_equal_the_analysis_of_variance(groups):
    values = np.array([v for group in groups for v in group], dtype=float)
    of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    found, (k, n) = group_means(values, of), (len(groups), values.size)
    if n == k:
        assert found.between is None
        return
    within = sum((v - np.mean(g)) ** 2 for g in groups for v in g) / (n - k)
    among = sum(len(g) * (np.mean(g) - values.mean()) ** 2 for g in groups) / (k - 1)
    size = (n - sum(len(g) ** 2 for g in groups) / n) / (k - 1)
    assert found.between**2 == pytest.approx(max(0.0, (among - within) / size), abs=1e-9)


def test_group_means_are_right_in_the_mean_and_expect_better_than_the_means():
    """2,000 lists of 60 groups of 1 to 8 values: the variance is unbiased, and what is expected of
    a group is nearer to the truth than its mean, as theory has it.
    """
    rng, truth, noise = np.random.default_rng(0), 0.3, 0.6
    of = np.repeat(np.arange(60), np.arange(60) % 8 + 1)
    between, plain, shrunk = [], [], []
    for _ in range(2_000):
        own = rng.normal(0, truth, 60)
        found = group_means(own[of] + rng.normal(0, noise, of.size), of)
        between.append(found.between**2)
        plain.append(np.mean((found.mean - own) ** 2))
        shrunk.append(np.mean((found.expected - own) ** 2))
    error = np.std(between) / len(between) ** 0.5
    assert abs(np.mean(between) - truth**2) < 4 * error  # cut at 0, which is rare here
    share = truth**2 / (truth**2 + noise**2 / (np.arange(60) % 8 + 1))
    assert np.mean(shrunk) == pytest.approx(np.mean(truth**2 * (1 - share)), rel=0.1)
    assert np.mean(shrunk) < 0.6 * np.mean(plain)
