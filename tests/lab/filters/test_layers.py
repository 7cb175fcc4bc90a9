"""Do wide layers lose most: against scipy and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from facebench.lab.filters.curve import Width, by_width, rank_correlation


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 64), st.integers(0, 8)), min_size=3, max_size=30))
def test_equals_spearman(rows) -> None:
    layers = {f"l{i}": count for i, (count, _) in enumerate(rows)}
    removed = {f"l{i}": share / 8 for i, (_, share) in enumerate(rows)}
    got = rank_correlation(layers, removed)
    if len(set(layers.values())) == 1 or len(set(removed.values())) == 1:
        assert got != got
    else:
        wanted = spearmanr(list(layers.values()), list(removed.values())).statistic
        assert got == pytest.approx(wanted, abs=1e-9)


def test_means_by_width() -> None:
    layers = {"a": 64, "b": 16, "c": 64, "d": 32}
    removed = {"a": 0.5, "b": 0.125, "c": 0.25}
    assert by_width(layers, removed) == [
        Width(16, 1, 0.125),
        Width(32, 1, 0.0),
        Width(64, 2, 0.375),
    ]
    assert rank_correlation({"a": 1, "b": 2}, {}) != rank_correlation({"a": 1, "b": 2}, {})
