"""The walk over blocks: the same whatever the blocks, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from facebench.similarity.base import score_block
from facebench.similarity.cosine import Cosine
from facebench.statistics.searches import FACES, found_at, search


def toy(gallery_faces=60, probes=40, people=15, seed=0):
    rng = np.random.default_rng(seed)
    gallery = rng.integers(0, people, gallery_faces)
    probe_people = rng.integers(0, 2 * people, probes)
    scores = rng.integers(0, 30, (gallery_faces, probes)) / 10  # ties
    return scores, gallery, probe_people


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 7, 64, 500, 10**6])
def test_blocks_do_not_change_the_result(dtype, block):
    scores, gallery, probes = toy()
    scores = scores.astype(dtype)
    there = np.random.default_rng(1).random(60) > 0.2
    whole = search(lambda g, p: scores[np.ix_(g, p)], gallery, probes, gallery_acquired=there)
    parts = search(
        lambda g, p: scores[np.ix_(g, p)], gallery, probes, gallery_acquired=there, block=block
    )
    for field in ("mated", "own", "other", "ahead"):
        assert np.array_equal(getattr(whole, field), getattr(parts, field)), field


def test_a_block_holds_whole_identities_and_no_more_scores_than_asked_for():
    scores, gallery, probes = toy()
    seen = []

    def score(g, p):
        seen.append((len(g), len(p)))
        assert len(set(gallery[g])) == 1 or g.size <= 12
        for person in set(gallery[g]):
            assert set(np.flatnonzero(gallery == person)) <= set(g)
        return scores[np.ix_(g, p)]

    search(score, gallery, probes, block=12)
    most = np.bincount(gallery).max()
    assert max(g * p for g, p in seen) <= max(12, most)


def test_every_pair_is_scored_about_once():
    """Mated probes are sorted by identity, so few blocks are scored again for the own scores."""
    rng = np.random.default_rng(0)
    gallery, probes = np.repeat(np.arange(400), 5), rng.integers(0, 800, 1000)
    count = 0

    def score(g, p):
        nonlocal count
        count += g.size * p.size
        return np.zeros((g.size, p.size), np.float32)

    search(score, gallery, probes, block=20_000)
    assert count <= 1.3 * gallery.size * probes.size
    count = 0
    search(score, gallery, probes)  # a gallery of one block
    assert count == gallery.size * probes.size


def test_memory_does_not_grow_with_the_matrix():
    rng = np.random.default_rng(0)
    gallery, probes = rng.integers(0, 900, 40_000), rng.integers(0, 2_000, 300)
    values = rng.random(40_000, dtype=np.float32)
    tracemalloc.start()
    try:
        search(lambda g, p: values[g][:, None] - values[p][None, :], gallery, probes, block=1 << 16)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16e6 < 40_000 * 300 * 4


def test_scores_that_are_no_scores_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        search(lambda g, p: np.full((g.size, p.size), np.nan), [1, 2], [1])
    with pytest.raises(ValueError, match=r"\+inf"):
        search(lambda g, p: np.full((g.size, p.size), np.inf), [1, 2], [1])
    with pytest.raises(ValueError, match="gave shape"):
        search(lambda g, p: np.zeros((1, 1)), [1, 2], [1])
    with pytest.raises(ValueError, match="not empty"):
        search(lambda g, p: np.zeros((0, 1)), [], [1])
    with pytest.raises(ValueError, match="gallery_acquired"):
        search(lambda g, p: np.zeros((2, 1)), [1, 2], [1], gallery_acquired=np.ones(3, bool))


@pytest.mark.parametrize("dimension", [3, 128, 160, 256, 512])
@pytest.mark.parametrize("stub", [1, 2, 17])
def test_a_copy_under_another_name_ties_though_its_block_is_a_stub(dimension, stub):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(FACES + stub, dimension))
    vectors[FACES:] = vectors[:stub]
    gallery = Cosine().project(vectors)
    for n in (1, 5, 511):
        people = rng.choice(np.append(np.arange(stub), FACES + np.arange(stub)), n)
        noisy = vectors[people] + 0.5 * rng.normal(size=(n, dimension))
        probes = Cosine().project(noisy)
        found = search(
            lambda g, p, probes=probes: score_block(gallery[g], probes[p]),
            np.arange(FACES + stub),
            people,
        )
        assert found.mated.all() and not found_at(found).any()
