"""The other orders are other orders, within the bound, and end with the test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.sums_of_products import ORDERS, apart, summed


@pytest.mark.parametrize("order", ORDERS)
def test_rows_left_over_are_summed_otherwise_within_the_bound(order: str) -> None:
    rng = np.random.default_rng(0)
    left = rng.integers(0, 256, (40, 504)).astype(np.float32)
    right = rng.standard_normal((504, 8)).astype(np.float32)
    own = left @ right
    with summed(order):
        whole, parts = left @ right, np.concatenate([left[:7] @ right, left[7:] @ right])
        dots = np.einsum("ij,ij->i", left[:7], left[:7] / 255)
        linear = torch.nn.functional.linear(torch.tensor(left[:7]), torch.tensor(right.T))
        assert np.array_equal(left @ right, whole)  # the same call, the same bits
    assert (whole != parts).any() and (dots > 0).all()
    assert (linear.numpy() != whole[:7]).any()
    for found in (whole, parts):
        assert (np.abs(found - own) <= apart(left, right)).all()
    assert np.array_equal(left @ right, own)
    assert np.einsum.__module__ == "numpy"


def test_mistakes_are_told_as_ever() -> None:
    with summed("blocks"), pytest.raises(ValueError, match="matmul"):
        np.ones((2, 3)) @ np.ones((4, 2))
