"""People in two sets: chance, and an accuracy without them, by definition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from facebench.statistics.people import overlap
from facebench.statistics.people.overlap import (
    Resemblance,
    _with_equal_shares,
    accuracy_without,
    likeness_of_halves,
    nearest_people,
    unit_means,
)
from facebench.statistics.verification import verification_statistics

LOT = np.random.default_rng(0)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.floats(0.1, 30))
def test_no_more_than_allowed_are_expected_by_chance(seed: int, count: int, allowed: float) -> None:
    check_chance(seed, count, allowed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.floats(0.1, 30))
def test_so_it_is_in_a_thousand_cases(seed: int, count: int, allowed: float) -> None:
    check_chance(seed, count, allowed)


def check_chance(seed: int, count: int, allowed: float) -> None:
    means = unit(np.random.default_rng(seed).normal(size=(count, 4)))
    usual = overlap._BLOCK
    try:
        overlap._BLOCK = 3
        found = Resemblance.within(means, asked=50)
    finally:
        overlap._BLOCK = usual
    every = sorted(
        (float(means[a] @ means[b]) for a, b in combinations(range(count), 2)), reverse=True
    )
    assert found.highest.tolist() == pytest.approx(every, abs=1e-5)
    assert found.pairs == len(every)
    assert (found.strangers.mean, found.strangers.spread) == pytest.approx(
        (np.mean(every), np.std(every)), abs=1e-4
    )
    limit = found.limit_for(allowed)
    assert found.expected(limit) <= allowed * (1 + 1e-9) or limit in (1.0, found.highest[-1])
    assert found.expected(-1) == pytest.approx(50)


def test_means_nearest_and_halves() -> None:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(6), 4)
    vectors = unit(rng.normal(size=(6, 16))[people] + 0.3 * rng.normal(size=(24, 16)))
    means = unit_means(vectors, people, 6)
    for person in range(6):
        mean = vectors[people == person].mean(axis=0)
        assert means[person] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    nearest, like = nearest_people(means[::-1], means)
    assert nearest.tolist() == [5, 4, 3, 2, 1, 0] and like == pytest.approx(1, abs=1e-5)
    halves = likeness_of_halves(vectors, people, rng)
    assert len(halves) == 6 and (halves > 0.5).all()
    assert len(likeness_of_halves(vectors[::4], people[::4], rng)) == 0


def pairs(seed: int, folds: int = 4, people: int = 6) -> dict[str, np.ndarray]:
    """Of each fold's people all pairs with the next, and one mated pair each twice."""
    rng = np.random.default_rng(seed)
    rows = []
    for fold in range(1, folds + 1):
        names = np.arange(people) + people * fold
        rows += [(fold, a, a, True) for a in names for _ in range(2)]
        rows += [(fold, a, b, False) for a, b in combinations(names, 2)]
    fold, left, right, mated = (np.array(column) for column in zip(*rows, strict=True))
    scores = 1.2 * mated + rng.normal(size=len(mated)) + 0.3 * rng.normal(size=200)[left]
    return {"scores": scores, "mated": mated, "folds": fold, "left": left, "right": right}


def test_the_number_without_people_is_that_of_a_list_without_them() -> None:
    given = pairs(0)
    dropped = np.isin(given["left"], [7, 13]) | np.isin(given["right"], [7, 13])
    acquired = np.ones(len(dropped), dtype=bool)
    kept = _with_equal_shares(~dropped, given["mated"], given["folds"], np.random.default_rng(4))
    found = accuracy_without(*given.values(), acquired, dropped, np.random.default_rng(4))
    rest = {name: column[kept] for name, column in given.items()}
    expected = verification_statistics(*rest.values(), acquired[kept], draws=0)
    assert found.without == expected.accuracy.accuracy
    assert found.interval == expected.intervals["accuracy"]
    assert found.comparisons == kept.sum() and not (kept & dropped).any()
    whole = verification_statistics(*given.values(), acquired, draws=0)
    assert found.whole == whole.accuracy.accuracy
    assert found.difference.estimate == pytest.approx(found.without - found.whole)
    ends = found.difference.interval
    assert ends.low < found.difference.estimate < ends.high and "subjects" in ends.kind
    apart = expected.accuracy.per_fold - whole.accuracy.per_fold
    by_folds = ttest_1samp(apart, 0)
    low, high = by_folds.confidence_interval(0.95)
    assert ends.low <= low + 1e-12 and high - 1e-12 <= ends.high
    assert found.difference.p_value >= by_folds.pvalue - 1e-12


def test_shares_of_both_kinds_stay_what_they_were() -> None:
    given = pairs(0)
    dropped = np.isin(given["left"] % 6, [0, 1]) | np.isin(given["right"] % 6, [0, 1])
    kept = _with_equal_shares(~dropped, given["mated"], given["folds"], np.random.default_rng(0))
    for fold in range(1, 5):
        inside = kept & (given["folds"] == fold)
        counts = [(inside & given["mated"]).sum(), (inside & ~given["mated"]).sum()]
        # 12 mated and 15 non-mated; of the latter six are left, which is two in five.
        assert counts == [round(0.4 * 12), 6]


def test_dropping_nobody_changes_nothing() -> None:
    given = pairs(1)
    nobody = np.zeros(len(given["mated"]), dtype=bool)
    found = accuracy_without(*given.values(), ~nobody, nobody, LOT)
    assert found.difference.estimate == 0 and found.without == found.whole
    assert found.difference.p_value == 1


@pytest.mark.slow
def test_the_paired_interval_covers_where_the_dropped_are_like_the_others() -> None:
    """Of 150 lists, whose true difference is 0; and it is narrower than the accuracy's own."""
    inside, widths, folds, people = 0, [], 10, 12
    for seed in range(150):
        rng = np.random.default_rng(seed)
        rows = []
        for fold in range(folds):
            names = np.arange(people) + people * fold
            others = list(combinations(names, 2))
            rows += [(fold, a, a, True) for a in names for _ in range(3)]
            rows += [(fold, *others[i], False) for i in rng.permutation(len(others))[: 3 * people]]
        fold, left, right, mated = (np.array(column) for column in zip(*rows, strict=True))
        own = 0.5 * rng.normal(size=people * folds)
        scores = 3.0 * mated + rng.normal(size=len(mated)) + own[left] + own[right] * ~mated
        gone = rng.random(people * folds) < 0.4
        dropped = gone[left] | gone[right]
        found = accuracy_without(
            scores, mated, fold, left, right, np.ones(len(mated), dtype=bool), dropped, rng
        )
        ends = found.difference.interval
        inside += ends.low <= 0 <= ends.high
        assert found.interval is not None
        widths.append((ends.high - ends.low) / (found.interval.high - found.interval.low))
    print(inside)
    # Of 95% 135 or fewer are seen once in a hundred times.
    assert inside >= 135 and np.median(widths) < 1


def test_what_is_left_may_be_too_little() -> None:
    given = pairs(2)
    dropped = given["folds"] > 1
    with pytest.raises(ValueError, match="fold"):
        accuracy_without(*given.values(), np.ones(len(dropped), dtype=bool), dropped, LOT)
