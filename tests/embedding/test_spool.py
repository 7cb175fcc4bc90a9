"""Embeddings in another order than they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facebench.embedding.rows.spool import in_order
from facebench.embedding.types import Embeddings, joined


def parts_of(keys, sizes, width=3, lost=()):
    start = 0
    for size in sizes:
        some = tuple(keys[start : start + size])
        start += size
        if not some:
            return
        acquired = np.array([key not in lost for key in some])
        vectors = np.array([[hash(key) % 1000 + k for k in range(width)] for key in some])
        vectors = np.where(acquired[:, None], vectors, 0).astype(np.float32)
        yield Embeddings(some, vectors if acquired.any() else vectors[:, :0], acquired)


@given(
    st.integers(1, 40),
    st.lists(st.integers(1, 9), min_size=40, max_size=40),
    st.randoms(use_true_random=False),
    st.integers(0, 40),
    st.sampled_from([0, 1 << 20]),
)
def test_every_row_comes_once_in_the_order_asked_for(n, sizes, random, same, in_memory) -> None:
    wanted = [f"k{number}" for number in range(n)]
    random.shuffle(wanted)
    given_ = wanted[:same] + sorted(wanted[same:])
    lost = set(random.sample(wanted, n // 3))
    found = joined(in_order(parts_of(given_, sizes, lost=lost), wanted, in_memory))
    expected = joined(parts_of(wanted, [n], lost=lost))
    assert found.keys == expected.keys
    np.testing.assert_array_equal(found.acquired, expected.acquired)
    np.testing.assert_array_equal(found.vectors, expected.vectors)


def test_parts_in_order_are_handed_on_as_they_are() -> None:
    parts = list(parts_of(["a", "b", "c"], [2, 1]))
    assert [id(one) for one in in_order(parts, ["a", "b", "c"])] == list(map(id, parts))
