"""Columns in few bytes: back to the bit, and nothing hostile unfolds."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from facebench.records.columns import (
    DamagedColumnsError,
    header_of,
    packed,
    tensor_bytes,
    unpacked,
)

TYPES = ("bool", "uint32", "int64", "float32", "float64")
LIMIT = 1 << 24
Columns = dict[str, NDArray[Any]]

# A busy machine draws slowly, which says nothing of the columns.
at_leisure = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    rows = draw(st.integers(0, 40))
    kinds = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=5))
    return {
        f"{kind} {number}": draw(arrays.arrays(kind, rows)) for number, kind in enumerate(kinds)
    }


def same(one: Columns, other: Columns) -> bool:
    return {k: (v.dtype, v.tobytes()) for k, v in one.items()} == {
        k: (v.dtype, v.tobytes()) for k, v in other.items()
    }


@at_leisure
@given(columns(), st.dictionaries(st.sampled_from(["list", "of"]), st.text(max_size=9)))
def test_columns_come_back_to_the_bit(given_columns: Columns, facts: dict[str, str]) -> None:
    data = packed(given_columns, facts)
    assert same(unpacked(data, LIMIT), given_columns)
    header = header_of(data)
    assert header is not None and facts.items() <= header.items()
    assert packed(given_columns, facts) == data


@at_leisure
@given(columns())
def test_tensors_are_safetensors(given_columns: Columns) -> None:
    assert same(safetensors.numpy.load(tensor_bytes(given_columns)), given_columns)


def test_the_bytes_of_the_full_form_are_those_of_the_library() -> None:
    """In the library's order: their SHA-256 stand in records."""
    table = {
        "folds": np.arange(5),
        "left_subjects": np.arange(5) * 2,
        "scores": np.linspace(-1, 1, 5),
        "ranks": np.arange(5, dtype=np.uint32),
        "decisions": np.ones(5, dtype=np.bool_),
        "mated": np.zeros(5, dtype=np.bool_),
    }
    assert tensor_bytes(table) == safetensors.numpy.save(table)


@pytest.mark.parametrize(
    ("column", "held"),
    [
        (np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 0.5], np.float64), "float32"),
        (np.array([0.1]), "float64"),
        (np.array([1e300]), "float64"),
        (np.array([5e-324]), "float64"),
        (np.array([0, 255]), "uint8"),
        (np.array([0, 256]), "uint16"),
        (np.array([0, 1 << 31]), "uint32"),
        (np.array([-1]), "int64"),
        (np.array([1 << 32]), "int64"),
        (np.array([], np.int64), "uint8"),
        (np.array([65535], np.uint32), "uint16"),
        (np.array([True, False]), "bits"),
    ],
)
def test_the_narrowest_type_that_is_exact(column: NDArray[Any], held: str) -> None:
    header = header_of(packed({"c": column}, {}))
    assert header is not None and header["types"] == {"c": [column.dtype.name, held]}


def test_scores_of_a_gaussian_take_less_than_seven_bytes_each() -> None:
    rng = np.random.default_rng(0)
    scores = np.clip(rng.normal(0.6, 0.2, 6000), -1, 1)
    assert len(packed({"scores": scores}, {})) < 6.8 * 6000
    searched = scores.astype(np.float32).astype(np.float64)
    assert len(packed({"scores": searched}, {})) < 3.5 * 6000


def changed(data: bytes, **facts: object) -> bytes:
    """A file with another header."""
    header = header_of(data)
    assert header is not None
    text = json.dumps(header | facts)
    return tensor_bytes(safetensors.numpy.load(data), {"facebench": text})


GOOD = packed({"a": np.arange(100), "b": np.ones(100, np.bool_)}, {})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "header"),
        (b"\xff" * 40, "header"),
        (GOOD[:-1], "."),
        (GOOD + b"x", "."),
        (tensor_bytes({"a": np.arange(3)}), "lacks the header"),
        (changed(GOOD, format="other"), "lacks the header"),
        (changed(GOOD, version=2), "version 2, and this facebench reads 1"),
        (changed(GOOD, rows=-1), "lacks rows"),
        (changed(GOOD, rows=True), "lacks rows"),
        (changed(GOOD, rows=1e2), "lacks rows"),
        (changed(GOOD, rows=99), "a does not have 99 rows"),
        (changed(GOOD, rows=101), "a does not have 101 rows"),
        (changed(GOOD, rows=1 << 62), "more than are taken"),
        (changed(GOOD, types={"a": ["int64", "uint8"]}), "other columns"),
        (changed(GOOD, types=[]), "lacks rows or types"),
        (changed(GOOD, types={"a": ["int64", "bits"], "b": ["bool", "bits"]}), "a is of type"),
        (changed(GOOD, types={"a": ["object", "object"], "b": ["bool", "bits"]}), "a is of type"),
        (changed(GOOD, types={"a": 3, "b": ["bool", "bits"]}), "a is of type 3"),
    ],
)
def test_what_is_no_file_of_columns(data: bytes, why: str) -> None:
    with pytest.raises(DamagedColumnsError, match=why):
        unpacked(data, LIMIT)


@pytest.mark.parametrize("cut", [1, 5, 9, 40])
def test_a_column_cut_short_or_with_more_at_its_end(cut: int) -> None:
    tensors = safetensors.numpy.load(GOOD)
    header = {"facebench": json.dumps(header_of(GOOD))}
    for column in (tensors["a"][:-cut], np.append(tensors["a"], np.uint8(7))):
        with pytest.raises(DamagedColumnsError, match="a "):
            unpacked(tensor_bytes(tensors | {"a": column}, header), LIMIT)


def test_a_column_that_unfolds_without_end_is_left_when_it_is_long_enough() -> None:
    bomb = np.frombuffer(zlib.compress(bytes(1 << 28), 9), np.uint8)
    types = {"a": ["int64", "uint8"]}
    header = {"format": "facebench-columns", "version": 1, "rows": 100, "types": types}
    data = tensor_bytes({"a": bomb}, {"facebench": json.dumps(header)})
    tracemalloc.start()
    try:
        with pytest.raises(DamagedColumnsError, match="a does not have 100 rows"):
            unpacked(data, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@at_leisure
@given(st.data())
def test_one_changed_byte_is_refused_or_read_as_columns(data: st.DataObject) -> None:
    """Never another error; that the columns are the record's is what their SHA-256 tells."""
    place = data.draw(st.integers(0, len(GOOD) - 1))
    other = bytearray(GOOD)
    other[place] ^= data.draw(st.integers(1, 255))
    try:
        columns = unpacked(bytes(other), LIMIT)
    except DamagedColumnsError:
        return
    assert all(isinstance(column, np.ndarray) for column in columns.values())
