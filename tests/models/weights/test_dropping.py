"""Codes of the dropping matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.models.weights.packed import ESCAPE, _from_gaps, _to_gaps, decode, encode


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1), st.integers(0, 2**32))
def test_decoding_gives_the_matrix_back(entries: int, share: float, seed: int) -> None:
    kept = np.random.default_rng(seed).random(entries) < share
    code, data = encode(kept)
    np.testing.assert_array_equal(decode(code, data, entries), kept)
    np.testing.assert_array_equal(_from_gaps(_to_gaps(np.flatnonzero(kept)), entries), kept)
    bits, gaps = (entries + 7) // 8, 2 * int(kept.sum())
    assert data.nbytes == min(bits, gaps)


@pytest.mark.parametrize(
    "first", [0, 1, ESCAPE - 1, ESCAPE, ESCAPE + 1, 2 * ESCAPE, 5 * ESCAPE + 3]
)
def test_gaps_wider_than_16_bits(first: int) -> None:
    kept = np.zeros(6 * ESCAPE, dtype=np.bool_)
    kept[[first, first + 1, len(kept) - 1]] = True
    gaps = _to_gaps(np.flatnonzero(kept))
    np.testing.assert_array_equal(_from_gaps(gaps, len(kept)), kept)
    code, data = encode(kept)
    assert code == "gaps" and data.dtype == np.uint16 and data.nbytes < 30


def test_sparse_is_coded_as_gaps_dense_as_bits() -> None:
    kept = np.zeros(1600, dtype=np.bool_)
    kept[:99] = True
    assert encode(kept)[0] == "gaps"
    kept[:100] = True  # 2 bytes each are as many as the bits take
    assert encode(kept)[0] == "bits"
    assert encode(np.ones(10, dtype=np.bool_))[0] == "bits"
    assert encode(np.zeros(10, dtype=np.bool_))[1].size == 0


@pytest.mark.parametrize(
    ("code", "data", "message"),
    [
        ("bits", np.zeros(3, np.uint8), "3 bytes of bits for 10"),
        ("bits", np.zeros(2, np.uint16), "bytes of bits"),
        ("bits", np.array([0, 0b100], np.uint8), "after its last"),
        ("bits", np.zeros((1, 2), np.uint8), "one-dimensional"),
        ("gaps", np.array([3, 6], np.uint16), "index 10 lies outside its 10"),
        ("gaps", np.array([0, ESCAPE, 0], np.uint16), "lies outside"),
        ("gaps", np.array([0, ESCAPE], np.uint16), "end in a skip"),
        ("gaps", np.array([0, 1], np.int16), "not uint16"),
    ],
)
def test_what_encode_cannot_have_written_is_refused(
    code: str, data: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        decode(code, data, 10)  # type: ignore[arg-type]
