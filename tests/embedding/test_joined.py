"""Parts of embeddings as one."""

from __future__ import annotations

import numpy as np

from facebench.embedding.types import Embeddings, joined


def part(names: str, width: int, *acquired: bool) -> Embeddings:
    rows = np.arange(len(names) * width, dtype=np.float32).reshape(len(names), width) + 1
    there = np.array(acquired, dtype=np.bool_)
    return Embeddings(tuple(names), rows * there[:, None], there)


def test_parts_keep_their_order_and_a_part_without_faces_takes_the_width_of_others() -> None:
    found = joined([part("ab", 0, False, False), part("cd", 3, True, False), part("e", 3, True)])
    assert found.keys == tuple("abcde")
    assert found.acquired.tolist() == [False, False, True, False, True]
    np.testing.assert_array_equal(found.vectors, [[0] * 3, [0] * 3, [1, 2, 3], [0] * 3, [1, 2, 3]])
    assert found.vectors.dtype == np.float32


def test_no_part_at_all() -> None:
    found = joined([])
    assert (found.keys, found.vectors.shape, found.acquired.shape) == ((), (0, 0), (0,))
