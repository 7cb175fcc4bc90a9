"""The bootstrap over subjects of identification rates, against repeating searches by weight."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.statistics.intervals import percentile_interval
from facebench.statistics.paired import difference_of_draws
from facebench.statistics.roc import tar_at_far
from facebench.statistics.search_intervals import (
    SearchTable,
    dir_key,
    paired_search_difference,
    rank_key,
    search_intervals,
)


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
    return SearchTable(scores, of_gallery, subjects, {5: second})


def by_repeating(tables, rate, draws, rng):
    """Every resample of the people written out, search by search."""
    people = np.unique(np.concatenate([table.subjects for table in tables]))
    values = []
    for _ in range(draws):
        drawn = np.bincount(rng.integers(0, people.size, people.size), minlength=people.size)
        values.append(
            np.mean(
                [rate(t, np.repeat(np.arange(len(t.mated)), drawn[t.subjects])) for t in tables]
            )
        )
    return np.array(values)


def dir_of(far):
    def rate(table, rows):
        return tar_at_far(table.scores[rows], table.mated[rows], [far])[0].tar

    return rate


def rank_of(rank):
    def rate(table, rows):
        rows = rows[table.mated[rows]]
        return table.found(rank)[rows].mean()

    return rate


def test_intervals_equal_those_of_searches_repeated_by_weight():
    # As many people as fit in one block of the generator, so that both draw the same numbers.
    tables = [toy(0), toy(1), toy(2)]
    found = search_intervals(tables, [0.1, 0.02], [1, 5], draws=200, rng=np.random.default_rng(3))
    rates = {dir_key(0.1): dir_of(0.1), dir_key(0.02): dir_of(0.02)}
    rates |= {rank_key(1): rank_of(1), rank_key(5): rank_of(5)}
    assert set(found) == set(rates)
    for key, rate in rates.items():
        values = by_repeating(tables, rate, 200, np.random.default_rng(3))
        expected = percentile_interval(values, 0.95, "subjects")
        assert (found[key].low, found[key].high) == pytest.approx((expected.low, expected.high))
        assert found[key].kind == "bootstrap over subjects"


def test_interval_is_one_for_the_mean_over_draws():
    # Draws of the protocol that err in different searches: their mean is surer than any of them.
    tables = [toy(seed) for seed in range(8)]
    widths = []
    for chosen in ([tables[0]], tables):
        found = search_intervals(chosen, [0.1], [1], draws=300, rng=np.random.default_rng(0))
        widths.append(found[dir_key(0.1)].high - found[dir_key(0.1)].low)
    assert widths[1] < widths[0]


def test_people_are_resampled_and_not_searches():
    # One search per person, then the same searches ten times over: nothing more is known.
    once = toy(searches=0)
    ten = SearchTable(*(np.repeat(array, 10) for array in (once.scores, once.mated, once.subjects)))
    a, b = (
        search_intervals([table], [], [1], draws=400, rng=np.random.default_rng(1))[rank_key(1)]
        for table in (once, ten)
    )
    assert (a.low, a.high) == pytest.approx((b.low, b.high))


def test_seed_decides():
    table = toy()
    a, b, c = (
        search_intervals([table], [0.1], [1], draws=100, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert a == b != c


def test_paired_difference_equals_repeating_both():
    baseline = [toy(0), toy(1)]
    rng = np.random.default_rng(9)
    candidate = [
        SearchTable(t.scores + np.where(t.mated, 0.4, 0.0) + rng.normal(0, 0.1, t.scores.size),
                    t.mated, t.subjects)
        for t in baseline
    ]  # fmt: skip
    for far, rate in ((0.1, dir_of(0.1)), (None, rank_of(1))):
        found = paired_search_difference(
            baseline, candidate, far, draws=150, rng=np.random.default_rng(5)
        )
        values = [
            by_repeating(tables, rate, 150, np.random.default_rng(5))
            for tables in (baseline, candidate)
        ]
        mated = np.unique(np.concatenate([t.subjects[t.mated] for t in baseline])).size
        gained = values[1] - values[0]
        expected = difference_of_draws(found.estimate, gained, 0.95, "subjects", mated).interval
        assert found.interval.low == pytest.approx(expected.low)
        assert found.interval.high == pytest.approx(expected.high)
        everything = [np.arange(len(t.mated)) for t in baseline]
        means = [
            np.mean([rate(t, rows) for t, rows in zip(tables, everything, strict=True)])
            for tables in (baseline, candidate)
        ]
        assert found.estimate == pytest.approx(means[1] - means[0])


def test_a_model_does_not_differ_from_itself():
    found = paired_search_difference([toy()], [toy()], 0.1, draws=50, rng=np.random.default_rng(0))
    bound = 1 - 0.025 ** (1 / 30)  # of 30 people none changed
    assert (found.estimate, found.p_value) == (0.0, 1.0)
    assert (found.interval.low, found.interval.high) == pytest.approx((-bound, bound))


def test_errors():
    table, rng = toy(), np.random.default_rng(0)
    with pytest.raises(ValueError, match="not make the same searches"):
        paired_search_difference([table], [toy(1)], 0.1, rng=rng)
    with pytest.raises(ValueError, match="not make the same searches"):
        paired_search_difference([table], [table, table], 0.1, rng=rng)
    mated = SearchTable(np.ones(3), np.ones(3, bool), np.arange(3))
    with pytest.raises(ValueError, match="mated and non-mated"):
        search_intervals([mated], [0.1], [1], rng=rng)
    assert search_intervals([mated], [], [1], draws=5, rng=rng)[rank_key(1)].low == 1.0
    with pytest.raises(ValueError, match="without hits at rank 7"):
        search_intervals([table], [], [7], rng=rng)
    with pytest.raises(ValueError, match="draws is 0"):
        search_intervals([table], [], [1], draws=0, rng=rng)
    with pytest.raises(ValueError, match="level"):
        search_intervals([table], [], [1], level=1.0, rng=rng)
    with pytest.raises(ValueError, match="one person per search"):
        search_intervals([SearchTable(table.scores, table.mated, np.arange(3))], [], [1], rng=rng)


def test_a_resample_without_mated_probes_is_drawn_again():
    # 1 of 400 people is mated: a third of the resamples lack them, and are drawn again.
    mated = np.arange(400) == 0
    found = search_intervals(
        [SearchTable(np.ones(400), mated, np.arange(400))],
        [0.1],
        [1],
        draws=20,
        rng=np.random.default_rng(0),
    )
    assert found[rank_key(1)].low == 1.0
