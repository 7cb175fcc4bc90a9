"""FDR, GARBE, ratios: by hand and against their definitions on random rates."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.statistics.groups.summaries import (
    SUMMARIES,
    difference,
    fdr,
    garbe,
    gini,
    over_mean,
    ratio,
    summaries,
)
from tests.helpers.group_toys import difference_by_hand, gini_by_hand


def test_by_hand() -> None:
    fmr, fnmr = np.array([0.01, 0.03]), np.array([0.2, 0.1])
    assert fdr(fmr, fnmr) == pytest.approx(1 - (0.5 * 0.02 + 0.5 * 0.1))
    # Gini of (0.01, 0.03): 2 / 1 * 0.04 / (2 * 4 * 0.02) = 0.5; of (0.2, 0.1): 1/3
    assert gini(fmr) == pytest.approx(0.5)
    assert garbe(fmr, fnmr) == pytest.approx(0.5 * 0.5 + 0.5 / 3)
    assert ratio(fmr, [0.001, 0.001]) == pytest.approx(3)
    assert over_mean(fmr, [0.001, 0.001]) == pytest.approx(0.03 / (0.0003**0.5))


def test_one_group_has_all_errors() -> None:
    """The correction for few groups makes the largest inequality 1, however many they are."""
    for n in (2, 3, 8):
        assert gini([0.5] + [0.0] * (n - 1)) == pytest.approx(1)


def test_zeros_have_a_floor_and_no_infinity() -> None:
    floor = np.array([0.5 / 100, 0.5 / 50])
    assert ratio([0.0, 0.04], floor) == pytest.approx(0.04 / 0.005)
    assert over_mean([0.0, 0.0], floor) == pytest.approx(0.01 / (0.005 * 0.01) ** 0.5)
    assert gini([0.0, 0.0]) == 0
    assert np.isfinite(list(summaries(np.zeros(2), np.zeros(2), floor, floor).values())).all()


def test_1000_random_cases() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        n = int(rng.integers(2, 7))
        fmr, fnmr = (np.round(rng.random(n) * rng.random() ** 4, 3) for _ in range(2))
        floor = 0.5 / rng.integers(20, 500, n)
        one, other = fmr.tolist(), fnmr.tolist()
        found = summaries(fmr, fnmr, floor, floor)
        assert tuple(found) == SUMMARIES
        gaps = difference_by_hand(one), difference_by_hand(other)
        assert found["fdr"] == pytest.approx(1 - (0.5 * gaps[0] + 0.5 * gaps[1]))
        both = 0.5 * gini_by_hand(one) + 0.5 * gini_by_hand(other)
        assert found["garbe"] == pytest.approx(both)
        for kind, rates, gap in (("fmr", one, gaps[0]), ("fnmr", other, gaps[1])):
            lifted = [max(rate, least) for rate, least in zip(rates, floor, strict=True)]
            mean = np.prod(lifted) ** (1 / n)
            assert found[f"worst_group_{kind}"] == max(rates)
            assert found[f"{kind}_difference"] == pytest.approx(gap)
            assert found[f"{kind}_ratio"] == pytest.approx(max(lifted) / min(lifted))
            assert found[f"{kind}_over_mean"] == pytest.approx(max(lifted) / mean)


def test_many_at_once_are_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    fmr, fnmr, floor = rng.random((5, 3)), rng.random((5, 3)), np.full(3, 0.001)
    together = summaries(fmr, fnmr, floor, floor)
    for row in range(5):
        for name, value in summaries(fmr[row], fnmr[row], floor, floor).items():
            assert together[name][row] == pytest.approx(float(value))


def test_fewer_than_two_groups_have_no_summary() -> None:
    two, one = np.array([0.1, 0.2]), np.array([0.1])
    assert not [n for n in summaries(one, two, one, two) if "fnmr" not in n]
    assert summaries(one, one, one, one) == {}
    assert difference(two) == pytest.approx(0.1)
