"""Dyadic variance by its definition, and the intervals that rest on it, by hand and by SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from facebench.base.storage import files_as_they_are
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import (
    FEW_CHANGED,
    Sharing,
    influenced_difference,
    share_interval,
)
from facebench.statistics.paired import no_change_interval
from tests.helpers import brute_force as brute

INFLUENCES = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0, 3.0])


def sharing_of(a: list[int], b: list[int]) -> Sharing:
    one, other = np.array(a), np.array(b)
    return Sharing.of(Units.of(one == other, one, other, "test"))


def test_units_of_arrays_that_nobody_may_write_to_are_found_once() -> None:
    mated, a, b = np.array([True, False]), np.array([4, 4]), np.array([4, 7])
    with files_as_they_are():
        assert Units.of(mated, a, b, "t") is not Units.of(mated, a, b, "t")
        for array in (mated, a, b):
            array.setflags(write=False)
        one = Units.of(mated, a, b, "t")
        assert Units.of(mated, a, b, "t") is one and Sharing.of(one) is Sharing.of(one)
        assert Units.of(mated, a, b.copy(), "t") is not one
    assert Units.of(mated, a, b, "t") is not one
    assert one.first.tolist() == [0, 0] and one.second.tolist() == [0, 1]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), INFLUENCES), min_size=1))
def test_the_variance_is_its_definition(rows: list[tuple[int, int, float]]) -> None:
    a, b, influence = (list(column) for column in zip(*rows, strict=True))
    expected = brute.shared_variance(influence, zip(a, b, strict=True))
    independent = sum(u * u for u in influence)
    found = sharing_of(a, b).variance(np.array(influence))
    if expected > 1e-9:
        assert found == pytest.approx(expected)
    else:  # chance made the difference zero or less
        assert found in (pytest.approx(independent), pytest.approx(expected, abs=1e-9))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), INFLUENCES), min_size=1))
def test_of_one_person_each_it_is_the_sum_of_squares_of_people(rows) -> None:
    people, influence = (np.array(column) for column in zip(*rows, strict=True))
    expected = sum(influence[people == s].sum() ** 2 for s in set(people.tolist()))
    found = Sharing.of_one_person(people).variance(influence)
    assert found == pytest.approx(expected if expected > 1e-9 else influence @ influence)


def test_by_hand() -> None:
    # Comparisons of 0, of 0 and 1, of 1 and 0 again, and of 2 and 3, with 1, 2, 3 and 4: the first
    # three share people, (1 + 2 + 3)^2 = 36, and the last is alone, 16.
    sharing = sharing_of([0, 0, 1, 2], [0, 1, 0, 3])
    assert sharing.variance(np.array([1.0, 2.0, 3.0, 4.0])) == 52.0
    # Of 0 and 1, and of 1 and 2, which do not meet: (1 + 2)^2 - those of 0 and 2 = 1 + 4 + 2 * 2.
    assert sharing_of([0, 1], [1, 2]).variance(np.array([1.0, 2.0])) == 9.0
    # People in 3, 2, 1 and 1 comparisons: 7^2 / 15 - 1.
    assert sharing.degrees_of_freedom(np.ones(4)) == pytest.approx(49 / 15 - 1)


def test_unknown_people_share_nothing() -> None:
    units = Units.of(np.array([True, False, True]), None, None, "test")
    sharing = Sharing.of(units)
    assert sharing.variance(np.array([1.0, 2.0, 3.0])) == 14.0
    assert sharing.degrees_of_freedom(np.ones(3)) == math.inf


def share(right: np.ndarray, people: np.ndarray, independent: int = 10, level: float = 0.95):
    influence = (right - right.mean()) / right.size
    return share_interval(
        float(right.mean()),
        influence,
        Sharing.of_one_person(people),
        comparisons=right.size,
        independent=independent,
        level=level,
    )


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.data(), st.sampled_from([0.9, 0.95]))
def test_no_interval_is_narrower_than_the_exact_one(n: int, data: st.DataObject, level) -> None:
    hits = data.draw(st.integers(0, n))
    people = np.array(data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)))
    found = share(np.arange(n) < hits, people, n, level)
    exact = stats.binomtest(hits, n).proportion_ci(level, method="exact")
    assert found.low <= exact.low + 1e-12 and found.high >= exact.high - 1e-12
    assert found.low < found.high


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_or_none_is_the_exact_bound_of_independent_units(value: float) -> None:
    right = np.full(50, bool(value))
    found = share(right, np.arange(50) % 5, independent=5)
    exact = stats.binomtest(5 * int(value), 5).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_what_is_worse_than_perfect_does_not_end_higher() -> None:
    people = np.arange(400) // 20  # 20 people of 20 comparisons each
    perfect, near = np.ones(400, bool), np.arange(400) > 0
    assert share(near, people, 20).low <= share(perfect, people, 20).low


def test_people_who_are_few_do_not_bound_what_many_of_them_carry() -> None:
    """20 people who all err now and then: their number bounds a share of 100%, not this one."""
    rng = np.random.default_rng(0)
    right = rng.random(4000) < 0.95
    found = share(right, np.arange(4000) // 200, 20)
    assert found.high - found.low < 0.04 and found.low > 0.93 > 0.025 ** (1 / 20)


def test_persons_make_it_wider() -> None:
    """A person who is wrong is wrong always: 20 facts, not 400."""
    right = np.repeat(np.arange(20) >= 6, 20)
    people = np.repeat(np.arange(20), 20)
    wide, narrow = share(right, people, 20), share(right, np.arange(400), 20)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) > 3


def changes(better: int, worse: int, n: int = 6000, people: np.ndarray | None = None):
    """Of n comparisons, each of a person of its own, some gained and some lost."""
    gains = (np.arange(n) < better) * 1.0 - (
        (np.arange(n) >= better) & (np.arange(n) < better + worse)
    )
    gains = gains / n
    sharing = Sharing.of_one_person(np.arange(n) if people is None else people)
    return influenced_difference(
        float(gains.sum()), gains - gains.mean(), sharing, independent=n, gains=gains
    )


@settings(max_examples=200, deadline=None)
@given(st.integers(0, FEW_CHANGED), st.integers(0, FEW_CHANGED))
def test_of_few_that_changed_it_says_what_the_sign_test_says(better: int, worse: int) -> None:
    found, changed = changes(better, worse), better + worse
    exact = stats.binomtest(better, changed, 0.5).pvalue if changed else 1.0
    if changed < FEW_CHANGED:
        assert found.p_value >= exact - 1e-12
    assert (found.p_value < 0.05) == (found.interval.low > 0 or found.interval.high < 0)
    assert found.interval.low <= found.estimate <= found.interval.high


def test_of_many_it_agrees_with_mcnemars_test() -> None:
    for better, worse in ((60, 90), (70, 110), (300, 300)):
        exact = stats.binomtest(better, better + worse, 0.5).pvalue
        assert changes(better, worse).p_value == pytest.approx(exact, abs=0.04)


def test_one_person_is_one_reason() -> None:
    people = np.r_[np.zeros(40, np.int64), np.arange(1, 5961)]
    assert changes(40, 0).p_value < 1e-6
    assert changes(40, 0, people=people).p_value > 0.3


def test_where_nothing_changed_the_people_bound_it() -> None:
    sharing = Sharing.of_one_person(np.arange(30))
    found = influenced_difference(0.0, np.zeros(30), sharing, independent=30)
    assert found.interval == no_change_interval(30, 0.95, 0.0, "subjects")
    assert found.p_value == 1.0


def test_levels_are_shares() -> None:
    with pytest.raises(ValueError, match="level is 95"):
        share(np.array([True, False]), np.arange(2), level=95)
    with pytest.raises(ValueError, match="level is 0"):
        influenced_difference(
            0.0, np.zeros(2), Sharing.of_one_person(np.arange(2)), independent=2, level=0
        )
