"""Views and morphs of crops: whole, different, and mixed where they should be."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.lab.data.views import morph, view

DARK, LIGHT = (np.full((128, 112, 3), value, np.uint8) for value in (40, 200))


def textured() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.repeat(np.repeat(rng.integers(0, 256, (16, 14, 3), dtype=np.uint8), 8, 0), 8, 1)


def test_a_view_is_a_crop_that_its_generator_fixes() -> None:
    crop = textured()
    before = crop.copy()
    views = [view(crop, np.random.default_rng(seed)) for seed in range(40)]
    assert all(one.shape == (128, 112, 3) and one.dtype == np.uint8 for one in views)
    assert all(one.flags.c_contiguous for one in views)
    np.testing.assert_array_equal(crop, before)
    np.testing.assert_array_equal(views[7], view(crop, np.random.default_rng(7)))
    assert len({one.tobytes() for one in views}) == 40


def test_views_keep_a_grey_crop_inside_its_levels() -> None:
    """Tones may turn a level into any other, but a plain crop stays plain where nothing covers."""
    plain = [view(DARK, np.random.default_rng(seed)) for seed in range(60)]
    spread = [float(np.ptp(one.reshape(-1, 3), axis=0).max()) for one in plain]
    assert np.mean([value <= 2 for value in spread]) > 0.6  # JPEG may be off by one
    assert max(spread) > 50  # something was covered


def test_a_morph_lies_between_both() -> None:
    kinds = set()
    for seed in range(60):
        mixed = morph(DARK, LIGHT, np.random.default_rng(seed))
        assert mixed.shape == (128, 112, 3) and mixed.dtype == np.uint8
        assert mixed.min() >= 40 and mixed.max() <= 200
        top, bottom = int(mixed[0, 0, 0]), int(mixed[127, 0, 0])
        if np.ptp(mixed) == 0:
            kinds.add("blend")
            assert 40 + 0.29 * 160 < top < 40 + 0.71 * 160
        elif bottom - top > 150:
            kinds.add("halves")
            assert (np.ptp(mixed, axis=1) == 0).all()  # a seam is level
        else:
            rows = mixed[:, 56, 0].argmax()
            kinds.add("eyes" if rows < 80 else "mouth")
            assert top == bottom == 40 and mixed.max() > 195
    assert kinds == {"blend", "halves", "eyes", "mouth"}


@pytest.mark.parametrize("value", [0, 255])
def test_mixing_a_face_with_itself_changes_nothing(value: int) -> None:
    face = np.full((128, 112, 3), value, np.uint8)
    for seed in range(20):
        np.testing.assert_array_equal(morph(face, face, np.random.default_rng(seed)), face)
