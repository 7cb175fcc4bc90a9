"""Bands of curves against a plain loop, and against the intervals of single rates."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.statistics.intervals import bands
from facebench.statistics.intervals.bands import BandPart, tar_bands
from facebench.statistics.intervals.exact import bootstrap_over_subjects, verification_intervals
from facebench.statistics.roc import tar_at_far
from facebench.statistics.weighted import tar_statistic

FARS = [0.01, 0.05, 0.1, 0.32, 1.0]


def pairs(seed: int, people: int = 30, size: int = 200):
    """Scores with ties and failures to acquire, labels, and the people on both sides."""
    rng = np.random.default_rng(seed)
    left = rng.integers(0, people, size)
    mated = rng.random(size) < 0.5
    right = np.where(mated, left, (left + rng.integers(1, people, size)) % people)
    scores = np.round(rng.normal(size=size) + 1.2 * mated, 1)
    scores[rng.random(size) < 0.03] = -np.inf
    return scores, mated, left, right


def test_each_far_is_the_interval_of_its_tar():
    scores, mated, left, right = pairs(1)
    low, high = tar_bands([BandPart(scores, mated, left, right)], FARS, draws=300, seed=5)
    folds = np.arange(len(scores)) % 4
    found = verification_intervals(
        scores, mated, left, right, folds, FARS, 300, np.random.default_rng(5)
    )
    for number, far in enumerate(FARS):
        interval = found[f"tar@far={far!r}"]
        assert (low[number], high[number]) == pytest.approx((interval.low, interval.high))


def test_comparisons_are_resampled_where_people_are_unknown():
    scores, mated, *_ = pairs(2)
    low, high = tar_bands([BandPart(scores, mated)], [0.1], draws=200, seed=0)
    interval = bootstrap_over_subjects(
        tar_statistic(0.1), scores, mated, None, None, draws=200, rng=np.random.default_rng(0)
    )
    assert (low[0], high[0]) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("searches", [True, False])
def test_of_several_parts_it_is_the_mean_with_the_same_people_in_all(searches: bool) -> None:
    parts = [pairs(seed) for seed in (5, 6, 7)]
    low, high = tar_bands(
        [BandPart(s, m, a, None if searches else b) for s, m, a, b in parts],
        FARS,
        draws=100,
        seed=9,
    )
    picks = np.random.default_rng(9).integers(0, 30, size=(100, 30))
    values = []
    for drawn in (np.bincount(row, minlength=30) for row in picks):
        tars = []
        for scores, mated, left, right in parts:
            both = drawn[left] * (1 if searches else np.where(mated, 1, drawn[right]))
            s, m = np.repeat(scores, both), np.repeat(mated, both)
            tars.append([p.tar for p in tar_at_far(s, m, FARS)])
        values.append(np.mean(tars, axis=0))
    np.testing.assert_allclose([low, high], np.quantile(values, [0.025, 0.975], axis=0))


def test_a_plain_loop_over_repeated_comparisons():
    scores, mated, left, _ = pairs(8, people=6, size=60)
    mated[:3], left[:3] = False, [0, 1, 2]
    values = []
    rng = np.random.default_rng(2)
    for _ in range(40):
        drawn = np.bincount(rng.integers(0, 6, size=(1, 6)).ravel(), minlength=6)
        again = np.repeat(np.arange(60), drawn[left])
        if mated[again].any() and not mated[again].all():
            values.append([p.tar for p in tar_at_far(scores[again], mated[again], FARS)])
    low, high = tar_bands([BandPart(scores, mated, left)], FARS, draws=40, seed=2, level=0.8)
    expected = np.quantile(values, [0.1, 0.9], axis=0)
    assert np.allclose([low, high], expected, atol=1e-12)
    assert (low <= high).all() and (np.diff(low) >= 0).all() and high[-1] <= 1


@pytest.mark.parametrize(
    ("parts", "change", "said"),
    [
        ([], {}, "no parts"),
        ([BandPart([0.1, 0.2], [True, False])], {"draws": 0}, "draws is 0"),
        ([BandPart([0.1, 0.2], [True, False])], {"level": 95}, "level is 95"),
        ([BandPart([0.1, 0.2], [True, True])], {}, "tar_bands"),
        ([BandPart([0.1, 0.2], [True, False], [1, 2])], {"draws": 1}, "people are too few"),
    ],
)
def test_what_cannot_be_resampled_is_said(parts, change, said):
    with pytest.raises(ValueError, match=said):  # the one draw is of one person twice
        tar_bands(parts, [0.1], seed=0, **change)


def test_kept_draws_are_those_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, mated, left, right = pairs(3, people=40, size=150)
    part = BandPart(scores, mated, left, right)
    kept = [tar_bands([part], FARS, draws=90, seed=seed) for seed in (4, 5, 4)]
    monkeypatch.setattr(bands, "_MOST_KEPT", 0)
    streamed = [tar_bands([part], FARS, draws=90, seed=seed) for seed in (4, 5, 4)]
    assert np.array_equal(kept, streamed)
    assert not np.array_equal(kept[0], kept[1])


def test_weights_beyond_31_bits_are_counted() -> None:
    """Of two people one comes up hundreds of times: bytes, and at last 32 bits, would not do."""
    unit = bands._units_of(
        [BandPart([0.9, 0.4, 0.6, 0.1], [True, True, False, False], [0, 1, 0, 1], [0, 1, 1, 0])]
    )
    drawn = np.array([[70_000, 65_000], [255, 3], [2, 0]])
    both, tars = unit[0].tars(drawn, np.array([1, 1]), np.array([4, 2]))
    assert both.tolist() == [True, True, False]
    assert tars == pytest.approx(np.array([[70 / 135, 1.0], [255 / 258, 1.0]]))
