"""Searches by float32 products against the exact walk: the same bits, ties and copies included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.similarity.base import Projection, exact_pairs, score_block
from facebench.similarity.candidates import search_faces
from facebench.similarity.cosine import Cosine
from facebench.statistics.searches import Searches, search


def exact(gallery: Projection, probes: Projection, owners, people, **given) -> Searches:
    return search(lambda g, p: score_block(gallery[g], probes[p]), owners, people, **given)


def assert_same(one: Searches, other: Searches) -> None:
    for name in ("mated", "own", "other", "ahead", "identities"):
        np.testing.assert_array_equal(
            getattr(one, name), getattr(other, name), err_msg=name, strict=True
        )


def toy(rng, gallery, probes, people, width, copies, levels):
    """(gallery vectors, owners, probe vectors, people) with copies of images, and coarse values
    that tie.
    """
    vectors = rng.standard_normal((gallery + probes, width))
    if levels:
        vectors = np.round(vectors * levels)
    for _ in range(copies):
        a, b = rng.integers(0, len(vectors), 2)
        vectors[a] = vectors[b]
    who = rng.integers(0, people, gallery + probes)
    vectors = vectors.astype(np.float32)
    return vectors[:gallery], who[:gallery], vectors[gallery:], who[gallery:]


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    gallery=st.integers(1, 60),
    probes=st.integers(1, 30),
    people=st.integers(1, 70),
    width=st.integers(1, 9),
    copies=st.integers(0, 20),
    levels=st.sampled_from([0, 0, 1, 3]),
    tile=st.integers(1, 70),
    block=st.integers(1, 40),
    unit=st.booleans(),
)
def test_the_bits_are_those_of_the_exact_walk(
    seed, gallery, probes, people, width, copies, levels, tile, block, unit
) -> None:
    rng = np.random.default_rng(seed)
    one, owners, other, who = toy(rng, gallery, probes, people, width, copies, levels)
    project = Cosine().project if unit else lambda v: Projection(v, np.zeros(len(v)))
    rows, asked = project(one), project(other)
    given = {
        "gallery_acquired": rng.random(gallery) > 0.1,
        "probes_acquired": rng.random(probes) > 0.1,
    }
    found = search_faces(rows, asked, owners, who, tile=tile, block=block, **given)
    assert_same(found, exact(rows, asked, owners, who, **given))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_near_ties_are_decided_on_the_grid(workers: int) -> None:
    """Hundreds of gallery faces within a rounding error of float32 of the own score."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((20, 64))
    gallery = np.repeat(centres, 100, axis=0) + 2e-7 * rng.standard_normal((2000, 64))
    owners = np.arange(2000)
    probes = centres + 1e-7 * rng.standard_normal((20, 64))
    rows = Cosine().project(gallery.astype(np.float32))
    asked = Cosine().project(probes.astype(np.float32))
    who = np.arange(0, 2000, 100) + 7
    found = search_faces(rows, asked, owners, who, tile=256, workers=workers)
    assert_same(found, exact(rows, asked, owners, who))
    assert len(set(found.ahead.tolist())) > 5  # ranks all over


def test_a_dead_network_ties_everywhere() -> None:
    rows = Projection(np.zeros((500, 8), np.float32), np.zeros(500))
    found = search_faces(rows, rows[np.arange(30)], np.arange(500), np.arange(30), tile=64)
    assert found.ahead.tolist() == [499] * 30 and not found.own.any() and not found.other.any()


def test_what_has_a_bias_or_is_float64_is_walked_exactly() -> None:
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((40, 6))
    for faces in (Projection(rows, np.zeros(40)), Projection(rows.astype(np.float32), rows[:, 0])):
        asked, who = faces[np.arange(9)], np.arange(9)
        owners = np.arange(40)
        assert_same(search_faces(faces, asked, owners, who), exact(faces, asked, owners, who))


def test_numbers_that_are_not_finite_are_refused() -> None:
    rows = np.ones((5, 3), np.float32)
    rows[2, 1] = np.nan
    faces = Projection(rows, np.zeros(5))
    with pytest.raises(ValueError, match="NaN"):
        search_faces(faces, faces, np.arange(5), np.arange(5))


def test_exact_pairs_have_the_bits_of_a_block() -> None:
    rng = np.random.default_rng(3)
    for scale in (1.0, 1e-20, 1e15):
        rows = (scale * rng.standard_normal((50, 33))).astype(np.float32)
        faces = Projection(rows, np.zeros(50))
        i, j = rng.integers(0, 50, (2, 400))
        block = score_block(faces, faces)
        np.testing.assert_array_equal(exact_pairs(faces, i, faces, j), block[i, j], strict=True)
