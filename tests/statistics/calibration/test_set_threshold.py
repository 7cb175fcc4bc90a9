"""The deployable threshold and its error rates, against their definitions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.statistics import tar_at_far
from facebench.statistics.calibration.threshold import error_rates, set_threshold
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.weighted import threshold_statistic
from tests.helpers import brute_force as brute
from tests.statistics.test_weighted import weighted

TARGETS = (0.001, 0.1, 0.25, 0.5, 1.0)


def units_of(mated, people=None) -> Units:
    return Units.of(np.array(mated), *(people or (None, None)), "test")


@settings(max_examples=200, deadline=None)
@given(brute.comparisons(), st.sampled_from(TARGETS))
def test_it_is_the_smallest_score_with_an_fmr_of_at_most_the_target(case, target):
    check(case, target)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(brute.comparisons(), st.sampled_from(TARGETS))
def test_it_is_so_in_a_thousand_cases(case, target):
    check(case, target)


def check(case, target):
    scores, mated = np.array(case[0]), np.array(case[1])
    found = set_threshold(scores, units_of(mated), target, draws=0)
    allowed = Fraction(str(target))
    number = int((~mated).sum())
    smallest = [
        score
        for score in sorted(set(scores[scores > -np.inf].tolist()))
        if Fraction(int((scores[~mated] >= score).sum()), number) <= allowed
    ]
    assert found.interval is None and found.point.resolvable == (allowed >= Fraction(1, number))
    if smallest:
        assert found.point.threshold == smallest[0]
    else:  # the highest score is of too many non-mated comparisons: the next float accepts none
        with np.errstate(over="ignore"):
            assert found.point.threshold == np.nextafter(scores.max(), np.inf)
    rates = error_rates(scores, units_of(mated), found.point.threshold)
    assert Fraction(rates.fmr.errors, number) <= allowed
    for rate, kind, wrong in (
        (rates.fmr, ~mated, scores >= found.point.threshold),
        (rates.fnmr, mated, ~(scores >= found.point.threshold)),
    ):
        assert (rate.errors, rate.number) == ((wrong & kind).sum(), kind.sum())
        assert rate.value == rate.errors / rate.number
        assert rate.interval.low <= rate.value <= rate.interval.high


@settings(max_examples=120, deadline=None)
@given(weighted(brute.comparisons()))
def test_of_weights_it_is_that_of_copies(drawn):
    (scores, mated), weights = drawn
    scores, mated = np.array(scores), np.array(mated)
    copies = [(np.repeat(scores, w), np.repeat(mated, w)) for w in weights]
    for target in TARGETS:
        found = threshold_statistic(target)(scores, mated)(weights)
        assert found.tolist() == [tar_at_far(*c, [target])[0].threshold for c in copies]


def drawn_list(seed: int = 0, people: int = 40, n: int = 400):
    rng = np.random.default_rng(seed)
    mated = np.arange(n) % 2 == 0
    left = rng.integers(0, people, n)
    right = np.where(mated, left, (left + rng.integers(1, people, n)) % people)
    return rng.normal(size=n) + 2 * mated, mated, (left, right)


def test_the_interval_is_of_thresholds_of_drawn_people():
    scores, mated, people = drawn_list()
    units = units_of(mated, people)
    found = set_threshold(scores, units, 0.05, draws=300, seed=4)
    thresholds = [
        tar_at_far(np.repeat(scores, row), np.repeat(mated, row), [0.05])[0].threshold
        for block in units.draw(300, np.random.default_rng(4), "test")
        for row in block
    ]
    assert found.interval is not None and found.interval.kind == "bootstrap over subjects"
    ends = np.quantile(thresholds, [0.025, 0.975])
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(ends), rel=1e-12)
    assert found.interval.low < found.point.threshold < found.interval.high


def test_comparisons_are_drawn_where_nobody_is_known():
    scores, mated, _ = drawn_list()
    found = set_threshold(scores, units_of(mated), 0.05, draws=50)
    assert found.interval is not None and found.interval.kind == "bootstrap over comparisons"


def test_failures_to_acquire_are_never_accepted():
    scores, mated = np.array([-np.inf, 0.5, 0.1, -np.inf]), np.array([True, True, False, False])
    rates = error_rates(scores, units_of(mated), -1e300)
    assert (rates.fnmr.errors, rates.fmr.errors) == (1, 1)


def test_a_threshold_of_wider_numbers_is_not_rounded():
    """0.1 is below the float32 nearest to it, which is accepted; just above, it is not."""
    scores, mated = np.array([0.1, 0.1], dtype=np.float32), np.array([True, False])
    above = float(np.nextafter(np.float64(scores[0]), 1))
    assert error_rates(scores, units_of(mated), 0.1).fmr.errors == 1
    assert error_rates(scores, units_of(mated), above).fmr.errors == 0


def test_wrong_input_is_refused():
    scores, mated, _ = drawn_list()
    with pytest.raises(ValueError, match="both kinds are needed"):
        set_threshold(scores[mated], units_of(mated[mated]), 0.1)
    with pytest.raises(ValueError, match="level"):
        set_threshold(scores, units_of(mated), 0.1, level=1.5)
    with pytest.raises(ValueError):
        set_threshold(scores, units_of(mated), 0.0)
