"""A gallery that comes part by part against the exact walk over all of it: the same bits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.similarity.base import Projection
from facebench.similarity.cosine import Cosine
from facebench.similarity.galleries.flat import FlatWalk
from facebench.similarity.galleries.walk import FloatWalk, GallerySearch, Walker
from tests.similarity.test_candidates import assert_same, exact, toy


def walked(rows, asked, owners, who, cuts=(), there=None, probes_there=None, **given):
    """A search part by part: identities are numbered, and cut between them at shares of all."""
    names = np.unique(owners)
    numbers = np.searchsorted(names, owners)
    at = np.searchsorted(names, who).clip(max=len(names) - 1)
    people = np.where(names[at] == who, at, -1)
    found = GallerySearch(asked, people, len(names), probes_there, **given)
    there = np.ones(len(owners), bool) if there is None else there
    mates = np.isin(numbers, people)
    found.enrol(rows[np.flatnonzero(mates)], numbers[mates], there[mates])
    edges = [0, *sorted({int(cut * len(names)) for cut in cuts}), len(names)]
    for first, last in pairwise(edges):
        part = np.flatnonzero((numbers >= first) & (numbers < last))
        found.add(rows[part], numbers[part], there[part])
    return found.searches()


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    gallery=st.integers(1, 60),
    probes=st.integers(1, 30),
    people=st.integers(1, 70),
    width=st.integers(1, 9),
    copies=st.integers(0, 20),
    levels=st.sampled_from([0, 0, 1, 3]),
    cuts=st.lists(st.floats(0, 1), max_size=4),
    kind=st.sampled_from(["unit", "plain", "biased", "growing"]),
    listed=st.sampled_from([0, 1, 2, 5, 64]),
)
def test_the_bits_are_those_of_all_at_once(
    seed, gallery, probes, people, width, copies, levels, cuts, kind, listed
) -> None:
    """listed: of how many FAISS makes a list, which may be too short; 0: float32 products."""
    walker = FlatWalk(listed) if listed else FloatWalk()
    rng = np.random.default_rng(seed)
    one, owners, other, who = toy(rng, gallery, probes, people, width, copies, levels)
    if kind == "growing":  # margins are those of the longest row so far
        one *= np.logspace(0, 8, gallery, dtype=np.float32)[np.argsort(owners)][:, None]
    rows = Cosine().project(one) if kind == "unit" else Projection(one, np.zeros(gallery))
    asked = Cosine().project(other) if kind == "unit" else Projection(other, np.zeros(probes))
    if kind == "biased":
        rows = Projection(one, rng.standard_normal(gallery))
        asked = Projection(other, rng.standard_normal(probes))
    there, probes_there = rng.random(gallery) > 0.1, rng.random(probes) > 0.1
    found = walked(rows, asked, owners, who, cuts, there, probes_there, workers=1, walker=walker)
    expected = exact(rows, asked, owners, who, gallery_acquired=there, probes_acquired=probes_there)
    assert_same(found, expected)


@pytest.mark.parametrize("walker", [FloatWalk, FlatWalk])
@pytest.mark.parametrize("workers", [1, 2])
def test_many_probes_and_parts(workers: int, walker: Callable[[], Walker]) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((9000, 16)).astype(np.float32)
    owners, who = np.arange(9000) // 2, np.arange(0, 9000, 7) // 2 + 700
    noise = 2 * rng.standard_normal((len(who), 16), dtype=np.float32)
    asked = Cosine().project(vectors[np.minimum(2 * who, 8999)] + noise)
    rows = Cosine().project(vectors)
    found = walked(rows, asked, owners, who, (0.1, 0.5, 0.51), workers=workers, walker=walker())
    assert_same(found, exact(rows, asked, owners, who))
    assert (~found.mated).sum() > 100 and len(np.unique(found.ahead)) > 200


def test_rows_that_overflow_are_walked_exactly_and_nan_is_refused() -> None:
    big = Projection(np.full((4, 2), 1e20, np.float32), np.zeros(4))
    with pytest.raises(ValueError, match="inf"):
        walked(big, big, np.arange(4), np.arange(4))
    half = Projection(np.eye(4, 2, dtype=np.float32) * 1e19, np.zeros(4))
    assert_same(
        walked(half, half, np.arange(4), np.arange(4)),
        exact(half, half, np.arange(4), np.arange(4)),
    )
    broken = Projection(np.full((4, 2), np.nan, np.float32), np.zeros(4))
    with pytest.raises(ValueError, match="NaN"):
        walked(broken, broken, np.arange(4), np.arange(4))


def test_without_the_extra_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(
        UserError, match=r"of FAISS, which is not installed; install facebench\[faiss\], or leave"
    ):
        FlatWalk()
