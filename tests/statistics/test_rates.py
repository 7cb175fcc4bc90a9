"""The paired interval of a rate that is a mean over draws or splits."""

from __future__ import annotations

import brute_force as brute
import numpy as np
import pytest
from scipy import stats

from facebench.statistics.rates import paired_rate_difference


def test_it_is_its_definition() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        people, parts = rng.integers(0, 60, 400), rng.integers(0, 3, 400)
        one, other = rng.random(400) < 0.7, rng.random(400) < 0.8
        gains = other.astype(float) - one
        residual = np.empty(400)
        for part in range(3):
            rows = parts == part
            residual[rows] = (gains[rows] - gains[rows].mean()) / rows.sum() / 3
        sums = [residual[people == s].sum() for s in range(60)]
        assert sum(t * t for t in sums) == pytest.approx(
            brute.shared_variance(residual, [(s,) for s in people])
        )
        freedom = brute.freedom(residual, [(s,) for s in people], by_weight=True)
        error = np.sqrt(sum(t * t for t in sums)) * (1 + 1 / freedom)
        found = paired_rate_difference(one, other, parts, people)
        half = stats.t.ppf(0.975, freedom) * error
        expected = (found.estimate - half, found.estimate + half)
        assert (found.interval.low, found.interval.high) == pytest.approx(expected)
        assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.estimate) / error, freedom))


def test_equal_models_differ_by_nothing_and_a_better_one_by_its_gain() -> None:
    right = np.array([True, False, True, False])
    people, parts = np.arange(4), np.ones(4)
    same = paired_rate_difference(right, right, parts, people)
    bound = 1 - 0.025**0.25  # of four people none changed
    assert (same.estimate, same.p_value) == (0.0, 1.0)
    assert (same.interval.low, same.interval.high) == pytest.approx((-bound, bound))
    gain = paired_rate_difference(np.zeros(4, bool), np.ones(4, bool), parts, people)
    assert (gain.interval.low, gain.interval.high) == pytest.approx((1 - 2 * bound, 1.0))
    assert (gain.estimate, gain.p_value) == (1.0, 2 / 2**4) and not gain.significant


def test_an_interval_of_many_people_covers_the_difference() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        one, other = rng.random(160) < 0.6, rng.random(160) < 0.7
        people = np.repeat(np.arange(80), 2)
        found = paired_rate_difference(one, other, np.ones(160), people).interval
        covered += found.low <= 0.1 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize("n", [0, 3])
def test_empty_or_unequal_arrays_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_rate_difference(
            np.zeros(n, bool), np.zeros(n + (n > 0), bool), np.zeros(n), np.zeros(n)
        )
