"""What no difference gives: labels in another order, brute force, and the level of its tests."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from facebench.statistics.groups.counted import of_kind
from facebench.statistics.groups.null import no_difference, p_value
from facebench.statistics.groups.points import group_statistics
from facebench.statistics.groups.rates import Compared
from facebench.statistics.groups.resampled import resampled
from facebench.statistics.intervals.dyadic import Sharing
from tests.helpers.group_coverage import across, within
from tests.helpers.group_toys import Toy, toy


def test_sums_by_group_are_those_of_each_comparison() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        one = toy(rng, people=5, each=6, unlabelled=True)
        labelled, mated = one.labelled, one.mated
        values = rng.integers(-1, 2, (one.scores.size, 2))
        labels = np.stack([rng.permutation(labelled.of_units) for _ in range(2)])
        for kind in (mated, ~mated):
            number, sums = of_kind(labelled, kind, values).by_group(labels, labelled.table, 3)
            for row, drawn in enumerate(labels):
                pairs = list(zip(drawn[labelled.first], drawn[labelled.second], kind, strict=True))
                for group in range(3):
                    own = [i for i, (a, b, k) in enumerate(pairs) if k and a == b == group]
                    assert number[row, group] == len(own)
                    assert sums[row, group].tolist() == values[own].sum(axis=0).tolist()


def test_the_mean_of_draws_is_that_of_all_orders() -> None:
    """Five people in two groups: all 120 orders, one at a time."""
    rng = np.random.default_rng(1)
    left = np.array([0, 1, 2, 3, 4, 0, 0, 1, 2, 3, 1, 0, 2])
    right = np.array([0, 1, 2, 3, 4, 1, 2, 2, 3, 4, 4, 3, 4])
    one = Toy(left, right, np.array([0, 0, 0, 1, 1]), rng.normal(size=13), ("a", "b"))
    wrong = (one.scores > 0) != one.mated
    null = no_difference(
        one.labelled, one.mated, wrong[:, None].astype(int), Sharing.of(one.units), 20_000, rng
    )
    assert null.by == "people"
    rates = []
    for order in permutations(range(5)):
        label = one.label[list(order)]
        a = label[left]
        rates.append([wrong[one.mated & (a == g)].mean() for g in (0, 1)])
    assert null.fnmr[:, :, 0].mean(axis=0) == pytest.approx(np.mean(rates, axis=0), abs=0.01)
    spread = [abs(x - y) for x, y in rates]
    assert np.ptp(null.fnmr[:, :, 0], axis=1).mean() == pytest.approx(np.mean(spread), abs=0.01)


def test_people_without_a_label_keep_none() -> None:
    one = toy(np.random.default_rng(2), unlabelled=True)
    labelled = one.labelled
    number, _ = of_kind(labelled, one.mated, np.zeros((80, 1), int)).by_group(
        labelled.of_units[None], labelled.table, 3
    )
    null = no_difference(
        labelled, one.mated, np.zeros((80, 1), int), Sharing.of(one.units), 20,
        np.random.default_rng(0),
    )  # fmt: skip
    assert number.sum() < one.mated.sum()
    assert null.fnmr.shape == (20, 3, 1)


def test_lists_that_know_of_groups_shuffle_comparisons() -> None:
    """With people's labels in another order most pairs would be across groups."""
    rng = np.random.default_rng(3)
    for graph, by in ((across(200, 800), "people"), (within(50, 4, 300), "comparisons")):
        wrong = (rng.random(graph.mated.size) < 0.1).astype(int)[:, None]
        null = no_difference(graph.labelled, graph.mated, wrong, Sharing.of(graph.units), 100, rng)
        assert null.by == by
        own = ~graph.mated & (graph.labelled.group >= 0)
        assert np.nanmean(null.fmr) == pytest.approx(wrong[own].mean(), abs=0.02)


def test_comparisons_that_share_people_are_widened() -> None:
    """Errors that come by person: comparisons alone would vary too little."""
    rng = np.random.default_rng(4)
    graph = within(20, 4, 1500)
    bad = rng.random(80) < 0.15
    by_person = (bad[graph.left] | bad[graph.right]).astype(int)[:, None]
    alone = rng.permutation(by_person)
    spread = []
    for wrong in (by_person, alone):
        null = no_difference(graph.labelled, graph.mated, wrong, Sharing.of(graph.units), 400, rng)
        spread.append(null.fmr.std())
    assert spread[0] > 2 * spread[1]


def test_p_value_by_hand() -> None:
    drawn = np.array([0.1, 0.2, 0.3, 0.3])
    assert p_value(drawn, 0.3) == 3 / 5
    assert p_value(drawn, 0.15, smaller=True) == 2 / 5
    assert p_value(drawn, 9.0) == 1 / 5


def test_resampled_rates_are_those_of_repeated_people() -> None:
    one = toy(np.random.default_rng(5), people=8, each=60)
    compared = Compared.of(one.units, one.labelled)
    wrong = ((one.scores >= 0.7) != one.mated).astype(int)[:, None]
    needed = (np.zeros(3, bool), np.zeros(3, bool))
    fmr, fnmr = resampled(compared, wrong, needed, 5, np.random.default_rng(6))
    rng = np.random.default_rng(6)
    picks = rng.integers(0, 8, size=(5, 8))
    for row, people in enumerate(picks):
        times = np.bincount(people, minlength=8)
        number, errors = np.zeros((2, 3)), np.zeros((2, 3))
        for a, b, w in zip(one.left, one.right, wrong[:, 0], strict=True):
            if one.label[a] == one.label[b]:
                weight = times[a] if a == b else times[a] * times[b]
                number[int(a == b), one.label[a]] += weight
                errors[int(a == b), one.label[a]] += weight * w
        with np.errstate(invalid="ignore"):
            assert fmr[row, :, 0] == pytest.approx(errors[0] / number[0], nan_ok=True)
            assert fnmr[row, :, 0] == pytest.approx(errors[1] / number[1], nan_ok=True)


def test_seeded() -> None:
    one = toy(np.random.default_rng(7), people=40, each=300)
    runs = [
        group_statistics(one.scores, one.units, one.labelled, [0.1], draws=60, seed=seed)
        for seed in (1, 1, 2)
    ]
    told = [run.points[0].summaries for run in runs]
    assert told[0] == told[1] != told[2]


def test_small_groups_differ_by_chance_and_it_is_said() -> None:
    """Equal groups of ten people differ by several points, as much as no difference gives."""
    graph = across(30, 600, (1 / 3, 1 / 3, 1 / 3))
    rng, told = np.random.default_rng(8), []
    for _ in range(30):
        scores = rng.normal(size=1200) + 2.5 * graph.mated
        found = group_statistics(scores, graph.units, graph.labelled, [0.1], draws=60)
        gap = next(s for s in found.points[0].summaries if s.name == "fnmr_difference")
        told.append((gap.value, gap.expected))
    value, expected = np.mean(told, axis=0)
    assert value > 0.02 and expected == pytest.approx(value, rel=0.25)
