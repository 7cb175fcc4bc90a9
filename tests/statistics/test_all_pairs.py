"""All pairs: equal to every score written out, in blocks and with a tail of any length."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.similarity.base import score_block
from facebench.similarity.cosine import Cosine
from facebench.statistics import roc, tar_at_far, tar_key
from facebench.statistics.all_pairs.points import tail_curve, tail_points
from facebench.statistics.all_pairs.walk import merged, walk_pairs
from facebench.statistics.intervals.all_pairs import (
    TailTooShortError,
    all_pairs_draws,
    tail_length,
    walk_with_draws,
)
from facebench.statistics.intervals.exact import bootstrap_over_subjects, percentile_interval
from facebench.statistics.weighted import tar_statistic

TARGETS = [0.01, 0.05, 0.2]


def toy(n=60, people=15, seed=0, levels=40):
    """(symmetric scores with ties, people, acquired)."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, people, n)
    who[:2] = 0
    who[2] = 1
    scores = rng.integers(0, levels, (n, n)) / 10 + 1.5 * (who[:, None] == who[None, :])
    return np.triu(scores) + np.triu(scores, 1).T, who, rng.random(n) > 0.15


def written_out(scores, who, acquired):
    """(scores, mated, left, right) of all pairs, by a loop."""
    rows = []
    for i in range(len(who)):
        for j in range(i + 1, len(who)):
            there = acquired[i] and acquired[j]
            rows.append((scores[i, j] if there else -np.inf, who[i] == who[j], who[i], who[j]))
    values, mated, left, right = map(np.array, zip(*rows, strict=True))
    return values, mated, left, right


