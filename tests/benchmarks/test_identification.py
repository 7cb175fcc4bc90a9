"""Identification and all pairs beside the named alternatives; the large ones are marked slow."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from facebench.similarity.base import Projection, score_block
from facebench.statistics.all_pairs.points import tail_points
from facebench.statistics.all_pairs.walk import merged, walk_pairs
from facebench.statistics.intervals.all_pairs import tail_length
from facebench.statistics.intervals.searches import SearchTable, search_intervals
from facebench.statistics.searches import Searches, cmc, dir_at_far, search, search_scores

WIDTH = 512


def faces(people: np.ndarray, seed: int, spread: float = 2.0) -> Projection:
    """Unit embeddings around one centre per person."""
    centres = np.random.default_rng(99).standard_normal((people.max() + 1, WIDTH), np.float32)
    rng = np.random.default_rng(seed)
    vectors = centres[people]
    vectors += spread * rng.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Projection(vectors, np.zeros(len(people)))


def open_set_of_lfw() -> tuple[np.ndarray, np.ndarray]:
    """People of 3,143 gallery images and of 596 + 9,494 probes."""
    rng = np.random.default_rng(0)
    gallery = np.concatenate([np.arange(596), rng.integers(0, 596, 3143 - 596)])
    return gallery, np.concatenate([np.arange(596), rng.integers(596, 5749, 9494)])


def by_argsort(gallery: Projection, probes: Projection, owner: np.ndarray, people: np.ndarray):
    """What most scripts do: the whole matrix, every row sorted."""
    scores = probes.rows @ gallery.rows.T
    order = np.argsort(-scores, axis=1, kind="stable")
    first = owner[order[:, 0]] == people
    return first, np.take_along_axis(scores, order[:, :1], axis=1)[:, 0]


def test_open_set_of_lfw(beside):
    owner, people = open_set_of_lfw()
    gallery, probes = faces(owner, 1), faces(people, 2)

    def run() -> Searches:
        return search(lambda g, p: score_block(gallery[g], probes[p]), owner, people)

    found, others = beside(
        run, {"full argsort": lambda: by_argsort(gallery, probes, owner, people)}
    )
    first, best = others["full argsort"]
    mated = np.isin(people, owner)
    np.testing.assert_allclose(np.maximum(found.own, found.other), best, atol=1e-5)
    assert ((found.ahead == 0) & mated == first).mean() > 0.9999


def test_intervals_of_ten_draws(benchmark):
    owner, people = open_set_of_lfw()
    gallery, probes = faces(owner, 1), faces(people, 2)
    found = search(lambda g, p: score_block(gallery[g], probes[p]), owner, people)
    tables = [SearchTable(search_scores(found), found.mated, people)] * 10

    def run():
        return search_intervals(tables, [0.01], [1])

    start = time.perf_counter()
    intervals = benchmark.pedantic(run, rounds=1)
    took = time.perf_counter() - start
    print(f"\nover people, 10 draws of 10,090 searches: {took:.2f} s")
    point = dir_at_far(found, [0.01])[0]
    assert intervals["DIR@FAR=0.01"].low <= point.tar <= intervals["DIR@FAR=0.01"].high


@pytest.mark.slow
def test_all_pairs_of_lfw(benchmark):
    rng = np.random.default_rng(0)
    people = np.concatenate([np.arange(5749), rng.integers(0, 1680, 13233 - 5749)])
    rows = faces(people, 3)
    targets = (0.001, 0.0001, 0.00001)

    def run():
        length = tail_length(targets, 13233 * 13232 // 2, draws=1000)
        return walk_pairs(lambda a, b: score_block(rows[a], rows[b]), people, tail=length)

    pairs = benchmark.pedantic(run, rounds=1)
    points = tail_points(pairs, targets)
    assert all(point.far <= point.target for point in points)
    assert pairs.n_mated + pairs.n_nonmated == 87_549_528


@pytest.mark.slow
def test_all_pairs_of_lfw_in_two_shards_merge_to_the_bits_of_one():
    """87.5 million pairs, in two parts of other blocks and threads than the whole."""
    rng = np.random.default_rng(0)
    people = np.concatenate([np.arange(5749), rng.integers(0, 1680, 13233 - 5749)])
    vectors = faces(people, 3).rows[:, :64].copy()
    rows = Projection(vectors, np.zeros(len(people)))
    length = tail_length((0.001,), 13233 * 13232 // 2, draws=1000)

    def walk(**given):
        return walk_pairs(lambda a, b: score_block(rows[a], rows[b]), people, tail=length, **given)

    whole = walk(workers=1)
    parts = [walk(part=(number, 2), rows=1500, workers=2) for number in range(2)]
    found = merged(parts, people, length)
    assert whole.n_mated + whole.n_nonmated == 87_549_528 and whole.tail.size == length
    for name, value in vars(whole).items():
        np.testing.assert_array_equal(getattr(found, name), value, strict=True)


@pytest.mark.slow
def test_a_large_gallery_in_bounded_memory(benchmark):
    owner = np.random.default_rng(0).integers(0, 120_000, 200_000)
    people = np.concatenate([owner[:250], np.arange(200_000, 200_250)])
    gallery, probes = faces(owner, 4), faces(people, 5)

    def run() -> Searches:
        return search(lambda g, p: score_block(gallery[g], probes[p]), owner, people)

    found = benchmark.pedantic(run, rounds=1)
    tracemalloc.start()
    try:
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = 200_000 * 500 * 4
    print(
        f"\n500 probes in 200,000 faces: {peak / 2**20:.0f} MiB; the matrix would take "
        f"{whole / 2**20:.0f} MiB"
    )
    assert peak < whole / 4
    assert cmc(found)[-1] == 1.0
    scores = probes.rows[:5] @ gallery.rows.T
    for probe in range(5):
        own = scores[probe, owner == people[probe]].max()
        ahead = set(owner[scores[probe] >= own]) - {people[probe]}
        assert abs(int(found.ahead[probe]) - len(ahead)) <= 1
