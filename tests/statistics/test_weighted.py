"""Weighted statistics: a weight of w is the same as w copies of the comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.statistics import (
    accuracy_statistic,
    auc,
    auc_statistic,
    eer,
    eer_statistic,
    tar_at_far,
    tar_statistic,
    ten_fold_accuracy,
)
from tests.helpers import brute_force as brute

TARGETS = (0.01, 0.1, 0.25, 0.3, 0.5, 0.7, 1.0)


@st.composite
def weighted(draw, source):
    """A case and three rows of weights, each with some weight on both kinds."""
    case = draw(source)
    mated = np.array(case[1])
    n = mated.size
    rows = []
    for _ in range(3):
        row = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
        for kind in (mated, ~mated):
            if row[kind].sum() == 0:
                row[np.argmax(kind)] = draw(st.integers(1, 3))
        rows.append(row)
    return case, np.array(rows)


@settings(max_examples=500, deadline=None)
@given(weighted(brute.comparisons()))
def test_weights_are_copies(drawn):
    (scores, mated), weights = drawn
    copies = [(np.repeat(scores, w), np.repeat(mated, w)) for w in weights]
    found = auc_statistic(scores, mated)(weights)
    np.testing.assert_allclose(found, [auc(*c) for c in copies], rtol=1e-14)
    found = eer_statistic(scores, mated)(weights)
    np.testing.assert_allclose(found, [eer(*c) for c in copies], rtol=1e-12, atol=1e-15)
    for target in TARGETS:
        found = tar_statistic(target)(scores, mated)(weights)
        assert found.tolist() == [tar_at_far(*c, [target])[0].tar for c in copies]


@settings(max_examples=200, deadline=None)
@given(weighted(brute.folded()))
def test_weighted_accuracy_keeps_the_decisions(drawn):
    (scores, mated, folds), weights = drawn
    if brute.k_fold(scores, mated, folds) is None:
        return
    right = ten_fold_accuracy(scores, mated, folds).decisions == np.array(mated)
    found = accuracy_statistic(folds)(scores, mated)(weights)
    for value, w in zip(found, weights, strict=True):
        shares = []
        for label in sorted(set(folds)):
            inside = np.repeat(right[np.array(folds) == label], w[np.array(folds) == label])
            if inside.size:  # a fold without weight is left out
                shares.append(inside.mean())
        assert value == pytest.approx(np.mean(shares), abs=1e-12)


def test_ones_give_the_statistic_itself():
    rng = np.random.default_rng(0)
    mated = rng.random(500) < 0.4
    scores = np.round(rng.normal(size=500) + mated, 1)
    folds = rng.integers(0, 5, 500)
    once = np.ones((1, 500), dtype=np.int64)
    assert auc_statistic(scores, mated)(once)[0] == auc(scores, mated)
    assert eer_statistic(scores, mated)(once)[0] == pytest.approx(eer(scores, mated), abs=1e-15)
    assert tar_statistic(0.1)(scores, mated)(once)[0] == tar_at_far(scores, mated, [0.1])[0].tar
    accuracy = ten_fold_accuracy(scores, mated, folds).accuracy
    assert accuracy_statistic(folds)(scores, mated)(once)[0] == pytest.approx(accuracy)


def test_bad_target_is_found_before_any_score():
    with pytest.raises(ValueError, match="FAR target 2"):
        tar_statistic(2)
