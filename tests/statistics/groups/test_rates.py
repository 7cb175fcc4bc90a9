"""Rates of groups at one threshold, against their definition on random lists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facebench.statistics.calibration.threshold import error_rates
from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.points import group_statistics
from facebench.statistics.groups.rates import Accepts, Compared, group_rates
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.roc import tar_at_far
from tests.helpers.group_toys import Toy, rates_by_hand, toy


def found_at(one: Toy, threshold: float):
    compared = Compared.of(one.units, one.labelled)
    return group_rates(compared, Accepts.at(one.scores, one.mated, threshold))


@pytest.mark.parametrize("lists", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_lists(lists: int) -> None:
    """Ties, people without a label, groups without pairs of a kind."""
    rng = np.random.default_rng(0)
    for number in range(lists):
        one = toy(rng, each=int(rng.integers(4, 14)), unlabelled=number % 2 == 0)
        threshold = float(np.round(rng.normal(0.7), 1))
        found = found_at(one, threshold)
        fmr, fnmr, matrix = rates_by_hand(one, threshold)
        assert [rate.value for rate in found.fmr_of] == pytest.approx(fmr)
        assert [rate.value for rate in found.fnmr_of] == pytest.approx(fnmr)
        for row, told in zip(found.matrix, matrix, strict=True):
            assert [rate.value for rate in row] == pytest.approx(told)


def test_one_threshold_is_set_on_everybody() -> None:
    """Not one for each group, and not on the pairs within groups alone."""
    one = toy(np.random.default_rng(1), people=30, each=400)
    found = group_statistics(one.scores, one.units, one.labelled, [0.1], draws=0).points[0].rates
    assert found.accepts.threshold == tar_at_far(one.scores, one.mated, [0.1])[0].threshold
    fmr, fnmr, _ = rates_by_hand(one, found.accepts.threshold)
    assert [rate.value for rate in found.fmr_of] == pytest.approx(fmr)
    assert [rate.value for rate in found.fnmr_of] == pytest.approx(fnmr)


def test_pairs_across_groups_are_in_no_groups_rate() -> None:
    """All false matches are across: no group has any, and the matrix shows where they are."""
    left, right = np.array([0, 1, 0, 2, 0, 1]), np.array([0, 1, 1, 3, 2, 3])
    one = Toy(left, right, np.array([0, 0, 1, 1]), np.array([2, 2, 0, 0, 9.0, 9.0]), ("a", "b"))
    found = found_at(one, 1.0)
    assert [(r.errors, r.number) for r in found.fmr_of] == [(0, 1), (0, 1)]
    assert (found.matrix[0][1].errors, found.matrix[0][1].number) == (2, 2)
    assert found.matrix[0][1] == found.matrix[1][0]
    assert one.labelled.across == 2


def test_a_missing_label_is_no_group() -> None:
    one = toy(np.random.default_rng(2))
    bare = replace(one, label=np.where(one.label == 2, -1, one.label), names=one.names[:2])
    full, less = found_at(one, 0.5), found_at(bare, 0.5)
    assert [r.value for r in less.fmr_of] == [r.value for r in full.fmr_of[:2]]
    assert bare.labelled.unlabelled > 0 and bare.labelled.names == ("g0", "g1")
    assert less.accepts.far == full.accepts.far  # they stay in what the threshold is set on


def test_too_few_for_the_fmr_is_unresolvable_and_out_of_the_extremes() -> None:
    rng = np.random.default_rng(3)
    one = toy(rng, people=60, each=2000)
    small = np.where(np.arange(60) < 6, 2, np.arange(60) % 2)  # 6 of 60: about 20 pairs within
    found = group_statistics(
        one.scores, one.units, replace(one, label=small).labelled, [0.01], draws=50
    )
    rates = found.points[0].rates
    assert [rate.resolvable for rate in rates.fmr_of] == [True, True, False]
    assert rates.fmr_of[2].number < 100
    worst = next(s for s in found.points[0].summaries if s.name == "worst_group_fmr")
    assert worst.value == max(rate.value for rate in rates.fmr_of[:2])


def test_a_group_without_pairs_has_no_rate() -> None:
    left, right = np.array([0, 1, 0, 0, 1]), np.array([0, 1, 1, 2, 2])
    one = Toy(left, right, np.array([0, 0, 1]), np.array([2, 2, 0, 0, 1.0]), ("a", "b"))
    found = found_at(one, 0.5)
    assert (found.fmr_of[1].value, found.fmr_of[1].interval) == (None, None)
    assert found.fnmr_of[1].value is None and not found.fnmr_of[1].resolvable


def test_interval_at_a_given_threshold_is_the_houses() -> None:
    """A group of everybody has the interval that a threshold's check has."""
    one = toy(np.random.default_rng(4), people=80, each=600, groups=1)
    found, told = found_at(one, 0.8), error_rates(one.scores, one.units, 0.8)
    for mine, theirs in ((found.fmr_of[0], told.fmr), (found.fnmr_of[0], told.fnmr)):
        ends = (theirs.interval.low, theirs.interval.high)
        assert mine.value == theirs.value
        assert (mine.interval.low, mine.interval.high) == pytest.approx(ends, rel=1e-9)


