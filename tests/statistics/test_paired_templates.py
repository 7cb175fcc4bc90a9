"""Paired TAR over splits: by resampling written out, and how often equal models are told apart."""

from __future__ import annotations

import brute_force as brute
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.statistics.paired import difference_of_draws
from facebench.statistics.paired_templates import paired_tar_differences
from facebench.statistics.templates import SplitScores, tar_over_splits

TARGETS = (0.5, 0.1)


def split_of(rng: np.random.Generator, people: int, size: int) -> SplitScores:
    """Comparisons with ties and failures to acquire; both kinds are there."""
    left = rng.integers(0, people, size)
    mated = np.r_[True, False, rng.random(size - 2) < 0.5]
    right = np.where(mated, left, (left + rng.integers(1, people, size)) % people)
    scores = np.round(rng.normal(size=size) + mated, 1)
    scores[rng.random(size) < 0.05] = -np.inf
    return SplitScores(scores, mated, left, right)


def moved(split: SplitScores, rng: np.random.Generator) -> SplitScores:
    scores = np.round(split.scores + 0.5 * rng.normal(size=split.mated.size), 1)
    return SplitScores(scores, split.mated, split.left, split.right)


def tar(split: SplitScores, weights: np.ndarray, target: float) -> float:
    """By the definition, every comparison written out as often as it counts."""
    again = np.repeat(np.arange(split.mated.size), weights)
    scores, mated = split.scores[again].tolist(), split.mated[again].tolist()
    return brute.tar_at_far(scores, mated, target)[2] / sum(mated)


def counted(split: SplitScores, times: np.ndarray) -> np.ndarray:
    assert split.left is not None and split.right is not None
    return np.where(split.mated, times[split.left], times[split.left] * times[split.right])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 6), st.integers(1, 3))
def test_it_is_resampling_written_out(seed: int, people: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    baseline = [split_of(rng, people, 20) for _ in range(number)]
    candidate = [moved(split, rng) for split in baseline]
    found = paired_tar_differences(
        baseline, candidate, TARGETS, draws=15, rng=np.random.default_rng(1)
    )
    names = np.unique(np.concatenate([np.r_[s.left, s.right] for s in baseline]))
    drawn = np.random.default_rng(1).integers(0, names.size, size=(15, names.size))
    values = []
    for picks in drawn:
        times = np.zeros(people, int)
        times[names] = np.bincount(picks, minlength=names.size)
        gains = []
        for before, after in zip(baseline, candidate, strict=True):
            weights = counted(before, times)
            if weights[before.mated].any() and weights[~before.mated].any():
                gains.append([tar(after, weights, t) - tar(before, weights, t) for t in TARGETS])
        if gains:
            values.append(np.mean(gains, axis=0))
    once = np.ones(20, int)
    mated = np.unique(np.concatenate([s.left[s.mated] for s in baseline])).size
    for target, column, difference in zip(TARGETS, np.array(values).T, found, strict=True):
        estimate = np.mean(
            [tar(b, once, target) - tar(a, once, target)
             for a, b in zip(baseline, candidate, strict=True)]
        )  # fmt: skip
        expected = difference_of_draws(float(estimate), column, 0.95, "subjects", mated)
        assert difference.estimate == pytest.approx(estimate)
        assert difference.interval.low == pytest.approx(expected.interval.low)
        assert difference.interval.high == pytest.approx(expected.interval.high)
        assert difference.interval.kind == expected.interval.kind


def test_by_hand() -> None:
    # Four people, one mated comparison each; one non-mated. Candidate: dan falls below it.
    left, right = np.array([0, 1, 2, 3, 0]), np.array([0, 1, 2, 3, 1])
    mated = np.array([True] * 4 + [False])
    before = SplitScores(np.array([5.0, 5, 5, 5, 1]), mated, left, right)
    after = SplitScores(np.array([5.0, 5, 5, 0, 1]), mated, left, right)
    (found,) = paired_tar_differences([before], [after], [0.1], rng=np.random.default_rng(0))
    assert found.estimate == -0.25
    (same,) = paired_tar_differences([before], [before], [0.1], rng=np.random.default_rng(0))
    assert same.interval.high == pytest.approx(1 - 0.025 ** (1 / 4))
    assert same.interval.kind == "exact bound for 4 subjects, all draws agree"


def test_comparisons_are_drawn_where_people_are_unknown() -> None:
    rng = np.random.default_rng(3)
    known = split_of(rng, 6, 60)
    before = SplitScores(known.scores, known.mated)
    (found,) = paired_tar_differences([before], [moved(before, rng)], [0.5], draws=50, rng=rng)
    assert found.interval.kind == "bootstrap over comparisons"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"draws": 0}, "draws is 0"),
        ({"level": 95}, "level is 95"),
        ({"targets": [0.0]}, "FAR target"),
        ({"candidate": []}, "not make the same"),
        ({"baseline": [], "candidate": []}, "not make the same"),
    ],
)
def test_what_cannot_be_compared_is_said(change: dict, said: str) -> None:
    rng = np.random.default_rng(0)
    split = split_of(rng, 5, 30)
    given_: dict = {"baseline": [split], "candidate": [split], "targets": [0.1]} | change
    with pytest.raises(ValueError, match=said):
        paired_tar_differences(rng=rng, **given_)


