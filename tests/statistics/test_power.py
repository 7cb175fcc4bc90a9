"""How small a difference is seen: by hand, by brute force, and in drawn lists."""

from __future__ import annotations

from dataclasses import replace
from math import inf, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from facebench.statistics.paired import Difference, Noise
from facebench.statistics.power import (
    growth_of_comparisons,
    power_of,
    smallest_difference,
    units_for,
)
from facebench.statistics.verification import paired_with_each

LISTS = 3000  # of which 80 of 100 have a standard error of 0.7 points
# 1,000 people in one pair each, of which two models decide 40 differently: V = 0.04 / 1000.
HAND = Noise(4e-5, 4e-5, inf, 0.04, 1000)


def test_by_hand() -> None:
    # (1.959964 + 0.841621) * sqrt(4e-5) = 0.0177188
    assert smallest_difference(HAND) == pytest.approx(0.0177188, abs=1e-7)
    # 1000 * 4e-5 * 2.8015851^2 / 0.01^2 = 3139.55, and 0.05 points take 400 times as many
    assert units_for(HAND, 0.01) == 3140
    assert units_for(HAND, 0.0005) == 1_255_821
    # at 0.01 z is 0.01 / 0.00632456 - 1.959964 = -0.378826
    assert power_of(HAND, 0.01) == pytest.approx(0.352409, abs=1e-6)
    assert growth_of_comparisons(HAND, 0.01) == pytest.approx(3.13955, abs=1e-5)


def test_another_level_and_power() -> None:
    errors = NormalDist().inv_cdf(0.95) + NormalDist().inv_cdf(0.9)
    assert smallest_difference(HAND, 0.9, 0.9) == pytest.approx(errors * sqrt(4e-5))


def test_a_difference_changes_at_least_its_own_share() -> None:
    """Of models that differ in 1 of 1,000 no 5 of 1,000 are lost with noise as small as theirs."""
    like = Noise(1e-6, 1e-6, inf, 0.001, 1000)
    assert smallest_difference(like) == pytest.approx((2.801585**2) * 1e-6 / 0.001, rel=1e-5)
    assert units_for(like, 0.005) == int(np.ceil(1000 * 5e-6 * 2.801585**2 / 0.005**2))


def test_people_who_come_back_are_a_floor() -> None:
    """Half of the variance is the people's: comparisons of the same ones halve it at most."""
    half = replace(HAND, apart=2e-5)
    floor = 2.801585 * sqrt(2e-5)
    assert growth_of_comparisons(half, floor * 0.999) is None
    found = growth_of_comparisons(half, floor * 1.01)
    assert found is not None and found > 40
    assert growth_of_comparisons(replace(HAND, apart=None), 0.01) is None
    assert units_for(half, 0.01) == units_for(HAND, 0.01)


@pytest.mark.parametrize("freedom", [4.0, 30.0, 300.0, inf])
def test_all_say_the_same(freedom: float) -> None:
    noise = replace(HAND, freedom=freedom)
    smallest = smallest_difference(noise)
    assert power_of(noise, smallest) == pytest.approx(0.8, abs=1e-9)
    assert units_for(noise, smallest * (1 + 1e-9)) == 1000
    assert growth_of_comparisons(noise, smallest) == pytest.approx(1)


def test_no_number_of_people_is_endless() -> None:
    assert units_for(HAND, 1e-9) is None


