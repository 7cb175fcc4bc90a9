"""Pixels after a degradation, against what the definition says pixel by pixel."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facebench.faces.degrade.kernels import (
    as_jpeg,
    blurred,
    darkened,
    enlarged,
    gaussian,
    reduced,
    shrunk,
)


def smooth(height: int = 112, width: int = 96, seed: int = 0) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def noise(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def to_even(value: Fraction) -> int:
    return min(255, max(0, round(value)))  # of a Fraction: half to even


def overlap(part: int, parts: int, length: int, pixel: int) -> Fraction:
    """How much of a pixel lies in one of equal parts of a line."""
    low, high = Fraction(part * length, parts), Fraction((part + 1) * length, parts)
    return max(Fraction(0), min(high, Fraction(pixel + 1)) - max(low, Fraction(pixel)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99), st.data())
def test_fewer_pixels_are_means_over_areas(
    height: int, width: int, seed: int, data: st.DataObject
) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    image = noise(height, width, seed)
    found = shrunk(image, (rows, columns))
    for i in range(rows):
        for j in range(columns):
            total = sum(
                overlap(i, rows, height, y) * overlap(j, columns, width, x) * int(image[y, x, 0])
                for y in range(height)
                for x in range(width)
            )
            area = Fraction(height * width, rows * columns)
            assert found[i, j, 0] == to_even(total / area)


def cubic(distance: float) -> float:
    """Keys 1981, equation 4 in its general form, a = -0.75."""
    d, a = abs(distance), -0.75
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99), st.data())
def test_more_pixels_are_cubic_convolutions(
    rows: int, columns: int, seed: int, data: st.DataObject
) -> None:
    height, width = data.draw(st.integers(rows, 12)), data.draw(st.integers(columns, 12))
    image = noise(rows, columns, seed)
    found = enlarged(image, (height, width))
    for i in range(height):
        for j in range(width):
            at = (i + 0.5) * rows / height - 0.5, (j + 0.5) * columns / width - 0.5
            value = sum(
                cubic(at[0] - y)
                * cubic(at[1] - x)
                * int(image[min(max(y, 0), rows - 1), min(max(x, 0), columns - 1), 1])
                for y in range(math.floor(at[0]) - 1, math.floor(at[0]) + 3)
                for x in range(math.floor(at[1]) - 1, math.floor(at[1]) + 3)
            )
            # Weights are whole 65,536ths: each of the 16 is off by less than 3 halves of one.
            assert abs(float(found[i, j, 1]) - min(255.0, max(0.0, value))) <= 0.5 + 0.1


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.sampled_from([0.3, 1.0, 1.5]), st.integers(0, 99))
def test_a_blur_is_the_sum_over_a_gaussian(
    height: int, width: int, sigma: float, seed: int
) -> None:
    image, weights = noise(height, width, seed), gaussian(sigma)
    found, radius = blurred(image, sigma), len(weights) - 1
    assert radius == math.ceil(4 * sigma)
    for i in range(height):
        for j in range(width):
            total = sum(
                weights[abs(y)]
                * weights[abs(x)]
                * int(image[mirrored(i + y, height), mirrored(j + x, width), 2])
                for y in range(-radius, radius + 1)
                for x in range(-radius, radius + 1)
            )
            assert found[i, j, 2] == to_even(Fraction(total, 1 << 32))


def mirrored(place: int, length: int) -> int:
    """0 1 2 1 0 1 2 ... of three."""
    if length == 1:
        return 0
    place = abs(place) % (2 * length - 2)
    return min(place, 2 * length - 2 - place)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0, 10.0])
def test_a_gaussian_has_its_sum_and_its_variance(sigma: float) -> None:
    weights = gaussian(sigma)
    assert weights[0] + 2 * sum(weights[1:]) == 1 << 16
    exact = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(len(weights))]
    total = 2 * sum(exact) - exact[0]
    assert all(abs(w / 65536 - e / total) < 1e-3 for w, e in zip(weights, exact, strict=True))


@pytest.mark.parametrize("rows", [56, 28, 14, 7, 50, 33, 1])
def test_kernels_are_those_of_opencv_but_for_its_rounding(rows: int) -> None:
    crop = smooth()
    columns = max(1, round(96 * rows / 112))
    small = cv2.resize(crop, (columns, rows), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk(crop, (rows, columns)).astype(int) - small).max() <= 1
    large = cv2.resize(small, (96, 112), interpolation=cv2.INTER_CUBIC)
    assert np.abs(enlarged(small, (112, 96)).astype(int) - large).max() <= 1


def test_columns_are_in_proportion_and_at_least_one() -> None:
    crop = smooth()
    assert np.array_equal(reduced(crop, 14), enlarged(shrunk(crop, (14, 12)), (112, 96)))
    tall = smooth(112, 10)
    assert np.array_equal(reduced(tall, 1), enlarged(shrunk(tall, (1, 1)), (112, 10)))
    assert np.array_equal(reduced(crop, 112), crop)
    with pytest.raises(ValueError, match="113 rows of a crop of 112"):
        reduced(crop, 113)


def test_fewer_rows_lose_what_more_rows_keep() -> None:
    """The finest stripes are gone at half the rows; coarse ones stay."""
    stripes = np.zeros((112, 96, 3), np.uint8)
    stripes[::2] = 255
    assert np.unique(reduced(stripes, 56)).tolist() == [128]  # 127.5, to even
    coarse = np.repeat(np.array([0, 255], np.uint8), 28)[:, None, None].repeat(96, 1).repeat(3, 2)
    coarse = np.concatenate([coarse, coarse])
    assert np.ptp(reduced(coarse, 28).astype(int)) == 255


def test_jpeg_is_opencvs_at_the_stated_parameters() -> None:
    crop = smooth()
    bgr = np.ascontiguousarray(crop[:, :, ::-1])
    plain = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    own = cv2.imdecode(plain, cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.array_equal(as_jpeg(crop, 20), own)  # its defaults today; ours are stated
    errors = [np.abs(as_jpeg(crop, q).astype(int) - crop).mean() for q in (90, 50, 20, 10)]
    assert errors == sorted(errors) and errors[0] > 0


def test_jpeg_keeps_red_red() -> None:
    red = np.zeros((112, 96, 3), np.uint8)
    red[:, :, 0] = 200
    found = as_jpeg(red, 20).reshape(-1, 3).mean(axis=0)
    assert found[0] > 180 and found[2] < 20


def test_darkness_is_a_share_of_every_value_to_even() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    found = darkened(values, 0.25)
    assert found.reshape(-1, 3)[:, 0].tolist() == [to_even(Fraction(v, 4)) for v in range(256)]


@pytest.mark.parametrize(
    "made", [lambda c: reduced(c, 14), lambda c: as_jpeg(c, 20), lambda c: blurred(c, 2.0),
             lambda c: darkened(c, 0.25)],
)  # fmt: skip
def test_a_crop_stays_a_crop_and_is_not_changed_in_place(made) -> None:  # type: ignore[no-untyped-def]
    crop = smooth()
    before = crop.copy()
    found = made(crop)
    assert found.dtype == np.uint8 and found.shape == crop.shape and found.flags.c_contiguous
    assert np.array_equal(crop, before) and not np.array_equal(found, crop)
    assert np.array_equal(made(crop[:, ::1]), found)


def test_bytes_are_pinned() -> None:
    """Whoever changes a kernel must give it another name: records are told apart by it."""
    crop = noise(112, 96, 0)
    pinned = {
        "14px": hashlib.sha256(reduced(crop, 14).tobytes()).hexdigest()[:16],
        "blur2": hashlib.sha256(blurred(crop, 2.0).tobytes()).hexdigest()[:16],
        "dark0.25": hashlib.sha256(darkened(crop, 0.25).tobytes()).hexdigest()[:16],
    }
    assert pinned == {
        "14px": "d29ecbda2cd4820b",
        "blur2": "129797433a7b0895",
        "dark0.25": "823cbd57b825e0e4",
    }
