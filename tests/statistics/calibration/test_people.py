"""Halves of people: nobody is in both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.statistics.calibration.people import halves
from facebench.statistics.intervals.bootstrap import Units


def drawn(seed: int, people: int, n: int = 200, folds: int = 1):
    """Comparisons within folds of people of their own."""
    rng = np.random.default_rng(seed)
    fold, mated = rng.integers(0, folds, n), rng.random(n) < 0.5
    left = rng.integers(0, people, n)
    right = np.where(mated, left, (left + rng.integers(1, people, n)) % people)
    return Units.of(mated, left + people * fold, right + people * fold, "test"), fold


def people_of(units: Units, rows) -> set[int]:
    return {*units.first[rows].tolist(), *units.second[rows].tolist()}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(10, 60), st.integers(1, 5), st.integers(0, 9))
def test_nobody_is_in_both_halves(seed, people, folds, drawn_by):
    units, fold = drawn(seed, people, folds=folds)
    found = halves(units, fold, drawn_by)
    assert not people_of(units, found.one) & people_of(units, found.other)
    across = ~(found.one | found.other)
    assert found.dropped == across.sum()
    if folds > 1:
        assert found.by == "folds" and not across.any()
        assert not set(fold[found.one]) & set(fold[found.other])
    else:
        assert found.by == "people" and not (across & units.mated).any()
        both = np.unique(np.concatenate((units.first, units.second))).size
        assert abs(len(people_of(units, found.one)) - both / 2) <= people / 4


def test_a_person_in_two_folds_makes_people_be_halved():
    units, fold = drawn(0, people=40)
    assert halves(units, np.arange(fold.size) % 3).by == "people"
    assert halves(units).by == "people"


def test_the_same_seed_gives_the_same_halves():
    units, _ = drawn(1, people=40)
    assert np.array_equal(halves(units, seed=3).one, halves(units, seed=3).one)
    assert not np.array_equal(halves(units, seed=3).one, halves(units, seed=4).one)


def test_what_cannot_be_halved_is_refused():
    mated = np.array([True, False, True, False])
    with pytest.raises(ValueError, match="nobody knows who"):
        halves(Units.of(mated, None, None, "test"))
    few = Units.of(mated, [0, 0, 1, 0], [0, 1, 1, 1], "test")
    with pytest.raises(ValueError, match="one kind only"):
        halves(few)
