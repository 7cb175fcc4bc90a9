from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facebench.faces.align.template import TEMPLATE_112X96, similarity_transform, template, warp

POINTS = arrays(np.float64, (5, 2), elements=st.floats(-500, 500, width=32))
SIZES = st.tuples(st.integers(16, 400), st.integers(16, 400))


def brute_force(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Least squares over a, b, tx, ty as ten linear equations."""
    rows, goals = [], []
    for (x, y), (u, v) in zip(points, template(size), strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        goals += [u, v]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.array(goals), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


@settings(max_examples=300, deadline=None)
@given(POINTS, SIZES)
def test_it_is_the_least_squares_similarity(points: np.ndarray, size: tuple[int, int]) -> None:
    if np.ptp(points, axis=0).max() < 1:
        return
    found, expected = similarity_transform(points, size), brute_force(points, size)
    moved, best = (points @ m[:, :2].T + m[:, 2] for m in (found, expected))
    np.testing.assert_allclose(moved, best, atol=1e-5 * max(size))


@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(0.1, 10), st.floats(-100, 100), st.floats(-100, 100))
def test_an_exact_similarity_is_found_again(turn: float, scale: float, x: float, y: float) -> None:
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    forward = np.array([[c, -s], [s, c]])
    points = (template((112, 96)) - (x, y)) @ np.linalg.inv(forward).T
    np.testing.assert_allclose(
        similarity_transform(points, (112, 96)), np.column_stack([forward, (x, y)]), atol=1e-6
    )


def test_mirrored_points_are_not_reflected() -> None:
    points = template((112, 96)) * (-1, 1)
    assert np.linalg.det(similarity_transform(points, (112, 96))[:, :2]) > 0


def test_the_template_scales_with_height_and_is_centred_across() -> None:
    np.testing.assert_array_equal(template((112, 96)), TEMPLATE_112X96)
    np.testing.assert_allclose(template((112, 112)), np.add(TEMPLATE_112X96, (8, 0)))
    np.testing.assert_allclose(template((224, 224)), 2 * template((112, 112)))


def test_points_that_say_nothing_are_refused() -> None:
    for points in (np.full((5, 2), 3.0), np.full((5, 2), np.nan), np.zeros((4, 2))):
        with pytest.raises(ValueError, match="points"):
            similarity_transform(points, (112, 96))


def test_warp_brings_marked_pixels_to_the_template() -> None:
    image = np.zeros((250, 250, 3), np.uint8)
    points = template((112, 96)) * 1.5 + (40, 50)
    for x, y in points.round().astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    crop = warp(image, similarity_transform(points, (112, 96)), (112, 96))
    assert crop.shape == (112, 96, 3) and crop.dtype == np.uint8
    for x, y in template((112, 96)).round().astype(int):
        assert crop[y, x].min() > 200
    assert crop[0, 0].max() == 0
