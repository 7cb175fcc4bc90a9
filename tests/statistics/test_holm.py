"""Holm's correction: hand-derived values, and its properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facebench.statistics.paired import holm


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