def ring(people: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Everybody in some mated comparisons, and in as many with the next one."""
    own = np.repeat(np.arange(people), each)
    return np.r_[own, own], np.r_[own, (own + 1) % people]


def gains(
    rng: np.random.Generator, people: int, each: int, drop: float, tilt: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who is compared with whom, and what each comparison gains, -1, 0 or 1, with the mean -drop.

    One in ten changes. A person's comparisons change alike: for the worse, or for the better.
    """
    left, right = ring(people, each)
    own = tilt * rng.choice([-1.0, 1.0], people)
    changed = rng.random(left.size) < 0.1
    worse = rng.random(left.size) < 0.5 + drop / 0.2 + (own[left] + own[right]) / 2
    return left, right, np.where(worse, -1, 1) * changed


def compared(left: np.ndarray, right: np.ndarray, gain: np.ndarray) -> Difference:
    """Two models of which only one is right where something is gained or lost."""
    mated = left == right
    scores = mated.astype(float)
    (found,) = paired_with_each(
        (scores, mated ^ (gain > 0)),
        [(scores, mated ^ (gain < 0))],
        mated,
        np.arange(mated.size) % 2,
        left,
        right,
        names=("accuracy",),
    )
    return found["accuracy"]


def test_the_noise_is_its_definition() -> None:
    left, right, gain = gains(np.random.default_rng(3), 40, 2, 0.02, 0.3)
    found = compared(left, right, gain).noise
    u = np.empty(gain.size)
    for kind in (left == right, left != right):
        u[kind] = (gain[kind] - gain[kind].mean()) / gain.size
    by_loop = sum(
        u[a] * u[b]
        for a in range(u.size)
        for b in range(u.size)
        if {left[a], right[a]} & {left[b], right[b]}
    )
    assert found is not None
    assert found.variance == pytest.approx(by_loop) and found.apart == pytest.approx(u @ u)
    assert found.changed == pytest.approx(np.abs(gain).mean()) and found.units == 40
    people = [gain[left == p].sum() for p in range(40)]  # the first of a comparison stands for it
    assert found.changed_units == np.count_nonzero(people)


def pilot(people: int, each: int, tilt: float) -> Noise:
    """What chance does, from many drawn lists: their own spread, and the means of the rest."""
    rng = np.random.default_rng(11)
    found = [compared(*gains(rng, people, each, 0.01, tilt)) for _ in range(LISTS)]
    noises = [one.noise for one in found if one.noise is not None]
    return Noise(
        float(np.var([one.estimate for one in found], ddof=1)),
        float(np.mean([one.apart for one in noises if one.apart is not None])),
        float(np.median([one.freedom for one in noises])),
        0.1,
        people,
    )


def seen(people: int, each: int, drop: float, tilt: float) -> tuple[int, int]:
    """In how many drawn lists a model that is worse by a drop is found to be worse, and in how many
    the rule that no more than this is lost passes a model that has lost nothing.
    """
    rng = np.random.default_rng(12)
    worse = passed = 0
    for _ in range(LISTS):
        found = compared(*gains(rng, people, each, drop, tilt))
        worse += found.p_value < 0.05 and found.estimate < 0
        passed += compared(*gains(rng, people, each, 0.0, tilt)).interval.low >= -drop
    return worse, passed


def as_often(count: int) -> bool:
    """Whether 80 of 100 are not rejected by an exact binomial test at 0.1%."""
    return bool(stats.binomtest(count, LISTS, 0.8).pvalue > 0.001)


@pytest.mark.slow
@pytest.mark.parametrize(("people", "each", "tilt"), [(300, 1, 0.0), (300, 4, 0.3), (150, 8, 0.35)])
def test_drawn_lists(people: int, each: int, tilt: float) -> None:
    """The smallest difference seen, and a smaller one that takes more people: 80 of 100."""
    noise = pilot(people, each, tilt)
    smallest = smallest_difference(noise)
    now = seen(people, each, smallest, tilt)
    finer = 0.6 * smallest
    needed = units_for(noise, finer)
    assert needed is not None and needed > 2.5 * people
    more = seen(needed, each, finer, tilt)
    print(noise, smallest, now, needed, more)
    assert all(map(as_often, (*now, *more)))


@pytest.mark.slow
def test_drawn_lists_of_the_same_people() -> None:
    """Three times the comparisons of as many people, which have something in common."""
    people, each, tilt = 300, 4, 0.4
    noise = pilot(people, each, tilt)
    low, high = 0.0, smallest_difference(noise)
    for _ in range(60):
        middle = (low + high) / 2
        growth = growth_of_comparisons(noise, middle)
        low, high = (middle, high) if growth is None or growth > 3 else (low, middle)
    found = seen(people, 3 * each, high, tilt)
    print(noise, high, found)
    assert all(map(as_often, found))
