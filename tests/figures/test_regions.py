"""The picture of a card's regions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.figures.regions import regions_picture
from facebench.models.cards.card import find_card

FACE = np.random.default_rng(0).integers(0, 256, (128, 112, 3), dtype=np.uint8)


def test_a_tile_for_every_region() -> None:
    card = find_card("ensemble_5")
    png = regions_picture(card, FACE)
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] > 1000 and regions_picture(card, FACE) == png
    face_region = (picture[..., ::-1] == (0xE6, 0x9F, 0x00)).all(-1)
    assert face_region.sum() > 500  # the frames of the four rgb regions


def test_a_card_without_regions() -> None:
    with pytest.raises(UserError, match="'baseline' sees the whole face"):
        regions_picture(find_card("baseline"), FACE)