def test_the_fmr_of_everybody_hardly_varies_at_a_threshold_that_is_set_for_it() -> None:
    """It is the target by construction; its interval would be as wide as of any without the
    threshold's part."""
    one = toy(np.random.default_rng(5), people=200, each=4000, groups=1, ties=False)
    found = group_rates(
        compared := Compared.of(one.units, one.labelled),
        Accepts.fitted(one.scores, one.mated, 0.1, compared.sharing),
    )
    held = group_rates(compared, Accepts.at(one.scores, one.mated, found.accepts.threshold))
    width = [r.fmr_of[0].interval.high - r.fmr_of[0].interval.low for r in (found, held)]
    assert width[0] < 0.1 * width[1]


def test_labels_of_images() -> None:
    """Glasses: none, one or both, in mated pairs, too; either order is the same group."""
    left, right = [0, 0, 1, 1, -1], [0, 1, 0, 1, 1]
    made = GroupLabels.make("images", ("no", "yes"), left, right, range(5), range(5, 10))
    assert made.names == ("none", "one", "both")
    assert made.group.tolist() == [0, 1, 1, 2, -1]
    assert (made.unlabelled, made.across) == (1, 0)
    three = GroupLabels.make("images", ("a", "b", "c"), [2, 0], [1, 0], [0, 1], [2, 3])
    assert three.names == ("a + a", "a + b", "a + c", "b + b", "b + c", "c + c")
    assert [three.names[g] for g in three.group] == ["b + c", "a + a"]


def test_failures_are_errors_of_their_group() -> None:
    one = toy(np.random.default_rng(6))
    lost = np.where(one.mated & (one.label[one.left] == 0), -np.inf, one.scores)
    assert found_at(replace(one, scores=lost), 0.5).fnmr_of[0].value == 1


def test_nobody_knows_who_is_in_the_pairs() -> None:
    """Labels of pairs, comparisons as units."""
    rng = np.random.default_rng(7)
    mated = np.arange(400) < 200
    scores = rng.normal(size=400) + 2 * mated
    code = rng.integers(0, 2, 400)
    units = Units.of(mated, None, None, "toy")
    found = group_statistics(
        scores, units, GroupLabels.make("pairs", ("in", "out"), code, code), [0.1], draws=50
    )
    assert found.shuffled == "comparisons"
    rates = found.points[0].rates
    assert rates.fmr_of[0].interval.kind == "wilson over comparisons"
    assert rates.matrix == ()


@pytest.mark.parametrize("label", [[0, 0, 0], [-1, -1, -1]])
def test_one_group_is_refused(label: list[int]) -> None:
    one = Toy(
        np.array([0, 1, 2, 0]), np.array([0, 1, 2, 1]), np.array(label), np.arange(4.0), ("a", "b")
    )
    with pytest.raises(ValueError, match="at least two groups"):
        group_statistics(one.scores, one.units, one.labelled, [0.1])
