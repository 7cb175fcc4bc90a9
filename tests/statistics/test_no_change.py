"""Bounds where no draw of a paired bootstrap tells anything: by hand, by SciPy, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.exact import percentile_interval, tar_key
from facebench.statistics.intervals.searches import SearchTable, paired_search_difference
from facebench.statistics.paired import (
    FEW,
    Difference,
    all_agree,
    bootstrap_p_value,
    difference_of_draws,
    mcnemar_exact,
    no_change_interval,
    no_change_p_value,
    rests_on_few,
    units_of_all,
    units_of_fewer,
    units_of_kind,
)
from facebench.statistics.rates import paired_rate_difference
from facebench.statistics.verification import paired_verification
from facebench.statistics.weighted import auc_statistic
from tests.helpers.brute_force import excludes_zero


def test_no_change_is_clopper_and_pearsons_bound() -> None:
    for n in (1, 24, 600, 6000):
        for level in (0.9, 0.95):
            found = no_change_interval(n, level)
            exact = stats.binomtest(0, n).proportion_ci(confidence_level=level, method="exact")
            assert found.high == pytest.approx(exact.high, rel=1e-9)
            assert found.low == -found.high


def test_by_hand() -> None:
    # One unit: 1 - 0.025. Two, at 75%: (1 - b)^2 = 1/8. Four that all changed: b = 1 - 0.025^(1/4).
    assert no_change_interval(1).high == pytest.approx(0.975)
    assert no_change_interval(2, 0.75).high == pytest.approx(1 - 8**-0.5)
    found = no_change_interval(4, 0.95, 1.0, "subjects")
    assert found.low == pytest.approx(1 - 2 * (1 - 0.025**0.25)) and found.high == 1.0
    assert found.kind == "exact bound for 4 subjects, all alike"
    # Half a point: 0.5 - 0.6024 * 1.5 and 0.5 + 0.6024 * 0.5.
    found = no_change_interval(4, 0.95, 0.5)
    assert (found.low, found.high) == pytest.approx((-0.4036, 0.8012), abs=1e-4)


def test_what_was_not_seen_moves_the_difference_no_further() -> None:
    """A share s <= b of the people may have any difference x in -1..1, all others d."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        n, d = int(rng.integers(1, 50)), rng.uniform(-1, 1)
        found, b = no_change_interval(n, 0.9, d), no_change_interval(n, 0.9).high
        mixed = [(1 - s) * d + s * x for s in np.linspace(0, b, 11) for x in np.linspace(-1, 1, 11)]
        assert (found.low, found.high) == pytest.approx((min(mixed), max(mixed)))


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 20])
def test_the_p_value_is_the_sign_tests_where_all_changed(n: int) -> None:
    assert no_change_p_value(n, 1.0) == pytest.approx(stats.binomtest(n, n).pvalue)
    assert no_change_p_value(n, -1.0) == mcnemar_exact([True] * n, [False] * n).p_value
    assert no_change_p_value(n, 0.0) == 1.0


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 200), st.floats(-1, 1), st.floats(0.5, 0.999))
def test_the_p_value_and_the_interval_agree(n: int, difference: float, level: float) -> None:
    interval, p = no_change_interval(n, level, difference), no_change_p_value(n, difference)
    if abs(p - (1 - level)) > 1e-9:
        assert (interval.low > 0 or interval.high < 0) == (p < 1 - level)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((0,), "at least 1"), ((3, 95), "level is 95"), ((3, 0.95, 1.5), "between -1 and 1")],
)
def test_what_is_no_number_of_units_is_said(arguments: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        no_change_interval(*arguments)


def test_units_by_hand() -> None:
    # Mated: ann twice, bob once. Non-mated: ann-bob, ann-cid, bob-cid: one of these at a time.
    a = ["ann", "ann", "bob", "ann", "ann", "bob"]
    b = ["ann", "ann", "bob", "bob", "cid", "cid"]
    units = Units.of(np.array([True] * 3 + [False] * 3), a, b, "here")
    assert (units_of_kind(units, mated=True), units_of_kind(units, mated=False)) == (2, 1)
    assert (units_of_fewer(units), units_of_all(units)) == (1, 2)
    unknown = Units.of(np.array([True] * 3 + [False] * 2), None, None, "here")
    assert (units_of_kind(unknown, mated=True), units_of_kind(unknown, mated=False)) == (3, 2)
    assert units_of_all(unknown) == 5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=7))
def test_no_more_comparisons_than_units_are_without_a_common_person(sides: list) -> None:
    """Brute force over all sets of comparisons."""
    first, second = (np.array(side) for side in zip(*sides, strict=True))
    units = Units.of(first == second, first, second, "here")
    for kind in (True, False):
        rows = [set(pair) for pair in sides if (pair[0] == pair[1]) == kind]
        most = 0
        for chosen in range(1 << len(rows)):
            picked = [row for i, row in enumerate(rows) if chosen >> i & 1]
            if sum(map(len, picked)) == len(set().union(*picked)):
                most = max(most, len(picked))
        if rows:
            assert units_of_kind(units, mated=kind) >= most


