"""All statistics of two models, against their definitions and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from facebench.statistics.intervals.exact import tar_key
from facebench.statistics.paired import Difference, bootstrap_p_value, mcnemar_exact
from facebench.statistics.rates import paired_rate_difference
from facebench.statistics.verification import paired_verification, paired_with_each
from tests.helpers import brute_force as brute

Sample = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
THRESHOLD = 0.9


def dense(rng: np.random.Generator, people: int = 40) -> Sample:
    """Every person three times mated, and against every other: first, second, mated, two scores."""
    i, j = np.triu_indices(people, 1)
    own = np.repeat(np.arange(people), 3)
    return _scored(rng, people, np.r_[own, i], np.r_[own, j])


def lfw_like(rng: np.random.Generator, people: int = 60) -> Sample:
    """Every person once mated, and against one other."""
    own = np.arange(people)
    return _scored(rng, people, np.r_[own, own], np.r_[own, np.roll(own, 1)])


def _scored(rng: np.random.Generator, people: int, a: np.ndarray, b: np.ndarray) -> Sample:
    """Scores with a part of the comparison, which both models share, and one of each person."""
    mated = a == b
    shared = 0.7 * rng.normal(size=mated.size)
    scores = []
    for strength in (1.8, 1.6):
        person = 0.6 * rng.normal(size=people)
        noise = 0.4 * rng.normal(size=mated.size)
        scores.append(strength * mated + shared + person[a] + person[b] * ~mated + noise)
    return a, b, mated, scores[0], scores[1]


def compared(sample: Sample) -> dict[str, Difference]:
    a, b, mated, one, other = sample
    return paired_verification(
        (one, one >= THRESHOLD),
        (other, other >= THRESHOLD),
        mated,
        np.arange(mated.size) % 2,
        a,
        b,
        (0.1,),
    )


def test_several_candidates_get_what_each_gets_alone() -> None:
    a, b, mated, one, other = lfw_like(np.random.default_rng(0))
    models = [(scores, scores >= THRESHOLD) for scores in (one, other, one + other)]
    given = (mated, np.arange(mated.size) % 2, a, b, (0.1,))
    alone = [paired_verification(models[0], model, *given) for model in models[1:]]
    assert paired_with_each(models[0], models[1:], *given) == alone
    few = paired_with_each(models[0], models[1:], *given, names=("auc",))
    kept = {"auc", tar_key(0.1)}
    assert few == [{k: v for k, v in found.items() if k in kept} for found in alone]


def differences(sample: Sample) -> tuple[float, float]:
    """Accuracy and AUC, candidate minus baseline, by their definitions."""
    _, _, mated, one, other = sample

    def auc(scores: np.ndarray) -> float:
        ranks, m = stats.rankdata(scores), int(mated.sum())
        return float((ranks[mated].sum() - m * (m + 1) / 2) / (m * (mated.size - m)))

    right = [np.mean((scores >= THRESHOLD) == mated) for scores in (one, other)]
    return float(right[1] - right[0]), auc(other) - auc(one)


def test_accuracy_is_its_definition() -> None:
    sample = dense(np.random.default_rng(4), people=15)
    a, b, mated, one, other = sample
    found = compared(sample)["accuracy"]
    gains = 1.0 * ((other >= THRESHOLD) == mated) - 1.0 * ((one >= THRESHOLD) == mated)
    residual = (gains - np.where(mated, gains[mated].mean(), gains[~mated].mean())) / gains.size
    freedom = brute.freedom(residual, zip(a, b, strict=True), by_weight=True)
    variance = brute.shared_variance(residual, zip(a, b, strict=True))
    error = np.sqrt(variance) * (1 + 1 / freedom)
    assert found.estimate == pytest.approx(differences(sample)[0], abs=1e-12)
    half = stats.t.ppf(0.975, freedom) * error
    changed = np.bincount(a, gains)
    if np.count_nonzero(np.abs(changed) > 1e-9) >= 30:
        assert found.interval.high - found.interval.low == pytest.approx(2 * half)
    assert found.interval.low <= found.estimate - half + 1e-12
    assert found.interval.high >= found.estimate + half - 1e-12


def test_auc_is_its_definition() -> None:
    sample = dense(np.random.default_rng(5), people=15)
    a, b, mated, one, other = sample
    influence = np.empty(mated.size)
    for i in range(mated.size):
        place = [
            np.mean(s[i] > s[mated != mated[i]]) - np.mean(s[mated] > s[~mated][:, None])
            if mated[i]
            else np.mean(s[i] < s[mated]) - np.mean(s[mated] > s[~mated][:, None])
            for s in (one, other)
        ]
        influence[i] = (place[1] - place[0]) / np.count_nonzero(mated == mated[i])
    freedom = brute.freedom(influence, zip(a, b, strict=True), by_weight=True)
    assert freedom <= 14  # 15 people, each in 3 + 14 comparisons
    variance = brute.shared_variance(influence, zip(a, b, strict=True))
    ratio = abs(compared(sample)["auc"].estimate) / np.sqrt(variance) / (1 + 1 / freedom)
    assert compared(sample)["auc"].p_value == pytest.approx(2 * stats.t.sf(ratio, freedom))


def test_the_estimate_is_the_difference_of_the_definitions() -> None:
    sample = dense(np.random.default_rng(6), people=20)
    assert compared(sample)["auc"].estimate == pytest.approx(differences(sample)[1], abs=1e-12)


def test_the_p_value_and_the_interval_agree() -> None:
    for seed in range(30):
        for found in compared(dense(np.random.default_rng(seed), people=12)).values():
            assert (found.p_value < 0.05) == brute.excludes_zero(found)


def test_the_p_value_of_known_draws() -> None:
    assert bootstrap_p_value(np.linspace(0.1, 1, 99)) == pytest.approx(2 / 100)
    assert bootstrap_p_value(np.linspace(-1, 1, 99)) == 1.0
    assert bootstrap_p_value(np.array([-1.0, *[1.0] * 98])) == pytest.approx(4 / 100)


def test_mcnemar_agrees_with_scipys_binomial_test() -> None:
    """statsmodels' `mcnemar(exact=True)` is this binomial test, too."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        one, other = rng.random(40) < 0.8, rng.random(40) < rng.uniform(0.4, 1)
        found = mcnemar_exact(one, other)
        n = found.only_a + found.only_b
        expected = stats.binomtest(found.only_a, n, 0.5).pvalue if n else 1.0
        assert found.p_value == pytest.approx(expected, rel=1e-12)


def test_mcnemars_level_is_at_most_five_and_a_half_percent() -> None:
    """4,000 pairs of equally good models, at several sizes."""
    rng = np.random.default_rng(1)
    for n, share in ((60, 0.2), (600, 0.05), (600, 0.3), (6000, 0.02)):
        differ = rng.binomial(n, share, size=4000)
        first = rng.binomial(differ, 0.5)
        tails = stats.binom.cdf(np.minimum(first, differ - first), differ, 0.5)
        rejected = np.mean(np.minimum(1.0, 2 * tails) < 0.05)
        assert rejected <= 0.055
    # And the test itself, on decisions.
    rejections = 0
    for _ in range(1000):
        swap = rng.random(400)
        rejections += mcnemar_exact(swap < 0.9, (swap > 0.05) & (swap < 0.95)).p_value < 0.05
    assert rejections <= 55


def test_a_rates_difference_is_the_mean_of_its_parts() -> None:
    one = np.array([True, True, False, False, True, False])
    other = np.array([True, False, False, False, False, False])
    found = paired_rate_difference(one, other, [1, 1, 2, 2, 2, 2], [1, 2, 3, 4, 5, 6])
    assert found.estimate == pytest.approx((-1 / 2 - 1 / 4) / 2)
