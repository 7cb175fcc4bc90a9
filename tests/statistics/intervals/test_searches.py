"""Intervals of identification rates over the people of the probes, by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.influence import of_tar
from facebench.statistics.intervals.searches import (
    SearchTable,
    dir_key,
    paired_search_difference,
    rank_key,
    search_intervals,
)
from facebench.statistics.roc import tar_at_far
from tests.helpers import brute_force as brute


def toy(seed=0, mated=30, strangers=50, searches=140, shift=1.0):
    """A table in which every person is searched several times."""
    rng = np.random.default_rng(seed)
    subjects = np.concatenate(
        [np.arange(mated + strangers), rng.integers(0, mated + strangers, searches)]
    )
    of_gallery = subjects < mated
    person = rng.normal(0, 0.5, mated + strangers)[subjects]
    scores = np.round(person + rng.normal(0, 1, subjects.size) + shift * of_gallery, 1)
    scores[of_gallery & (rng.random(subjects.size) < 0.2)] = -np.inf
    second = of_gallery & ((scores > -np.inf) | (rng.random(subjects.size) < 0.5))
    ranks = np.where(scores > -np.inf, 1, 5) * second
    return SearchTable(scores, of_gallery, subjects, ranks)


def interval_by_hand(value, residual, people, searches, searched):
    """Sums per person, Student's t, Wilson's ends and the exact ones."""
    variance = sum(residual[people == s].sum() ** 2 for s in np.unique(people))
    freedom = brute.freedom(residual, [(s,) for s in people], by_weight=False)
    error, z = np.sqrt(variance) * (1 + 1 / freedom), stats.t.ppf(0.975, freedom)
    n = min(searches, value * (1 - value) / error**2)
    ends = np.roots([1 + z**2 / n, -2 * value - z**2 / n, value**2])
    beta, hits = stats.beta, value * searches
    low = beta.ppf(0.025, hits, searches - hits + 1)
    high = beta.ppf(0.975, hits + 1, searches - hits)
    bound = 0.025 ** (1 / searched)
    assert bound < 0.9 and (value - 0.5) ** 2 < 0.16  # so many carry it that no bound holds it
    return min(*ends, low), max(*ends, high)


def test_rank_rates_are_their_definition():
    tables = [toy(0), toy(1), toy(2)]
    found = search_intervals(tables, [], [1, 5])
    for rank in (1, 5):
        shares = [t.found(rank)[t.mated].mean() for t in tables]
        residual = np.concatenate(
            [(t.found(rank)[t.mated] - share) / t.mated.sum() / 3
             for t, share in zip(tables, shares, strict=True)]
        )  # fmt: skip
        people = np.concatenate([t.subjects[t.mated] for t in tables])
        expected = interval_by_hand(np.mean(shares), residual, people, people.size, 30)
        interval = found[rank_key(rank)]
        assert (interval.low, interval.high) == pytest.approx(expected)
        assert interval.kind == "dyadic over subjects"


def test_dir_is_tar_of_one_row_per_search():
    tables, far = [toy(0), toy(1)], 0.1
    residual, values = [], []
    for t in tables:
        sharing = Sharing.of_one_person(t.subjects)
        residual.append(of_tar(t.scores, t.mated, far, sharing)[0] / 2)
        values.append(tar_at_far(t.scores, t.mated, [far])[0].tar)
    people = np.concatenate([t.subjects for t in tables])
    searches = sum(int(t.mated.sum()) for t in tables)
    expected = interval_by_hand(np.mean(values), np.concatenate(residual), people, searches, 30)
    found = search_intervals(tables, [far], [1])[dir_key(far)]
    assert (found.low, found.high) == pytest.approx(expected)


def test_interval_is_one_for_the_mean_over_draws():
    # Draws of the protocol that err in different searches: their mean is surer than any of them.
    tables = [toy(seed) for seed in range(8)]
    widths = []
    for chosen in ([tables[0]], tables):
        found = search_intervals(chosen, [0.1], [1])
        widths.append(found[dir_key(0.1)].high - found[dir_key(0.1)].low)
    assert widths[1] < widths[0]


def test_searches_of_one_person_are_one_fact():
    # One search per person, then the same searches ten times over: nothing more is known.
    once = toy(searches=0, mated=300)
    ten = SearchTable(*(np.repeat(array, 10) for array in (once.scores, once.mated, once.subjects)))
    a, b = (search_intervals([table], [], [1])[rank_key(1)] for table in (once, ten))
    assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=4e-3)


def test_paired_difference_is_that_of_the_rates():
    baseline = [toy(0), toy(1)]
    rng = np.random.default_rng(9)
    candidate = [
        SearchTable(t.scores + np.where(t.mated, 0.4, 0.0) + rng.normal(0, 0.1, t.scores.size),
                    t.mated, t.subjects, np.where(rng.random(t.mated.size) < 0.2, 0, t.ranks))
        for t in baseline
    ]  # fmt: skip
    for far, rank in ((0.1, 1), (None, 1), (None, 5)):
        found = paired_search_difference(baseline, candidate, far, rank=rank)
        means = [
            np.mean([tar_at_far(t.scores, t.mated, [far])[0].tar if far else
                     t.found(rank)[t.mated].mean() for t in tables])
            for tables in (baseline, candidate)
        ]  # fmt: skip
        assert found.estimate == pytest.approx(means[1] - means[0])
        assert found.interval.low < found.estimate < found.interval.high
        assert (found.p_value < 0.05) == brute.excludes_zero(found)


def test_a_model_does_not_differ_from_itself():
    found = paired_search_difference([toy()], [toy()], 0.1)
    bound = 1 - 0.025 ** (1 / 30)  # of 30 people none changed
    assert (found.estimate, found.p_value) == (0.0, 1.0)
    assert (found.interval.low, found.interval.high) == pytest.approx((-bound, bound))


def test_errors():
    table = toy()
    with pytest.raises(ValueError, match="not make the same searches"):
        paired_search_difference([table], [toy(1)], 0.1)
    with pytest.raises(ValueError, match="not make the same searches"):
        paired_search_difference([table], [table, table], 0.1)
    mated = SearchTable(np.ones(3), np.ones(3, bool), np.arange(3))
    with pytest.raises(ValueError, match="mated and non-mated"):
        search_intervals([mated], [0.1], [1])
    found = search_intervals([mated], [], [1])[rank_key(1)]
    assert found.high == 1.0 and found.low == pytest.approx(0.025 ** (1 / 3))
    with pytest.raises(ValueError, match="without ranks cannot give the rate at rank 7"):
        search_intervals([mated], [], [7])
    with pytest.raises(ValueError, match="level"):
        search_intervals([table], [], [1], level=1.0)
    with pytest.raises(ValueError, match="one person per search"):
        search_intervals([SearchTable(table.scores, table.mated, np.arange(3))], [], [1])
