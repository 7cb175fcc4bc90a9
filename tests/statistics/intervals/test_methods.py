"""Two methods of several seeds: against a bootstrap of people and seeds, and in drawn lists."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from facebench.statistics.intervals.dyadic import Sharing, influenced_difference
from facebench.statistics.intervals.methods import MethodDifference, method_difference
from facebench.statistics.paired import no_change_interval, no_change_p_value

Method = tuple[np.ndarray, np.ndarray]


def drawn(rng: np.random.Generator, seeds: int, people: int, own: float, both: float) -> np.ndarray:
    """float[seeds, people]: how a method's seeds do on people; own, both: SD by seed alone, and by
    seed and person together.
    """
    person, seed = 0.3 * rng.normal(size=people), own * rng.normal(size=(seeds, 1))
    return np.asarray(0.5 + person + seed + both * rng.normal(size=(seeds, people)))


def method_of(right: np.ndarray) -> Method:
    values = right.mean(axis=1)
    return values, (right - values[:, None]) / right.shape[1]


def compared(base: np.ndarray, candidate: np.ndarray) -> MethodDifference:
    people = Sharing.of_one_person(np.arange(base.shape[1]))
    return method_difference(method_of(base), method_of(candidate), people)


def test_by_hand() -> None:
    """Two seeds that differ alike on everybody: what they do is the seeds' alone."""
    base = np.array([[0.0, 1.0, 0.0, 1.0], [0.1, 1.1, 0.1, 1.1]])
    candidate = np.array([[0.5, 0.5, 0.5, 0.5], [0.7, 0.7, 0.7, 0.7]])
    found = compared(base, candidate)
    assert found.estimate == pytest.approx(0.05)
    assert found.base.own == pytest.approx(0.005) and found.base.shared == pytest.approx(0)
    assert found.candidate.own == pytest.approx(0.02)
    # influences of the difference are 1/8 each, of four people: f = 3, V = 4/64 (1 + 1/3)^2
    assert found.people == pytest.approx(4 / 64 * (4 / 3) ** 2)
    seeds = 0.005 / 2 + 0.02 / 2
    assert found.shares == pytest.approx(
        (found.people / (found.people + seeds), seeds / (found.people + seeds), 0)
    )
    assert found.seeds_for() is None  # the people are too few for 5 points, whatever the seeds


def test_it_is_what_a_bootstrap_of_people_and_seeds_gives() -> None:
    """Its variance is people + seeds (k - 1) / k + 3 both (Owen 2007): all three are told."""
    rng = np.random.default_rng(0)
    seeds, people, draws = 40, 80, 20_000
    models = [drawn(rng, seeds, people, *spread) for spread in ((0.05, 0.6), (0.08, 0.9))]
    weights = rng.multinomial(people, np.full(people, 1 / people), draws) / people
    means = [
        np.einsum(
            "ds,sp,dp->d",
            rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds,
            right,
            weights,
            optimize=True,
        )
        for right in models
    ]
    found = compared(*models)
    methods = (found.base, found.candidate)
    both = sum((m.shared or 0.0) / seeds for m in methods)
    own = sum((m.own or 0.0) / seeds for m in methods)
    assert both > 0.2 * own and found.people > 0.2 * own
    expected = found.people + own + 3 * both
    assert np.var(means[1] - means[0]) == pytest.approx(expected, rel=0.06)


def test_one_seed_tells_nothing_of_seeds() -> None:
    rng = np.random.default_rng(1)
    found = compared(drawn(rng, 1, 50, 0.1, 0.1), drawn(rng, 3, 50, 0.1, 0.1))
    assert not found.both_known and found.shares is None and found.seeds_for() is None
    assert found.interval.kind == "over subjects, of these seeds"


def test_methods_that_are_the_same() -> None:
    right = drawn(np.random.default_rng(2), 1, 20, 0.1, 0.1).repeat(2, axis=0)
    found = compared(right, right)
    bound = no_change_interval(20)
    assert found.p_value == 1 and found.shares is None
    assert (found.interval.low, found.interval.high) == (bound.low, bound.high)
    assert found.interval.kind == "over subjects and seeds, exact bound for 20 subjects, all alike"
    assert found.seeds_for() is None


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_all_right_and_all_wrong_have_the_exact_interval(seeds: int) -> None:
    """No variance tells anything there, whatever the seeds."""
    right, wrong = np.ones((seeds, 20)), np.zeros((seeds, 20))
    for base, candidate, difference in (
        (right, right, 0.0),
        (wrong, wrong, 0.0),
        (wrong, right, 1.0),
    ):
        found, bound = compared(base, candidate), no_change_interval(20, 0.95, difference)
        assert found.estimate == difference
        assert (found.interval.low, found.interval.high) == (bound.low, bound.high)
        assert found.p_value == pytest.approx(no_change_p_value(20, difference))


@pytest.mark.parametrize("seed", range(8))
def test_other_seeds_make_nothing_surer(seed: int) -> None:
    """Nor does a method of one seed say more than its network: few who changed are few."""
    rng = np.random.default_rng(seed)
    base = (rng.random((3, 200)) < 0.97).astype(float)
    candidate = (rng.random((2, 200)) < 0.9).astype(float)
    for one, other in ((base, candidate), (base[:1], candidate[:1]), (base[:1], candidate)):
        people = Sharing.of_one_person(np.arange(200))
        gains = (other.mean(0) - one.mean(0)) / 200
        alone = influenced_difference(
            float(gains.sum()), gains - gains.mean(), people, independent=200, gains=gains
        )
        found = method_difference(
            method_of(one), method_of(other), people, independent=200, gains=gains
        )
        assert found.interval.low <= alone.interval.low + 1e-12
        assert alone.interval.high <= found.interval.high + 1e-12
        assert found.p_value >= alone.p_value * (1 - 1e-9)
        if len(one) == len(other) == 1:
            assert found.p_value == pytest.approx(alone.p_value)
            assert (found.interval.low, found.interval.high) == pytest.approx(
                (alone.interval.low, alone.interval.high)
            )


def test_so_many_seeds_would_do() -> None:
    """More of them than there are where seeds are what is not known, and fewer for more."""
    rng = np.random.default_rng(3)
    base, candidate = (drawn(rng, 3, 2000, 0.05, 0.1) + shift for shift in (0.0, -0.06))
    found = compared(base, candidate)
    needed, less_sure = found.seeds_for(), found.seeds_for(power=0.5)
    assert needed is not None and less_sure is not None and 2 <= less_sure < needed


@pytest.mark.parametrize(("seeds", "own"), [(2, 0.1), (5, 0.1), (5, 0.0)])
def test_equal_methods_are_called_different_in_5_of_100(seeds: int, own: float) -> None:
    """An exact binomial test at 0.1% does not find it oftener; without the seeds it would be."""
    rng = np.random.default_rng(4)
    lists = 600
    wrong = sum(
        compared(*(drawn(rng, seeds, 100, own, 0.3) for _ in "ab")).p_value < 0.05
        for _ in range(lists)
    )
    print(seeds, own, wrong / lists)
    assert stats.binomtest(wrong, lists, 0.05, alternative="greater").pvalue > 0.001
