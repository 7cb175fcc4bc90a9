"""Embeddings in fewer bytes: hand cases, and scores as a double loop has them."""

from __future__ import annotations

import struct
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from facebench.base.errors import UserError
from facebench.similarity.base import score_block
from facebench.similarity.cosine import Cosine, cosine_pairs
from facebench.similarity.templates import (
    CODES,
    Template,
    decoded,
    encoded,
    kept,
    principal_axes,
    template_of,
    templates_of,
)

HAND = np.array([[2.54, -1.26, 0.0, 0.605, 1e-9]], np.float32)
shapes = {
    "n": st.integers(2, 24),
    "dimension": st.integers(1, 70),
    "seed": st.integers(0, 2**32 - 1),
    "size": st.sampled_from([1e-30, 1e-3, 1.0, 900.0]),
}


def drawn(n: int, dimension: int, seed: int, size: float) -> NDArray[np.float32]:
    """Embeddings of few different values, so that distances tie often, one of zeros among them."""
    rng = np.random.default_rng(seed)
    rows = rng.choice([-2.0, -0.5, 0.0, 0.3, 1.7], size=(n, dimension)) * size
    rows[rng.integers(n)] = 0
    return rows.astype(np.float32)


def test_bits_are_what_is_above_zero() -> None:
    assert encoded(HAND, "binary").tolist() == [[0b10011000]]
    assert kept(HAND, "binary").tolist() == [[1, -1, -1, 1, 1]]
    assert encoded(np.array([[-0.0, 0.0, 5.0]]), "binary").tolist() == [[0b00100000]]


def test_int8_is_a_scale_and_whole_numbers() -> None:
    (row,) = encoded(HAND, "int8").tolist()
    scale, *steps = struct.unpack("<f5b", bytes(row))
    assert scale == np.float32(np.float64(np.float32(2.54)) / 127)
    assert steps == [127, -63, 0, 30, 0]  # 0.605 is 30.25 of 0.02
    assert kept(HAND, "int8")[0] == pytest.approx([2.54, -1.26, 0, 0.6, 0], rel=1e-6)


def test_int8_rounds_ties_to_even_and_is_symmetric() -> None:
    rows = np.array([[127.0, 0.5, 1.5, -0.5, -1.5, -127.0]], np.float32)
    assert kept(rows, "int8").tolist() == [[127, 0, 2, 0, -2, -127]]
    assert np.array_equal(kept(-rows, "int8"), -kept(rows, "int8"))


def test_fp16_is_ieee_half() -> None:
    rows = np.array([[1 / 3, 65504.0, 1e-9, -2.0]], np.float32)
    expected = [struct.unpack("<e", struct.pack("<e", float(x)))[0] for x in rows[0]]
    assert kept(rows, "fp16")[0].tolist() == expected
    with pytest.raises(UserError, match=r"the number 70000, and float16 ends at 65,504; choose"):
        encoded(np.array([[1.0, -7e4]]), "fp16")


def test_bytes_are_the_length_of_the_code() -> None:
    of = {name: template_of(name).bytes_per_face(128) for name in (*CODES, "pca-64", "pca-9+int8")}
    assert of == {
        "fp32": 512,
        "fp16": 256,
        "int8": 132,
        "binary": 16,
        "pca-64": 256,
        "pca-9+int8": 13,
    }
    assert template_of("binary").bytes_per_face(9) == 2
    assert template_of("pca-12+binary").bytes_per_face(512) == 2


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_kept_of_nothing(code: str) -> None:
    none = np.zeros((0, 5), np.float32)
    assert kept(none, code).shape == (0, 5)  # type: ignore[arg-type]
    dead = np.zeros((2, 5), np.float32)
    assert not kept(dead, code).any()  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(**shapes)
def test_scores_of_bits_are_those_of_hamming_distances(
    n: int, dimension: int, seed: int, size: float
) -> None:
    """By a double loop over bits; equal distances tie to the bit, in pairs and in blocks."""
    vectors = drawn(n, dimension, seed, size)
    rows = kept(vectors, "binary")
    left, right = np.divmod(np.arange(n * n), n)
    pairs = cosine_pairs(rows, left, right)
    projected = Cosine().project(rows)
    block = score_block(projected, projected).ravel()
    distance = np.array(
        [
            sum((a > 0) != (b > 0) for a, b in zip(vectors[i], vectors[j], strict=True))
            for i, j in product(range(n), repeat=2)
        ]
    )
    alive = vectors.any(axis=1)
    both = alive[left] & alive[right]
    assert pairs[both] == pytest.approx(1 - 2 * distance[both] / dimension, abs=1e-12)
    assert block[both] == pytest.approx(1 - 2 * distance[both] / dimension, abs=1e-6)
    assert not pairs[~both].any() and not block[~both].any()
    for scores in (pairs[both], block[both]):
        assert len(np.unique(scores)) == len(np.unique(distance[both]))
        by_distance = np.argsort(distance[both], kind="stable")
        assert np.all(np.diff(scores[by_distance]) <= 0)


