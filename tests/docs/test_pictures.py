"""The picture of README shows what the committed records say now."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from tests.docs.pages import CHECKOUT

sys.path.append(str(CHECKOUT / "docs" / "make"))
import pictures


@pytest.mark.shipped_results
@pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 11), reason="drawn by 3.11, which lays out otherwise"
)
def test_the_zoos_picture_is_that_of_the_records(tmp_path: Path) -> None:
    pictures.zoo_picture(tmp_path / "zoo.png", tmp_path)
    drawn, kept = (cv2.imread(str(path / "zoo.png")) for path in (tmp_path, pictures.ASSETS))
    assert drawn.shape == kept.shape
    assert np.abs(drawn.astype(int) - kept).mean() < 1.0, "`make pictures` renews it"
