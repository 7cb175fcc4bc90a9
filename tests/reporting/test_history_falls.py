"""Holm's correction: hand-derived values, its properties, and what draws it needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facebench.limits import MOST_DRAWS
from facebench.reporting.history_falls import draws_for, fell_significantly, holm
from facebench.statistics.paired import bootstrap_p_value


def test_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.04 times 3, 2, 1, and never below the one before: 0.03, 0.04, 0.04.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.03, 0.03]) == pytest.approx([0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([None, 0.01, None]) == [None, 0.01, None]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_rejects_what_holms_steps_reject(p_values: list[float]) -> None:
    """The step-down rule itself: from the smallest on, until one is above level / how many are
    left.
    """
    level = 0.05
    rejected: set[int] = set()
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    for rank, at in enumerate(order):
        if (len(p_values) - rank) * p_values[at] >= level:
            break
        rejected.add(at)
    adjusted = holm(p_values)
    assert {at for at, p in enumerate(adjusted) if p is not None and p < level} == rejected


def test_only_a_run_that_is_worse_fell() -> None:
    assert fell_significantly("worse", 0.049)
    assert not fell_significantly("worse", 0.05)
    assert not fell_significantly("better", 0.001)
    assert not fell_significantly("worse", None)


@pytest.mark.parametrize("tests", [9, 40])
def test_another_seed_seldom_decides_otherwise(tests: int) -> None:
    """A run whose p-value is 0.03 after correction; with 80 draws per test a third do not fall."""
    below = 0.03 / tests / 2  # the share of draws at or beyond zero

    def share_that_fell(draws: int) -> float:
        """Over seeds; draws beyond zero are Binomial(draws, below)."""
        beyond = np.random.default_rng(0).binomial(draws, below, size=300)
        p_values = [
            bootstrap_p_value(np.repeat([1.0, -1.0], [number, draws - number]))
            for number in beyond.tolist()
        ]
        adjusted = [holm([p] + [0.5] * (tests - 1))[0] for p in p_values]
        return float(np.mean([fell_significantly("worse", p) for p in adjusted]))

    assert share_that_fell(80 * tests) < 0.75
    assert share_that_fell(draws_for(100, tests)) > 0.95


@pytest.mark.parametrize("tests", [1, 10, 100, 1000])
def test_the_draws_let_the_smallest_p_value_be_significant(tests: int) -> None:
    draws = draws_for(100, tests)
    smallest = bootstrap_p_value(np.full(draws, -1.0))
    assert holm([smallest] * tests)[0] < 0.05  # type: ignore[operator]
    assert draws_for(5000, 2) == 5000
    assert draws_for(100, tests) <= MOST_DRAWS
