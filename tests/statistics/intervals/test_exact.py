"""Intervals: Wilson in closed form, and the bootstrap over subjects against a plain loop."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from facebench.statistics import (
    accuracy_statistic,
    auc,
    auc_statistic,
    bootstrap_over_subjects,
    eer,
    tar_at_far,
    tar_key,
    tar_statistic,
    ten_fold_accuracy,
    verification_intervals,
    wilson,
)
from facebench.statistics.intervals.bootstrap import Units, draw_units


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 10_000), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(data, n, level):
    successes = data.draw(st.integers(0, n))
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    ours = wilson(successes, n, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= successes / n <= ours.high <= 1


def test_wilson_by_hand():
    # The ends solve (p - s)^2 = z^2 p (1 - p) / n. With z^2 = 3.8415, n = 10 and s = 1, p = 1 is
    # one root and 1 / (1 + z^2 / n) = 1 / 1.38415 = 0.72247 the other.
    interval = wilson(10, 10)
    assert (interval.low, interval.high) == (pytest.approx(0.72247, abs=1e-5), 1.0)
    assert wilson(0, 10).low == 0.0 and wilson(0, 10).high == pytest.approx(1 - 0.72247, abs=1e-5)
    assert (interval.level, interval.kind) == (0.95, "wilson")
    for bad in [(1, 0), (-1, 5), (6, 5)]:
        with pytest.raises(ValueError, match="wilson: "):
            wilson(*bad)
    with pytest.raises(ValueError, match="level is 95"):
        wilson(1, 2, level=95)


def simulate(rng, people=60, mated_each=2, nonmated=200, effect=0.5):
    """Scores with an effect of each person: mated N(1, effect^2 + 0.3^2), non-mated N(0, same)."""
    person = rng.normal(0, effect, people)
    a = np.concatenate(
        (np.repeat(np.arange(people), mated_each), rng.integers(0, people, nonmated))
    )
    b = a.copy()
    b[people * mated_each :] += rng.integers(1, people, nonmated)
    b %= people
    mated = a == b
    mean = np.where(mated, 1 + person[a], (person[a] + person[b]) / math.sqrt(2))
    return mean + rng.normal(0, 0.3, a.size), mated, a, b


def test_bootstrap_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    scores, mated, a, b = simulate(rng)
    scores = np.round(scores, 1)
    scores[[3, 150]] = -np.inf
    folds = np.arange(scores.size) % 5
    right = ten_fold_accuracy(scores, mated, folds).decisions == mated
    draws, targets = 40, (0.1, 0.01)
    found = verification_intervals(
        scores, mated, a, b, folds, targets, draws, np.random.default_rng(9), 0.9
    )

    people, rng = 60, np.random.default_rng(9)
    values = {key: [] for key in found}
    picks = rng.integers(0, people, size=(draws, people))
    for drawn in picks:
        w = [list(drawn).count(s) for s in range(people)]
        copies = [w[i] if i == j else w[i] * w[j] for i, j in zip(a, b, strict=True)]
        s, m, f = (np.repeat(column, copies) for column in (scores, mated, folds))
        values["auc"].append(auc(s, m))
        values["eer"].append(eer(s, m))
        for point in tar_at_far(s, m, targets):
            values[tar_key(point.target)].append(point.tar)
        r = np.repeat(right, copies)
        values["accuracy"].append(np.mean([r[f == k].mean() for k in range(5)]))
    assert set(found) == {"accuracy", "auc", "eer", "tar@far=0.1", "tar@far=0.01"}
    for key, interval in found.items():
        expected = np.quantile(values[key], [0.05, 0.95])
        np.testing.assert_allclose((interval.low, interval.high), expected, rtol=1e-12)
        assert (interval.level, interval.kind) == (0.9, "bootstrap over subjects")


def test_single_statistics_are_those_of_the_shared_draws():
    scores, mated, a, b = simulate(np.random.default_rng(1))
    folds = np.arange(scores.size) % 4

    def generator():
        return np.random.default_rng(2)

    shared = verification_intervals(scores, mated, a, b, folds, (0.1,), 200, generator())
    singles = {
        "auc": auc_statistic,
        "tar@far=0.1": tar_statistic(0.1),
        "accuracy": accuracy_statistic(folds),
    }
    for key, statistic in singles.items():
        single = bootstrap_over_subjects(statistic, scores, mated, a, b, draws=200, rng=generator())
        assert single == shared[key]
    names = np.array([f"person {i}" for i in range(60)])  # sorts in another order than numbers
    renamed = bootstrap_over_subjects(
        auc_statistic, scores, mated, names[a], names[b], draws=200, rng=generator()
    )
    assert renamed.low == pytest.approx(shared["auc"].low, abs=0.01)


def test_subjects_that_matter_make_the_interval_wider():
    # 20 comparisons of each person with nearly the same score: 40 people are 40 facts, not 800.
    scores, mated, a, b = simulate(np.random.default_rng(3), 40, 20, 800, effect=1.0)
    of_subjects, of_comparisons = (
        bootstrap_over_subjects(
            tar_statistic(0.1), scores, mated, *who, draws=300, rng=np.random.default_rng(4)
        )
        for who in ((a, b), (None, None))
    )
    assert of_comparisons.kind == "bootstrap over comparisons"
    ratio = (of_subjects.high - of_subjects.low) / (of_comparisons.high - of_comparisons.low)
    assert ratio > 2


@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_coverage(effect):
    # True values: both kinds are normal with variance v = effect^2 + 0.3^2, one apart. AUC is
    # Phi(1 / sqrt(2 v)). FAR 0.1 is at the threshold 1.2816 sqrt(v): TAR Phi(1 / sqrt(v) - 1.2816).
    phi, deviation = NormalDist().cdf, math.sqrt(effect**2 + 0.3**2)
    truth = {
        auc_statistic: phi(1 / (deviation * math.sqrt(2))),
        tar_statistic(0.1): phi(1 / deviation - NormalDist().inv_cdf(0.9)),
    }
    rng, repeats = np.random.default_rng(5), 150
    for statistic, value in truth.items():
        covered = 0
        for _ in range(repeats):
            scores, mated, a, b = simulate(rng, effect=effect)
            interval = bootstrap_over_subjects(statistic, scores, mated, a, b, draws=200, rng=rng)
            covered += interval.low <= value <= interval.high
        # Cautious by construction (see `resample`), so only the lower side is tight.
        assert covered / repeats >= 0.90


def test_one_sided_draws_are_drawn_again():
    # Two people, one mated comparison each and one between them: a draw has a non-mated comparison
    # only if both came up, so half of all draws are discarded.
    mated = np.array([True, True, False])
    units = Units.of(mated, ["ann", "bob", "ann"], ["ann", "bob", "bob"], "here")
    blocks = list(units.draw(50, np.random.default_rng(0), "here"))
    weights = np.concatenate(blocks)
    assert weights.tolist() == [[1, 1, 1]] * 50
    # Where no draw can have both kinds there is an error, not an endless loop.
    units = Units.of(np.array([True, False]), ["ann", "bob"], ["ann", "cid"], "here")
    weights = np.concatenate(list(units.draw(20, np.random.default_rng(0), "here")))
    assert (weights > 0).all()
    single = Units(np.zeros(2, int), np.zeros(2, int), np.array([True, True]), 1, "subjects")
    with pytest.raises(ValueError, match="here: most resamples of the 1 subjects"):
        list(single.draw(20, np.random.default_rng(0), "here"))


def test_weights_of_a_draw():
    # ann twice, bob three times, cid never: a mated comparison counts w, a non-mated one w * w'.
    a, b = ["ann", "bob", "ann", "bob", "cid"], ["ann", "bob", "bob", "cid", "cid"]
    units = Units.of(np.array([True, True, False, False, True]), a, b, "here")
    assert units.count == 3
    assert units.weights(np.array([[2, 3, 0]])).tolist() == [[2, 3, 6, 0, 0]]


def test_draws_are_those_of_a_plain_loop_whatever_the_blocks(monkeypatch):
    """Every bootstrap of a seed draws the same people: 60 of 60, one draw after the other."""
    plain = np.random.default_rng(3)
    expected = [np.bincount(plain.integers(0, 60, 60), minlength=60) for _ in range(20)]
    for block in (60, 500, 2**18):
        monkeypatch.setattr("facebench.statistics.intervals.bootstrap.BLOCK", block)

        def all_usable(drawn):
            return np.ones(len(drawn), bool), drawn

        rng = np.random.default_rng(3)
        found = draw_units(60, "subjects", 60, 20, rng, "here", all_usable)
        assert np.array_equal(np.concatenate(list(found)), expected)


def test_many_blocks_are_one_bootstrap(monkeypatch):
    monkeypatch.setattr(
        "facebench.statistics.intervals.bootstrap.BLOCK", 1000
    )  # 3 draws in each block
    _, mated, a, b = simulate(np.random.default_rng(6))
    units = Units.of(mated, a, b, "here")
    blocks = list(units.draw(10, np.random.default_rng(0), "here"))
    assert [block.shape[0] for block in blocks] == [3, 3, 3, 1]
    assert (np.unique(np.concatenate(blocks), axis=0).shape[0]) == 10


def test_same_seed_same_interval():
    scores, mated, a, b = simulate(np.random.default_rng(7))
    one, two, other = (
        bootstrap_over_subjects(
            auc_statistic, scores, mated, a, b, draws=50, rng=np.random.default_rng(seed)
        )
        for seed in (1, 1, 2)
    )
    assert one == two != other
    assert one.low <= auc(scores, mated) <= one.high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [1.0, np.nan, 0.0, 0.5]}, "NaN at index 1"),
        ({"mated": [True, True]}, "mated has shape"),
        ({"a": ["x", "y"]}, r"subjects_a has shape \(2,\) but there are 4 scores"),
        ({"a": None}, "give both subjects_a and subjects_b, or neither"),
        ({"a": ["x", "z", "x", "y"]}, "comparison 1 is mated but its subjects are z and y"),
        ({"a": ["x", "y", "y", "y"]}, "comparison 2 is non-mated but its subjects are y and y"),
        ({"draws": 0}, "draws is 0"),
        ({"level": 1.0}, "level is 1.0"),
    ],
)
def test_errors(change, message):
    good = {
        "scores": [1.0, 0.9, 0.0, 0.5],
        "mated": [True, True, False, False],
        "a": ["x", "y", "x", "y"],
        "b": ["x", "y", "y", "x"],
        "draws": 10,
        "level": 0.95,
    }
    g = good | change
    with pytest.raises(ValueError, match=f"bootstrap_over_subjects: .*{message}"):
        bootstrap_over_subjects(
            auc_statistic,
            g["scores"],
            g["mated"],
            g["a"],
            g["b"],
            draws=g["draws"],
            rng=np.random.default_rng(0),
            level=g["level"],
        )