def draws_of(changes: list[int], people: int = 500, draws: int = 4000) -> np.ndarray:
    """Differences in a share of people of whom these changed for better (1) or worse (-1)."""
    rng = np.random.default_rng(0)
    weights = rng.multinomial(people, np.full(people, 1 / people), size=draws)
    return weights[:, : len(changes)] @ np.array(changes) / people


@pytest.mark.parametrize(
    ("changes", "few"),
    [([1], True), ([1, -1], True), ([-1, -1], False), ([1, 1, -1], False), ([1, -1] * 4, False)],
)
def test_one_or_two_people_are_few(changes: list[int], few: bool) -> None:
    values = draws_of(changes)
    assert rests_on_few(values) == (np.mean(values == 0) >= FEW) == few
    found = difference_of_draws(sum(changes) / 500, values, 0.95, "subjects", 500)
    plain, bound = percentile_interval(values, 0.95, "subjects"), no_change_interval(500)
    if few:
        ends = min(plain.low, bound.low), max(plain.high, bound.high)
        assert found.interval.kind.endswith("no narrower than the exact bound for 500 subjects")
        assert (found.interval.low, found.interval.high) == ends and not excludes_zero(found)
        assert found.p_value == bootstrap_p_value(values) > 0.05
    else:
        assert found.interval == plain


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([-0.5, -0.1, 0.0, 0.1, 0.3]), min_size=2, max_size=40))
def test_draws_by_the_definition(values: list[float]) -> None:
    found = difference_of_draws(0.1, np.array(values), 0.9, "subjects", 30)
    low, high = np.quantile(values, [0.05, 0.95])
    bound = 1 - 0.05 ** (1 / 30)
    if len(set(values)) == 1:
        low, high = 0.1 - 1.1 * bound, 0.1 + 0.9 * bound
    elif values.count(0.0) * 4 >= len(values):
        low, high = min(low, -bound), max(high, bound)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))


PEOPLE = 12


def separated(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mated comparisons above all others: each of 12 people once, and against the next one."""
    scores = np.random.default_rng(seed).random(2 * PEOPLE)
    scores[:PEOPLE] += 2
    return scores, scores > 1.5


def test_two_models_that_separate_12_people_may_still_differ() -> None:
    own = np.arange(PEOPLE)
    mated = np.arange(2 * PEOPLE) < PEOPLE
    found = paired_verification(
        separated(0), separated(1), mated, np.arange(2 * PEOPLE) % 2, np.r_[own, own],
        np.r_[own, np.roll(own, 1)], (0.1,),
    )  # fmt: skip
    # TAR rests on 12 people; at most 6 of the 12 non-mated comparisons share nobody.
    for key, n in (("accuracy", 12), (tar_key(0.1), 12), ("auc", 6), ("eer", 6)):
        interval = found[key].interval
        assert found[key].estimate == 0 and found[key].p_value == 1
        bound = 1 - 0.025 ** (1 / n)
        assert (interval.low, interval.high) == pytest.approx((-bound, bound))
        assert interval.kind == f"exact bound for {n} subjects, all alike"


def test_one_score_that_is_not_separated_is_no_more_proof() -> None:
    """AUC 1 against 143/144: the draws without that person agree, so the bound holds still."""
    own = np.arange(PEOPLE)
    mated = np.arange(2 * PEOPLE) < PEOPLE
    one, other = separated(0)[0], separated(1)[0]
    other[0] = np.sort(other[PEOPLE:])[-2:].mean()  # below the highest of the others
    sides = np.r_[own, own], np.r_[own, np.roll(own, 1)]
    units = Units.of(mated, *sides, "the test")
    curves = auc_statistic(one, mated), auc_statistic(other, mated)
    blocks = units.draw(1000, np.random.default_rng(0), "the test")
    values = np.concatenate([curves[1](block) - curves[0](block) for block in blocks])
    found = difference_of_draws(-1 / 144, values, 0.95, "subjects", units_of_fewer(units))
    assert found.interval.high == pytest.approx(1 - 0.025 ** (1 / 6))
    assert "no narrower than" in found.interval.kind


def test_rates_and_searches_rest_on_the_people_of_mated_ones() -> None:
    people = np.repeat(np.arange(5), 3)
    all_right = np.ones(15, bool)
    rates = paired_rate_difference(all_right, all_right, np.arange(15) % 2, people)
    # Five people searched three times each, and 15 strangers.
    rng = np.random.default_rng(0)
    mated = np.arange(30) < 15
    tables = [
        [SearchTable(rng.random(30) + 2 * mated, mated, np.r_[people, 5 + np.arange(15)])]
        for _ in range(2)
    ]
    for far in (0.1, None):
        searches = paired_search_difference(*tables, far)
        for found in (rates, searches):
            assert found.interval.high == pytest.approx(1 - 0.025 ** (1 / 5))
            assert isinstance(found, Difference) and not excludes_zero(found)
    assert all_agree(np.zeros(3)) and not all_agree(np.array([0.0, 1e-3]))
