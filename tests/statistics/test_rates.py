"""The paired interval of a rate that is a mean over draws or splits."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.statistics.rates import paired_rate_difference


def _by_hand(
    one: np.ndarray, other: np.ndarray, parts: np.ndarray, people: np.ndarray, weights: np.ndarray
) -> float:
    rates = []
    for part in np.unique(parts):
        rows = parts == part
        times = weights[people[rows]]
        if times.sum():
            gains = other[rows].astype(int) - one[rows].astype(int)
            rates.append((times * gains).sum() / times.sum())
    return float(np.mean(rates))


def test_it_equals_the_definition_draw_by_draw() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        people = rng.integers(0, 9, 60)
        people[:9] = np.arange(9)
        parts, one, other = rng.integers(0, 3, 60), rng.random(60) < 0.7, rng.random(60) < 0.8
        found = paired_rate_difference(
            one, other, parts, people, draws=40, rng=np.random.default_rng(1)
        ).interval
        drawn = np.random.default_rng(1).multinomial(9, np.full(9, 1 / 9), size=40)
        values = [_by_hand(one, other, parts, people, weights) for weights in drawn]
        np.testing.assert_allclose((found.low, found.high), np.quantile(values, [0.025, 0.975]))


def test_equal_models_differ_by_nothing_and_a_better_one_by_its_gain() -> None:
    right = np.array([True, False, True, False])
    people, parts = np.arange(4), np.ones(4)
    same = paired_rate_difference(right, right, parts, people, rng=np.random.default_rng(0))
    bound = 1 - 0.025**0.25  # of four people none changed
    assert (same.estimate, same.p_value) == (0.0, 1.0)
    assert (same.interval.low, same.interval.high) == pytest.approx((-bound, bound))
    gain = paired_rate_difference(
        np.zeros(4, bool), np.ones(4, bool), parts, people, rng=np.random.default_rng(0)
    )
    assert (gain.interval.low, gain.interval.high) == pytest.approx((1 - 2 * bound, 1.0))
    assert (gain.estimate, gain.p_value) == (1.0, 2 / 2**4) and not gain.significant


def test_an_interval_of_many_people_covers_the_difference() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        people = np.repeat(np.arange(80), 2)
        one = rng.random(160) < 0.6
        other = rng.random(160) < 0.7
        found = paired_rate_difference(
            one, other, np.ones(160), people, draws=200, rng=np.random.default_rng(trial)
        ).interval
        covered += found.low <= 0.1 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


@pytest.mark.parametrize("n", [0, 3])
def test_empty_or_unequal_arrays_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_rate_difference(
            np.zeros(n, bool),
            np.zeros(n + (n > 0), bool),
            np.zeros(n),
            np.zeros(n),
            rng=np.random.default_rng(0),
        )