@settings(max_examples=60, deadline=None)
@given(code=st.sampled_from(["fp32", "fp16", "int8"]), **shapes)
def test_scores_are_the_cosines_of_what_the_bytes_hold(
    code: str, n: int, dimension: int, seed: int, size: float
) -> None:
    vectors = drawn(n, dimension, seed, size)
    codes = encoded(vectors, code)  # type: ignore[arg-type]
    formats = {"fp32": f"<{dimension}f", "fp16": f"<{dimension}e", "int8": f"<f{dimension}b"}
    held = [struct.unpack(formats[code], bytes(row)) for row in codes.tolist()]
    if code == "int8":
        held = [tuple(scale * step for step in steps) for scale, *steps in held]
    rows = kept(vectors, code)  # type: ignore[arg-type]
    assert rows.shape == vectors.shape and rows.dtype == np.float32
    left, right = np.divmod(np.arange(n * n), n)
    scores = cosine_pairs(rows, left, right)
    for score, i, j in zip(scores, left, right, strict=True):
        a, b = np.array(held[i]), np.array(held[j])
        lengths = np.linalg.norm(a / size) * np.linalg.norm(b / size)
        expected = (a / size) @ (b / size) / lengths if lengths else 0.0
        assert score == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(code=st.sampled_from(CODES), **shapes)
def test_what_was_kept_is_kept_as_it_is(
    code: str, n: int, dimension: int, seed: int, size: float
) -> None:
    """A gallery that is written anew does not drift; int8 may move its scale by a rounding."""
    once = kept(drawn(n, dimension, seed, size), code)  # type: ignore[arg-type]
    again = kept(once, code)  # type: ignore[arg-type]
    assert again == pytest.approx(once, rel=1e-6)
    if code != "int8":
        assert np.array_equal(again, once)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), number=st.integers(1, 6))
def test_principal_axes_are_scikit_learns(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((40, 6)) * [5, 4, 3, 2, 1.5, 1]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    theirs = PCA(number, svd_solver="full").fit(unit)
    ours = principal_axes(vectors, number)
    others = rng.standard_normal((5, 6))
    expected = theirs.transform(others / np.linalg.norm(others, axis=1, keepdims=True))
    found = ours.project(others)
    assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-5)  # axes may point backwards
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-5)


def test_a_dead_embedding_is_nowhere_on_the_axes() -> None:
    rng = np.random.default_rng(1)
    axes = principal_axes(rng.standard_normal((9, 3)), 2)
    assert not axes.project(np.zeros((1, 3), np.float32)).any()


def test_axes_that_embeddings_do_not_have() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="pca-5 of 9 embeddings of 4 numbers; they have at most 4"):
        principal_axes(rng.standard_normal((9, 4)), 5)
    with pytest.raises(ValueError, match="pca-3 of 3 embeddings of 8 numbers; they have at most 2"):
        principal_axes(rng.standard_normal((3, 8)), 3)
    flat = rng.standard_normal((9, 4)) * [1, 1, 0, 0]
    with pytest.raises(ValueError, match="pca-3: the embeddings vary in fewer directions"):
        principal_axes(flat, 3)


@pytest.mark.parametrize("name", [*CODES, "pca-64", "pca-64+fp16", "pca-64+int8", "pca-8+binary"])
def test_a_template_is_known_by_its_name(name: str) -> None:
    assert template_of(name).name == name


def test_names_as_people_and_records_write_them() -> None:
    assert template_of(" INT8 ") == Template("int8")
    assert template_of("pca-64(people-0123456789abcdef)+int8") == Template("int8", 64)
    assert template_of("pca-64+fp32").name == "pca-64"
    assert [t.name for t in templates_of("fp32, int8,int8")] == ["fp32", "int8"]
    assert Template("fp32").plain and not Template("fp32", 64).plain


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("int4", r"unknown template 'int4'; did you mean 'int8'\?"),
        ("pca-0", "unknown template 'pca-0'"),
        ("pca-64+int4", "unknown template"),
        ("pca", "unknown template 'pca'"),
        ("", "unknown template ''"),
        ("fp16,,int8", "unknown template ''"),
    ],
)
def test_unknown_names(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        templates_of(name)


def test_codes_do_not_depend_on_the_rows_beside() -> None:
    rows = np.random.default_rng(2).standard_normal((7, 33)).astype(np.float32)
    for code in CODES:
        whole = encoded(rows, code)  # type: ignore[arg-type]
        for row in range(7):
            alone = encoded(rows[row : row + 1], code)  # type: ignore[arg-type]
            assert np.array_equal(alone[0], whole[row])
            assert np.array_equal(
                decoded(alone, code, 33)[0],  # type: ignore[arg-type]
                decoded(whole, code, 33)[row],  # type: ignore[arg-type]
            )
