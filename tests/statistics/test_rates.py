"""The paired interval of a rate that is a mean over draws or splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from facebench.statistics.rates import most_frequent, over_people, paired_rate_difference
from tests.helpers import brute_force as brute


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
    assert (gain.estimate, gain.p_value) == (1.0, 2 / 2**4) and not brute.excludes_zero(gain)


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


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=40
    )
)
def test_over_people_every_person_counts_once(rows) -> None:
    right, parts, people = (np.array(column) for column in zip(*rows, strict=True))
    means = []
    for part in sorted(set(parts.tolist())):
        own = [(r, s) for r, p, s in rows if p == part]
        shares = []
        for person in {s for _, s in own}:
            hits = [r for r, s in own if s == person]
            shares.append(sum(hits) / len(hits))
        means.append(sum(shares) / len(shares))
    assert over_people(right, parts, people) == pytest.approx(sum(means) / len(means))


def test_one_person_with_most_of_the_probes() -> None:
    """Of 10 probes 7 are of one person, always missed: 30% of probes, 75% over people."""
    people = np.array([5] * 7 + [1, 2, 3])
    assert over_people(people != 5, np.zeros(10), people) == 0.75
    assert most_frequent(people) == (5, 0.7)
