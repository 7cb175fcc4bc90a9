"""Draws freed of what product weights count three times, against the dyadic-robust variance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from facebench.statistics.overcount import difference_draws, narrowness, rightly_counted
from facebench.statistics.resample import Units

LISTS = {
    "nobody shared": (np.arange(0, 400, 2), np.arange(1, 400, 2)),
    "everybody with everybody": np.triu_indices(40, 1),
    "some shared, some twice": (np.r_[np.arange(60), np.arange(60)], np.r_[np.arange(60, 120),
                                np.arange(60) // 2 * 2 + 60]),
}  # fmt: skip


def units_of(first: np.ndarray, second: np.ndarray, mated_each: int = 1) -> Units:
    people = np.unique(np.r_[first, second])
    own = np.repeat(people, mated_each)
    a, b = np.r_[own, first], np.r_[own, second]
    return Units.of(a == b, a, b, "here")


def dyadic_robust(values: np.ndarray, units: Units) -> float:
    """Variance of a sum of values: all products of comparisons that share a person, each once."""
    sides = np.stack([units.first, units.second])
    sharing = (sides[:, None, :, None] == sides[None, :, None, :]).any(axis=(0, 1))
    return float(values @ sharing @ values)


@pytest.mark.parametrize("name", LISTS)
def test_the_variance_of_a_sum_is_the_dyadic_robust_one(name: str) -> None:
    """Aronow, Samii, Assenova 2015, equation 2, of residuals that sum to zero for each person."""
    units = units_of(*LISTS[name])
    rng = np.random.default_rng(0)
    person = 0.5 * rng.normal(size=units.count)
    values = (person[units.first] + person[units.second] + rng.normal(size=units.first.size)) / 2000
    for kind in (units.mated, ~units.mated):
        values[kind] -= values[kind].mean()
    expected = dyadic_robust(values, units)
    _, drawn = difference_draws(
        lambda weights: {"sum": weights @ values}, units, 20_000, rng, 0.95, "here"
    )
    found = np.var(drawn["sum"]) / narrowness(units.count, 0.95, pairs=True) ** 2
    # 20,000 draws tell a variance to 1%, and three of it less two of another to some 4%.
    assert found == pytest.approx(expected, rel=0.12)


def test_product_weights_alone_are_up_to_three_times_too_wide() -> None:
    units = units_of(*LISTS["nobody shared"])
    rng = np.random.default_rng(1)
    values = rng.normal(size=units.first.size) * ~units.mated
    of_units = np.concatenate([w @ values for w in units.draw(20_000, rng, "here")])
    assert np.var(of_units) / dyadic_robust(values, units) == pytest.approx(3, rel=0.1)
    of_pairs = np.concatenate([w @ values for w in units.pair_blocks(20_000, rng)])
    assert rightly_counted(of_units, of_pairs) == pytest.approx(3**-0.5, rel=0.05)


def test_a_share_is_never_below_a_third_nor_above_one() -> None:
    wide, narrow = np.array([-1.0, 1.0]), np.array([-1e-3, 1e-3])
    assert rightly_counted(narrow, wide) == pytest.approx(3**-0.5)
    assert rightly_counted(wide, narrow) == pytest.approx(1.0, abs=1e-5)
    assert rightly_counted(wide, None) == 1.0
    assert rightly_counted(np.zeros(5), wide) == 1.0


def test_narrowness_is_that_of_a_t_distribution() -> None:
    for units in (20, 60, 5749):
        for pairs, lost in ((True, 4), (False, 1)):
            quantiles = stats.t.ppf(0.975, units - 1) / stats.norm.ppf(0.975)
            expected = np.sqrt(units / (units - lost)) * quantiles
            assert narrowness(units, 0.95, pairs=pairs) == pytest.approx(expected, rel=1e-9)
    assert narrowness(1, 0.95, pairs=True) == 1.0


def test_everybody_against_everybody_loses_four_of_the_people() -> None:
    """The dyadic-robust variance of the mean of p[i] + p[j] expects (S - 4) / S of the true one."""
    people, rng, found = 12, np.random.default_rng(0), []
    first, second = np.triu_indices(people, 1)
    units = Units(first, second, np.zeros(first.size, bool), people, "subjects")
    for _ in range(2000):
        effects = rng.normal(size=people)
        values = effects[first] + effects[second]
        found.append(dyadic_robust((values - values.mean()) / values.size, units))
    true = 4 / people
    assert np.mean(found) == pytest.approx(true * (people - 4) / people, rel=0.04)


def test_pairs_are_drawn_with_all_their_comparisons() -> None:
    # ann with bob twice, once in either order, ann with cid; a mated comparison of each.
    a = ["ann", "bob", "cid", "ann", "bob", "ann"]
    b = ["ann", "bob", "cid", "bob", "ann", "cid"]
    units = Units.of(np.array([True] * 3 + [False] * 3), a, b, "here")
    weights = np.concatenate(list(units.pair_blocks(200, np.random.default_rng(0))))
    assert weights.shape == (200, 6)
    assert (weights[:, :3] == 1).all() and (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, 4] + weights[:, 5] == 2).all()  # two pairs, drawn twice
    assert set(weights[:, 5].tolist()) == {0, 1, 2}


def test_without_people_there_are_no_pairs() -> None:
    units = Units.of(np.array([True, False]), None, None, "here")
    assert not list(units.pair_blocks(10, np.random.default_rng(0)))


def test_differences_of_shares_stay_within_one() -> None:
    units = units_of(*LISTS["nobody shared"])
    estimates, drawn = difference_draws(
        lambda weights: {"x": np.where(weights[:, 0] > 1, 1.0, 0.9)},
        units, 300, np.random.default_rng(0), 0.95, "here",
    )  # fmt: skip
    assert estimates == {"x": 0.9}
    assert drawn["x"].max() <= 1.0
