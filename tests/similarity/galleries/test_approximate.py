"""Approximate indexes: a loop over what they return, and recall against all faces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.similarity.base import Projection, score_block
from facebench.similarity.cosine import Cosine
from facebench.similarity.galleries.approximate import ApproximateSearch
from facebench.similarity.galleries.index import GalleryIndex, index_of
from tests.similarity.galleries.test_walk import walked
from tests.similarity.test_candidates import assert_same


def made(index: str, depth: int, seed=3, gallery=1500, probes=120, width=24, cuts=(0, 400, 1500)):
    """(the search, gallery rows, owners, probe rows, people, acquired flags)."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((gallery, width), dtype=np.float32)
    owners = np.sort(rng.integers(0, gallery // 2, gallery))
    owners = np.unique(owners, return_inverse=True)[1]
    at = rng.integers(0, gallery, probes)
    asked = vectors[at] + rng.standard_normal((probes, width), dtype=np.float32)
    people = np.where(np.arange(probes) % 3 == 0, -1, owners[at])
    rows, wanted = Cosine().project(vectors), Cosine().project(asked)
    there, probes_there = rng.random(gallery) > 0.05, rng.random(probes) > 0.05
    identities = int(owners.max()) + 1
    search = ApproximateSearch(
        wanted, people, identities, probes_there, index=index_of(index), depth=depth
    )
    for first, last in pairwise(cuts):
        some = np.arange(first, last)
        search.add(rows[some], owners[some], there[some])
    return search, rows, owners, wanted, people, there, probes_there


@pytest.mark.parametrize("index", ["hnsw:8", "ivf:20"])
def test_who_is_returned_is_scored_exactly(index: str) -> None:
    search, rows, owners, wanted, people, there, probes_there = made(index, 10)
    found = search.searches()
    scores = score_block(wanted, rows)
    kept = np.flatnonzero(there)  # the index numbers what was acquired
    _, listed = search._index.search(wanted.rows, 10)
    missed = 0
    for probe in range(len(people)):
        best: dict[int, float] = {}
        for face in kept[listed[probe][listed[probe] >= 0]] if probes_there[probe] else []:
            owner = int(owners[face])
            best[owner] = max(best.get(owner, -np.inf), float(scores[probe, face]))
        own = best.pop(int(people[probe]), -np.inf)
        assert found.own[probe] == own
        assert found.other[probe] == max(best.values(), default=-np.inf)
        lost = own == -np.inf
        assert found.ahead[probe] == (
            found.identities if lost else sum(s >= own for s in best.values())
        )
        missed += lost and people[probe] >= 0
    assert missed  # it is approximate, and short
    np.testing.assert_array_equal(found.mated, people >= 0)


@pytest.mark.parametrize("index", ["hnsw:2", "ivf:20"])
def test_recall_is_the_share_of_the_nearest(index: str) -> None:
    search, rows, _, wanted, _, there, probes_there = made(index, 10)
    search.searches()
    recall = search.recall()
    some = np.flatnonzero(probes_there)
    nearest = np.argsort(-score_block(wanted[some], rows[np.flatnonzero(there)]), axis=1)[:, :10]
    _, listed = search._index.search(np.ascontiguousarray(wanted.rows[some]), 10)
    shares = [
        len(set(a) & set(b)) / 10 for a, b in zip(nearest.tolist(), listed.tolist(), strict=True)
    ]
    firsts = [a[0] in b for a, b in zip(nearest.tolist(), listed.tolist(), strict=True)]
    assert (recall.probes, recall.depth) == (len(some), 10)
    assert recall.all == pytest.approx(np.mean(shares)) and recall.first == np.mean(firsts)
    assert 0 < recall.all < 1 and recall.index.startswith(f"{index}(")


def test_what_looks_everywhere_is_exact(monkeypatch) -> None:
    monkeypatch.setattr(GalleryIndex, "looks", lambda self, depth: 1500)
    search, rows, owners, wanted, people, there, probes_there = made("ivf:20", 1500)
    found = search.searches()
    expected = walked(rows, wanted, owners, people, (), there, probes_there)
    assert_same(found, expected)
    assert search.recall().all == search.recall().first == 1.0


def test_the_same_index_is_made_again() -> None:
    one, two = (made("hnsw:8", 5)[0] for _ in range(2))
    assert_same(one.searches(), two.searches())
    assert one.recall() == two.recall()


def test_what_cannot_be_indexed() -> None:
    rows = Projection(np.eye(4, dtype=np.float32), np.ones(4))
    given = {"index": index_of("ivf:8"), "depth": 3}
    search = ApproximateSearch(rows, np.arange(4), 4, np.ones(4, bool), **given)
    with pytest.raises(UserError, match="adds a number for each face"):
        search.add(rows, np.arange(4))
    plain = Projection(rows.rows, np.zeros(4))
    search.add(plain, np.arange(4))
    with pytest.raises(UserError, match="more lists than the 4 faces"):
        search.searches()
    for name in ("hsnw:32", "hnsw", "hnsw:1", "ivf:0", "flatt"):
        with pytest.raises(UserError, match="unknown"):
            index_of(name)