def walked(scores, who, acquired=None, tail=10**6, rows=1000):
    return walk_pairs(
        lambda a, b: scores[np.ix_(a, b)], who, acquired=acquired, tail=tail, rows=rows
    )


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(4, 25),
    st.integers(2, 6),
    st.integers(1, 30),
    st.sampled_from([2, 5, 40]),
)
def test_tar_equals_that_of_all_scores(seed, n, people, rows, levels):
    scores, who, acquired = toy(n, people, seed, levels)
    values, mated, _, _ = written_out(scores, who, acquired)
    tail = tail_length(TARGETS, n * (n - 1) // 2, draws=0)
    pairs = walked(scores, who, acquired, tail, rows)
    assert tail_points(pairs, TARGETS) == tar_at_far(values, mated, TARGETS)
    assert (pairs.n_mated, pairs.n_nonmated) == (mated.sum(), (~mated).sum())
    assert pairs.failed == (values == -np.inf).sum()


def test_tail_has_the_highest_scores_with_their_people():
    scores, who, acquired = toy()
    values, mated, left, right = written_out(scores, who, acquired)
    pairs = walked(scores, who, acquired, tail=50, rows=7)
    there = ~mated & (values > -np.inf)
    assert pairs.tail.tolist() == np.sort(values[there])[::-1][:50].tolist()
    assert not pairs.complete
    # Everything above the last, whose ties are cut, with the right people.
    last = pairs.tail[-1]
    expected = sorted(
        (s, *sorted((a, b)))
        for s, a, b in zip(values[there], left[there], right[there], strict=True)
        if s > last
    )
    kept = pairs.tail > last
    names = np.unique(who)
    found = zip(pairs.tail[kept], names[pairs.first[kept]], names[pairs.second[kept]], strict=True)
    assert sorted((s, *sorted((a, b))) for s, a, b in found) == expected
    assert sorted(pairs.mated) == sorted(values[mated & (values > -np.inf)])


def test_memory_is_that_of_the_tail():
    scores, who, _ = toy(400, 100)
    pairs = walked(scores, who, tail=100, rows=50)
    assert pairs.tail.size == 100 and not pairs.complete
    assert walked(scores, who).complete
    assert walked(scores, who).tail.size == pairs.n_nonmated


def test_intervals_equal_those_of_all_scores():
    scores, who, acquired = toy(40, 12, levels=200)
    values, mated, left, right = written_out(scores, who, acquired)
    pairs = walked(scores, who, acquired)
    found = all_pairs_draws(pairs, TARGETS, draws=200, rng=np.random.default_rng(4))
    for target in TARGETS:
        expected = bootstrap_over_subjects(
            tar_statistic(target),
            values,
            mated,
            left,
            right,
            draws=200,
            rng=np.random.default_rng(4),
        )
        assert percentile_interval(found[tar_key(target)], 0.95, "subjects") == expected


def test_a_tail_that_a_resample_outgrows_is_an_error_and_not_a_number():
    scores, who, acquired = toy(40, 12)
    pairs = walked(scores, who, acquired, tail=2)
    with pytest.raises(ValueError, match="too short for FAR"):
        all_pairs_draws(pairs, [0.2], draws=50, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="cannot give"):
        tail_points(pairs, [0.2])


def hub(n=300, people=60, seed=0):
    """(scores, people) where the first person, of many images, looks like everybody."""
    rng = np.random.default_rng(seed)
    who = np.sort(np.append(np.zeros(20, int), rng.integers(0, people, n - 20)))
    scores = rng.normal(size=(n, n)) + 4 * (who[:, None] == who[None, :])
    scores += 5.0 * (who == 0)[:, None] * (who != 0)[None, :]
    return np.triu(scores) + np.triu(scores, 1).T, who


def test_the_tail_grows_where_one_person_has_most_false_accepts():
    scores, who = hub()
    lengths = []

    def walk(length):
        lengths.append(length)
        return walked(scores, who, tail=length)

    first = tail_length([0.1], 300 * 299 // 2, 100) - 1000  # MARGIN alone
    with pytest.raises(TailTooShortError, match=r"too short for FAR 0\.1"):
        all_pairs_draws(walked(scores, who, tail=first), [0.1], rng=np.random.default_rng(3))
    settings = {"draws": 200, "seed": 3}
    pairs, found = walk_with_draws(walk, [0.1, 0.01], length=first, **settings)
    assert lengths[0] == first and len(lengths) > 1
    assert all(after == 2 * before for before, after in pairwise(lengths))
    expected = all_pairs_draws(
        walked(scores, who), [0.1, 0.01], draws=200, rng=np.random.default_rng(3)
    )
    np.testing.assert_equal(found, expected)
    assert tail_points(pairs, [0.1]) == tail_points(walked(scores, who), [0.1])


def test_beyond_the_limit_a_target_has_no_interval_but_its_rate():
    scores, who = hub()
    first = tail_length([0.1], 300 * 299 // 2, 100) - 1000
    pairs, found = walk_with_draws(
        lambda length: walked(scores, who, tail=length),
        [0.1, 0.01],
        length=first,
        most=first + 10,
        draws=200,
        seed=3,
    )
    whole = walked(scores, who)
    assert pairs.tail.size == first + 10
    assert tail_points(pairs, [0.1, 0.01]) == tail_points(whole, [0.1, 0.01])
    expected = all_pairs_draws(whole, [0.01], draws=200, rng=np.random.default_rng(3))
    np.testing.assert_equal(found, expected)
    assert walk_with_draws(lambda _: pairs, [0.1], length=first, draws=0) == (pairs, {})


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("pair", [(0, 3), (0, 1)])
def test_one_nan_or_infinite_score_is_an_error(wrong, pair):
    scores = np.random.default_rng(0).normal(size=(6, 6))
    scores[pair] = scores[pair[::-1]] = wrong
    for tail in (1, 100):
        for rows in (2, 100):
            with pytest.raises(ValueError, match="NaN or"):
                walked(scores, [0, 0, 1, 1, 2, 2], tail=tail, rows=rows)


@pytest.mark.parametrize("n", [4097, 4099, 4096 + 17])
def test_a_model_that_gives_one_embedding_for_all_has_tar_0(n):
    rows = Cosine().project(np.repeat(np.linspace(-1, 2, 160, dtype=np.float32)[None], n, axis=0))
    pairs = walk_pairs(lambda a, b: score_block(rows[a], rows[b]), np.arange(n) // 2, tail=10_000)
    assert [(p.tar, p.far) for p in tail_points(pairs, [0.001, 1e-6])] == [(0, 0), (0, 0)]


def test_curve_has_operating_points_only():
    scores, who, acquired = toy()
    values, mated, _, _ = written_out(scores, who, acquired)
    full = roc(values, mated)
    pairs = walked(scores, who, acquired, tail=400)
    curve = tail_curve(pairs, 300, points=40)
    known = set(zip(full.far.tolist(), full.tar.tolist(), strict=True))
    assert set(zip(curve.far.tolist(), curve.tar.tolist(), strict=True)) <= known
    assert (np.diff(curve.far) >= 0).all() and (np.diff(curve.tar) >= 0).all()
    assert curve.far[-1] <= 300 / pairs.n_nonmated


def test_errors():
    with pytest.raises(ValueError, match="mated and non-mated"):
        walked(np.zeros((3, 3)), [0, 1, 2])
    with pytest.raises(ValueError, match="mated and non-mated"):
        walked(np.zeros((3, 3)), [0, 0, 0])
    with pytest.raises(ValueError, match="NaN"):
        walked(np.full((3, 3), np.nan), [0, 0, 1])
    with pytest.raises(ValueError, match="draws is 0"):
        all_pairs_draws(walked(*toy()), [0.1], draws=0, rng=np.random.default_rng(0))


def test_nobody_acquired():
    pairs = walked(np.ones((3, 3)), [0, 0, 1], acquired=np.zeros(3, bool))
    assert pairs.failed == 3
    point = tail_points(pairs, [1.0])[0]
    assert (point.tar, point.far) == (0.0, 0.0)


def bits(pairs):
    """All that a walk found, arrays as bytes with their dtype."""
    return {
        name: (value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in vars(pairs).items()
    }


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(4, 25),
    rows=st.integers(1, 30),
    levels=st.sampled_from([2, 5, 40]),
    tail=st.integers(1, 300),
    parts=st.integers(1, 5),
    single=st.booleans(),
)
def test_parts_merge_to_the_bits_of_the_whole(seed, n, rows, levels, tail, parts, single):
    scores, who, acquired = toy(n, 5, seed, levels)
    if single:
        scores = scores.astype(np.float32)

    def walk(rows, part=(0, 1), workers=None):
        return walk_pairs(
            lambda a, b: scores[np.ix_(a, b)],
            who,
            acquired=acquired,
            tail=tail,
            rows=rows,
            part=part,
            workers=workers,
        )

    whole = walk(1000)
    found = [walk(rows, (i, parts)) for i in range(parts)]
    assert bits(merged(found, who, tail)) == bits(whole)
    assert bits(merged(found[::-1], who, tail)) == bits(whole)
    assert bits(walk(rows, workers=3)) == bits(whole)


def test_of_equal_scores_the_lowest_pairs_are_kept():
    who = np.array([0, 0, 1, 2, 3])
    found = walked(np.ones((5, 5)), who, tail=3, rows=2)
    assert found.pairs.tolist() == [2, 3, 4]  # of face 0 with 2, 3 and 4
    assert (found.first.tolist(), found.second.tolist()) == ([0, 0, 0], [1, 2, 3])
    assert not found.complete


def test_parts_of_other_faces_do_not_merge():
    scores, who, _ = toy()
    one, other = walked(scores, who), walked(scores[:50, :50], who[:50])
    with pytest.raises(ValueError, match="parts of one walk"):
        merged([one, other], who, 10)
