"""All statistics of two models from the same draws, against the single functions and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import stats

from facebench.statistics.intervals import tar_key
from facebench.statistics.paired import bootstrap_p_value, mcnemar_exact, paired_bootstrap
from facebench.statistics.paired_verification import paired_verification, paired_with_each
from facebench.statistics.rates import paired_rate_difference
from facebench.statistics.weighted import (
    WeightedStatistic,
    auc_statistic,
    eer_statistic,
    tar_statistic,
    weighted_accuracy,
)

Sample = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
THRESHOLD, PEOPLE = 0.9, 60


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


def compared(sample: Sample, draws: int, rng: np.random.Generator) -> dict[str, object]:
    a, b, mated, one, other = sample
    return paired_verification(  # type: ignore[return-value]
        (one, one >= THRESHOLD),
        (other, other >= THRESHOLD),
        mated,
        np.arange(mated.size) % 2,
        a,
        b,
        (0.1,),
        draws=draws,
        rng=rng,
    )


def test_several_candidates_get_what_each_gets_alone() -> None:
    a, b, mated, one, other = lfw_like(np.random.default_rng(0))
    models = [(scores, scores >= THRESHOLD) for scores in (one, other, one + other)]
    given = (mated, np.arange(mated.size) % 2, a, b, (0.1,))
    alone = [
        paired_verification(models[0], model, *given, draws=50, rng=np.random.default_rng(1))
        for model in models[1:]
    ]
    rng = np.random.default_rng(1)
    assert paired_with_each(models[0], models[1:], *given, draws=50, rng=rng) == alone
    rng = np.random.default_rng(1)
    few = paired_with_each(models[0], models[1:], *given, names=("auc",), draws=50, rng=rng)
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


def test_it_agrees_with_the_bootstrap_of_each_statistic() -> None:
    sample = dense(np.random.default_rng(4), people=15)
    a, b, mated, one, other = sample
    found = compared(sample, 200, np.random.default_rng(5))
    for key, statistic in (
        ("auc", auc_statistic),
        ("eer", eer_statistic),
        (tar_key(0.1), tar_statistic(0.1)),
    ):
        single = paired_bootstrap(
            statistic, one, other, mated, a, b, draws=200, rng=np.random.default_rng(5)
        )
        assert found[key] == single


def test_the_estimate_is_the_difference_of_the_definitions() -> None:
    sample = dense(np.random.default_rng(6), people=20)
    found = compared(sample, 50, np.random.default_rng(0))
    assert found["auc"].estimate == pytest.approx(differences(sample)[1], abs=1e-12)  # type: ignore[attr-defined]


def test_the_p_value_and_the_interval_agree() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found = compared(dense(rng, people=12), 1000, rng)["auc"]
        if not 0.04 < found.p_value < 0.06:  # type: ignore[attr-defined]
            assert (found.p_value < 0.05) == found.significant  # type: ignore[attr-defined]


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
    found = paired_rate_difference(
        one, other, [1, 1, 2, 2, 2, 2], [1, 2, 3, 4, 5, 6], draws=200, rng=np.random.default_rng(0)
    )
    assert found.estimate == pytest.approx((-1 / 2 - 1 / 4) / 2)


@pytest.mark.slow
def test_intervals_cover_95_percent_of_1000_samples() -> None:
    """Known truth: the mean difference over 20,000 samples from the same model of people."""
    rng = np.random.default_rng(1)
    truth = np.mean([differences(dense(rng, PEOPLE)) for _ in range(20_000)], axis=0)
    covered = np.zeros(2)
    for _ in range(1000):
        a, b, mated, one, other = dense(rng, PEOPLE)
        for number, statistic in enumerate((accuracy_at_threshold, auc_statistic)):
            interval = paired_bootstrap(
                statistic, one, other, mated, a, b, draws=500, rng=rng
            ).interval
            covered[number] += interval.low <= truth[number] <= interval.high
    assert ((covered >= 930) & (covered <= 970)).all(), covered


def accuracy_at_threshold(scores: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
    """Accuracy of a fixed threshold, of weights; two folds of every other comparison."""
    correct = (np.asarray(scores) >= THRESHOLD) == np.asarray(mated)
    return weighted_accuracy(correct, np.arange(correct.size) % 2)


@pytest.mark.slow
def test_intervals_of_a_list_without_shared_people_are_cautious() -> None:
    """There product weights over-state the variance (Owen 2007): more is covered, never less."""
    rng = np.random.default_rng(2)
    truth = np.mean([differences(lfw_like(rng)) for _ in range(20_000)], axis=0)
    covered = 0
    for _ in range(500):
        interval = compared(lfw_like(rng), 200, rng)["accuracy"].interval  # type: ignore[attr-defined]
        covered += interval.low <= truth[0] <= interval.high
    assert covered >= 0.95 * 500
