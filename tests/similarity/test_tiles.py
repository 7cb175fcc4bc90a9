"""Quick scores: never further off than said, and a walk with the bits of the exact one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.similarity.base import Projection, score_block
from facebench.similarity.tiles import Tiles
from facebench.statistics.all_pairs import quick, walk
from facebench.statistics.all_pairs.walk import walk_pairs
from tests.statistics.test_all_pairs import bits


def made(seed: int, n: int, width: int, scale: float, levels: int) -> Projection:
    """Rows of all lengths, with copies; levels: 0 for numbers that hardly tie."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, width)) * scale ** rng.uniform(-1, 1, (n, 1))
    if levels:
        rows = np.rint(rows * levels) / levels
    rows[n // 2] = rows[0]
    return Projection(rows.astype(np.float32), np.zeros(n))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 300),
    st.sampled_from([1.0, 1e3, 1e9]), st.sampled_from([0, 2]),
)  # fmt: skip
def test_no_score_is_further_off_than_said(seed, n, width, scale, levels):
    faces = made(seed, n, width, scale, levels)
    tiles, both = Tiles.of(faces), np.arange(n)
    assert tiles is not None
    rough, off = tiles.rough(both, both)
    exact = score_block(faces, faces)
    assert (np.abs(rough.astype(np.float64) - exact) <= off).all()
    left, right = np.divmod(np.arange(n * n), n)
    assert tiles.exact(left, right).tobytes() == exact.tobytes()


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(4, 60), rows=st.integers(2, 30),
    width=st.sampled_from([1, 3, 128]), levels=st.sampled_from([0, 1, 4]),
    tail=st.integers(1, 100), parts=st.integers(1, 3), room=st.sampled_from([0, 5, 1 << 16]),
)  # fmt: skip
def test_the_walk_has_the_same_bits(seed, n, rows, width, levels, tail, parts, room):
    """Where quick scores tell nothing, too: too many that are equal, and no room for them."""
    faces, rng = made(seed, n, width, 3.0, levels), np.random.default_rng(seed)
    people, acquired = rng.integers(0, 4, n), rng.random(n) > 0.1
    people[:3] = (0, 0, 1)
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(walk, "_WORTH", 0)
        changed.setattr(quick, "_ROOM", room)
        for number in range(parts):
            found = [
                bits(
                    walk_pairs(
                        lambda a, b: score_block(faces[a], faces[b]),
                        people,
                        acquired=acquired,
                        tail=tail,
                        rows=rows,
                        part=(number, parts),
                        workers=workers,
                        rough=rough,
                    )
                )
                for rough, workers in ((None, 1), (Tiles.of(faces), 1), (Tiles.of(faces), 2))
            ]
            assert found[0] == found[1] == found[2]


def test_scores_that_are_more_than_products_are_not_quick() -> None:
    rows = np.ones((3, 2), np.float32)
    assert Tiles.of(Projection(rows, np.ones(3))) is None
    assert Tiles.of(Projection(rows.astype(np.float64), np.zeros(3))) is None
    assert Tiles.of(Projection(rows * np.float32(1e19), np.zeros(3))) is None


def test_quick_scores_spare_the_exact_ones() -> None:
    """4,950 pairs, a tail of 10: no block is scored exactly, and few pairs are."""
    faces = made(0, 100, 64, 1.0, 0)
    tiles, asked = Tiles.of(faces), []
    assert tiles is not None

    class Counted:
        def rough(self, left, right):
            return tiles.rough(left, right)

        def exact(self, left, right):
            asked.append(len(left))
            return tiles.exact(left, right)

    def never(a, b):
        raise AssertionError("a block was scored exactly")

    found = walk_pairs(never, np.arange(100) // 2, tail=10, rows=20, rough=Counted())
    assert found.tail.size == 10
    assert sum(asked) <= 50 + 20  # the mated pairs, and the tail with what is near its end