def test_other_people_are_refused() -> None:
    one = split_of(np.random.default_rng(0), 5, 30)
    assert one.left is not None
    for left in (one.left[::-1], None):
        other = SplitScores(one.scores, one.mated, left, one.right)
        with pytest.raises(ValueError, match="not make the same"):
            paired_tar_differences([one], [other], [0.1], rng=np.random.default_rng(0))


FARS = (0.1, 0.01, 0.005)


def equal_models(
    rng: np.random.Generator, effect: float
) -> tuple[list[SplitScores], list[SplitScores]]:
    """Two splits of 60 of 90 people: five mated comparisons each, and 1,000 non-mated ones.

    Scores have a part that both models share, an effect of every person on the mated and one on
    the non-mated comparisons of each model, and noise: neither model is better.
    """
    common, effects = 0.5 * rng.normal(size=90), effect * rng.normal(size=(2, 2, 90))
    models: tuple[list[SplitScores], list[SplitScores]] = ([], [])
    for _ in range(2):
        names = rng.permutation(90)[:60]
        own, first = np.repeat(names, 5), rng.integers(0, 60, 1000)
        left = np.r_[own, names[first]]
        right = np.r_[own, names[(first + rng.integers(1, 60, 1000)) % 60]]
        mated = np.arange(left.size) < own.size
        shared = 3.0 * mated + common[left] + common[right] * ~mated
        shared = shared + 0.6 * rng.normal(size=left.size)
        for model, (of_own, of_others) in zip(models, effects, strict=True):
            person = np.where(mated, of_own[left], of_others[left] + of_others[right])
            scores = shared + person + 0.5 * rng.normal(size=left.size)
            model.append(SplitScores(scores, mated, left, right))
    return models


def levels(samples: int, draws: int, seed: int, effect: float) -> np.ndarray:
    """How often, of FARS, equal models are called different."""
    rng, found = np.random.default_rng(seed), np.zeros(len(FARS))
    for _ in range(samples):
        baseline, candidate = equal_models(rng, effect)
        paired = paired_tar_differences(baseline, candidate, FARS, draws=draws, rng=rng)
        found += [difference.significant for difference in paired]
    return found / samples


def test_equal_models_are_seldom_told_apart() -> None:
    """Thresholds held fixed call 30 to 60 of 100 different; 9% here is 7 of 80."""
    found = levels(80, 100, 4, 0.4)
    assert (found <= 0.09).all() and found.max() > 0, found


@pytest.mark.slow
def test_five_of_a_hundred_equal_models_are_told_apart() -> None:
    """4.5, 5.2 and 4.5% of 400. Of 1,000 with effects of 0.4 it is 2.9, 1.7 and 1.5%: product
    weights are cautious where comparisons depend less on their people.
    """
    found = levels(400, 200, 6, 0.8)
    print(dict(zip(FARS, found, strict=True)))
    assert ((found >= 0.02) & (found <= 0.09)).all(), found


def test_thresholds_held_fixed_would_tell_them_apart() -> None:
    """Why they are not: what the old interval said of the same equal models."""
    from facebench.statistics.rates import paired_rate_difference

    rng, found = np.random.default_rng(4), 0
    for _ in range(40):
        models = equal_models(rng, 0.4)
        accepted = []
        for model in models:
            (tars,) = tar_over_splits(model, [0.01])
            accepted.append(
                [s.scores[s.mated] >= p.threshold for s, p in zip(model, tars.points, strict=True)]
            )
        one, other = (np.concatenate(splits) for splits in accepted)
        people = np.concatenate([s.left[s.mated] for s in models[0]])  # type: ignore[index]
        parts = np.repeat([0, 1], one.size // 2)
        found += paired_rate_difference(one, other, parts, people, draws=200, rng=rng).significant
    assert found >= 0.25 * 40
