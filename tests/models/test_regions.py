"""Regions: boxes on the canvas, what is cut out of them, and their colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from facebench.faces.align.aligners import TemplateCrop
from facebench.models.cards.card import find_card
from facebench.models.regions import Region, cut, in_colour, region_matrix

RNG = np.random.default_rng(0)
CANVASES = RNG.integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
SIDES = st.integers(8, 60)


def test_the_whole_region_is_the_plain_crop() -> None:
    """The canvas is 8 pixels wider than the face on each side, and both come of one template."""
    image = RNG.integers(0, 256, (128, 112, 3), dtype=np.uint8)
    align = TemplateCrop()
    canvas, face = align("", image, (112, 112)), align("", image, (112, 96))
    whole = Region(box=(0, 0, 96, 112))
    assert whole.pixels == (8, 0, 104, 112)
    np.testing.assert_array_equal(cut(canvas[None], whole)[0], face)
    narrow = Region(box=(0, 0, 96, 112), canvas=(112, 96))
    np.testing.assert_array_equal(cut(face[None], narrow)[0], face)


def test_pixels_of_canvases_by_hand() -> None:
    # 224×192 is the template at twice its scale, without margin; 224×224 has 16 on each side.
    assert Region(box=(10, 20, 60, 70.5), canvas=(224, 192)).pixels == (20, 40, 120, 141)
    assert Region(box=(-8, 0, 104, 112), canvas=(224, 224)).pixels == (0, 0, 224, 224)
    assert Region(box=(0.5, 0, 96, 112), canvas=(224, 224)).pixels == (17, 0, 208, 224)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"box": (0, 0, 0, 112)}, "x0 < x1"),
        ({"box": (0, 60, 96, 50)}, "y0 < y1"),
        ({"box": (-9, 0, 96, 112)}, "leaves the canvas, which spans x -8 to 104 and y 0 to 112"),
        ({"box": (0, 0, 96, 113)}, "leaves the canvas"),
        ({"box": (0, -1, 96, 112)}, "leaves the canvas"),
        ({"box": (-1, 0, 96, 112), "canvas": (112, 96)}, "spans x 0 to 96"),
        ({"box": (0.5, 0, 96, 112)}, "between pixels of the 112x112 canvas"),
        ({"box": (float("nan"), 0, 96, 112)}, "x0 < x1"),
        ({"box": (0, 0, 96, float("inf"))}, "leaves the canvas"),
        ({"box": (0, 0, 96, 112), "colour": "gray"}, "grey"),
        ({"box": (0, 0, 96, 112), "size": (112, 4)}, "greater than or equal to 8"),
        ({"box": (0, 0, 96, 112), "colors": "rgb"}, "Extra inputs"),
    ],
)
def test_a_wrong_region(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Region.model_validate(fields)


def test_a_shrinking_region_averages_areas() -> None:
    region = Region(box=(0, 16, 96, 112), size=(48, 48))
    part = CANVASES[:, 16:112, 8:104].astype(float)
    means = part.reshape(3, 48, 2, 48, 2, 3).mean((2, 4))
    assert np.abs(cut(CANVASES, region) - means).max() <= 0.5 + 1e-9


def test_a_growing_region_is_bilinear() -> None:
    region = Region(box=(10, 20, 30, 44), size=(48, 40))
    part = CANVASES[1, 20:44, 18:38]
    want = cv2.resize(np.ascontiguousarray(part), (40, 48), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(cut(CANVASES, region)[1], want)


def test_colours() -> None:
    for number, colour in enumerate(("red", "green", "blue")):
        got = in_colour(CANVASES, colour)  # type: ignore[arg-type]
        assert all(np.array_equal(got[..., k], CANVASES[..., number]) for k in range(3))
    grey = in_colour(CANVASES, "grey")
    luma = CANVASES @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(grey[..., 0] - luma).max() < 0.51
    assert np.array_equal(grey[..., 0], grey[..., 1]) and grey.shape == CANVASES.shape
    assert np.array_equal(in_colour(CANVASES[0], "grey"), grey[0])
    assert in_colour(CANVASES, "rgb") is CANVASES


@settings(max_examples=40, deadline=None)
@given(x=st.integers(-8, 90), y=st.integers(0, 98), across=SIDES, down=SIDES)
def test_the_matrix_does_what_the_cut_does(x: int, y: int, across: int, down: int) -> None:
    """Training warps with the matrix; inside, a growing cut interpolates the same pixels."""
    x1, y1 = min(x + across, 104), min(y + down, 112)
    region = Region(box=(x, y, x1, y1), size=(64, 72), canvas=(112, 112))
    # The matrix starts from pixels of the template, the canvas has a margin of 8.
    matrix = region_matrix(region) @ np.array([[1.0, 0, -8], [0, 1, 0], [0, 0, 1]])
    ramp = np.add.outer(np.arange(112) * 1.0, np.arange(112) * 0.8).round().astype(np.uint8)
    canvas = np.repeat(ramp[..., None], 3, 2)
    warped = cv2.warpAffine(canvas, matrix, (72, 64), flags=cv2.INTER_LINEAR)
    got = cut(canvas[None], region)[0]
    if y1 - y < 64 and x1 - x < 72:
        edge_x, edge_y = -(-72 // (x1 - x)) + 1, -(-64 // (y1 - y)) + 1
        inner = (slice(edge_y, -edge_y), slice(edge_x, -edge_x))
        assert np.abs(warped[inner].astype(int) - got[inner]).max(initial=0) <= 2


def test_a_mirrored_canvas_shows_the_other_side() -> None:
    left = Region(box=(0, 14, 60, 84))
    right = Region(box=(36, 14, 96, 84))
    mirrored = np.ascontiguousarray(CANVASES[:, :, ::-1])
    whole_pixels = {"size": (70, 60)}
    seen = cut(mirrored, left.model_copy(update=whole_pixels))
    other = cut(CANVASES, right.model_copy(update=whole_pixels))
    np.testing.assert_array_equal(seen, other[:, :, ::-1])


def test_faces_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="112×112×3"):
        cut(CANVASES[:, :, :96], Region(box=(0, 0, 96, 112)))


def test_the_25_regions_of_the_shipped_ensemble() -> None:
    card = find_card("ensemble_25")
    assert len(card.regions) == len(card.members) == 25
    assert len({region.signature for region in card.regions.values()}) == 25
    assert {region.size for region in card.regions.values()} == {(112, 96), (96, 96)}
    assert {region.colour for region in card.regions.values()} == {
        "rgb",
        "grey",
        "red",
        "green",
        "blue",
    }
    for region in card.regions.values():
        left, top, right, bottom = region.pixels
        assert 0 <= left < right <= 112 and 0 <= top < bottom <= 112
        assert cut(CANVASES, region).shape == (3, *region.size, 3)


def test_the_small_ensemble_is_part_of_the_large_one() -> None:
    small, large = find_card("ensemble_5"), find_card("ensemble_25")
    assert len(small.members) == 5 and set(small.members) < set(large.members)
    assert all(large.regions[name] == region for name, region in small.regions.items())
