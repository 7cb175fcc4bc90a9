"""How far groups' means are apart beside what they scatter: brute force over comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import alexandergovern, f_oneway

from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.studentised import SharedRows, independent_means
from facebench.statistics.intervals.bootstrap import Units
from tests.helpers.group_toys import toy


def test_variances_are_those_of_a_double_loop() -> None:
    """V of any two groups: the products of what two comparisons that share a person are off."""
    for seed in range(1000):
        check_variances(seed, mated=seed % 2 == 0, images=seed % 4 < 2)


def check_variances(seed: int, *, mated: bool, images: bool) -> None:
    rng = np.random.default_rng(seed)
    one = toy(rng, people=5, each=7, unlabelled=True)
    labelled, rows = one.labelled, one.mated == mated
    if images:
        sides = 3 * np.stack([one.units.first, one.units.second])  # everybody has three
        sides += rng.integers(0, 3, sides.shape)
        worn = rng.integers(0, 2, 3 * one.units.count)
        first, second = sides
        labelled = GroupLabels.make("images", ("no", "yes"), worn[first], worn[second], *sides)
    moved = rng.integers(-1, 2, one.mated.size)
    groups = len(labelled.names)
    shared = SharedRows.of(labelled, one.units, rows, moved)
    orders = np.stack([labelled.of_units, rng.permutation(labelled.of_units)])
    found = shared.means(orders, labelled.table, groups)
    people = [{int(a), int(b)} for a, b in zip(one.units.first, one.units.second, strict=True)]
    for draw, labels in enumerate(orders):
        side = labels[labelled.first], labels[labelled.second]
        inside = (side[0] >= 0) & (side[1] >= 0) & rows
        group = np.where(inside, labelled.table[side[0], side[1]], -1)
        own = [np.flatnonzero(group == g) for g in range(groups)]
        for g, members in enumerate(own):
            assert found.number[draw, g] == members.size
            if not members.size:
                continue
            assert abs(found.mean[draw, g] - moved[members].mean()) < 1e-12
            assert abs(found.spread[draw, g] - moved[members].var()) < 1e-12
            each = np.zeros(one.units.count)
            for member in members:
                each[list(people[member])] += 1
            freedom = shared.freedom(labels, labelled.table, groups)[g]
            assert abs(freedom - (each.sum() ** 2 / (each**2).sum() - 1)) < 1e-9
            for h, others in enumerate(own):
                total = sum(
                    (moved[a] - moved[members].mean()) * (moved[b] - moved[others].mean())
                    for a in members
                    for b in others
                    if people[a] & people[b]
                )
                assert abs(found.shared[draw, g, h] - total) < 1e-9


def test_of_independent_comparisons_it_is_welch() -> None:
    """Groups of 400 that share nobody: T over k - 1 near the F of equal spreads, p near those of
    other tests of unequal spreads.
    """
    rng = np.random.default_rng(0)
    for _ in range(20):
        parts = [rng.choice([-1, 0, 1], 400, p=p) for p in ([0.1, 0.8, 0.1], [0.3, 0.3, 0.4])]
        moved = np.concatenate(parts)
        n = np.arange(moved.size)
        labelled = GroupLabels.make("pairs", ("a", "b"), n // 400, n // 400)
        units = Units.of(np.ones(n.size, dtype=bool), n, n, "toy")
        rows = SharedRows.of(labelled, units, np.ones(n.size, dtype=bool), moved)
        means = rows.means(labelled.of_units[None], labelled.table, 2)
        kept = np.ones(2, dtype=bool)
        apart = float(means.apart(kept)[0])
        assert apart == pytest.approx(f_oneway(*parts).statistic, rel=0.03, abs=1e-9)
        freedom = rows.freedom(labelled.of_units, labelled.table, 2)
        assert freedom.tolist() == [399, 399]
        told = means.welch(kept, apart, freedom)
        assert told == pytest.approx(alexandergovern(*parts).pvalue, abs=0.01)
        ends = [np.array([[(part == sign).sum() for part in parts]]) for sign in (1, -1)]
        alone = independent_means(np.array([400, 400]), *ends)
        assert alone.apart(kept)[0] == pytest.approx(apart)


def test_by_hand() -> None:
    """Two groups of people who share nobody: the squared distance over the sum of both variances,
    each at least its own over n - 1 and mixed with ten of everybody's.
    """
    moved = np.array([1, 0, 0, 0] * 10 + [0, 0, 0, -1] * 5)
    n = np.arange(60)
    labelled = GroupLabels.make("people", ("a", "b"), n >= 40, n >= 40, n, n)
    every = np.ones(60, dtype=bool)
    rows = SharedRows.of(labelled, Units.of(every, n, n, "toy"), every, moved)
    means = rows.means(labelled.of_units[None], labelled.table, 2)
    everybody = (10 + 5) / 60 - ((10 - 5) / 60) ** 2
    own = 0.1875  # 1/4 less 1/16, of both
    squares = [max((m * own + 10 * everybody) / (m + 10), own * m / (m - 1)) / m for m in (40, 20)]
    assert means.apart(every[:2])[0] == pytest.approx(0.25 / sum(squares))
    assert rows.freedom(labelled.of_units, labelled.table, 2).tolist() == [39, 19]


def test_who_shares_people_is_less_sure() -> None:
    """The same changes in the same numbers, of forty people or of four: T is ten times less."""
    n = np.arange(80)
    every = np.ones(80, dtype=bool)
    moved = np.array(([1] * 10 + [0] * 30) + [0] * 10 + [-1] * 10 + [0] * 20)
    found = []
    for each in (1, 10):
        people = n // each
        own = GroupLabels.make("people", ("a", "b"), n >= 40, n >= 40, people, people)
        rows = SharedRows.of(own, Units.of(every, people, people, "toy"), every, moved)
        found.append(rows.means(own.of_units[None], own.table, 2).apart(every[:2])[0])
    assert found[0] == pytest.approx(10 * found[1], rel=1e-9)


def test_nothing_changed_and_empty_groups() -> None:
    n = np.arange(30)
    every = np.ones(30, dtype=bool)
    labelled = GroupLabels.make("people", ("a", "b", "c"), n >= 20, n >= 20, n, n)
    units = Units.of(every, n, n, "toy")
    rows = SharedRows.of(labelled, units, every, np.zeros(30, dtype=int))
    means = rows.means(labelled.of_units[None], labelled.table, 3)
    assert means.apart(np.array([True, True, False])).tolist() == [0.0]
    assert np.isnan(means.apart(every[:3])[0])
    assert means.apart(np.array([True, False, False])).tolist() == [0.0]
    assert rows.freedom(labelled.of_units, labelled.table, 3).tolist() == [19, 9, 0]
    assert means.welch(every[:2], 0.0, np.ones(3)) == 1.0
