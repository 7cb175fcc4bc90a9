"""Pictures of the curve and the layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.lab.filters.curve import Curve
from facebench.lab.filters.pictures import draw_curves, draw_layers
from tests.helpers.filter_toys import example


def test_curves_name_their_criteria_beside_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    draw_curves([example(), example("random"), example("l1")], path)
    text = path.read_text()
    for label in ("taylor", "random", "l1", "parameters", "multiply-adds", "latency"):
        assert f"{label} -->" in text, label
    assert "lfw, bars: 95% intervals -->" in text


def test_layers_in_order_and_by_width(tmp_path: Path) -> None:
    path = tmp_path / "layers.png"
    draw_layers(example(), path)
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no point"):
        draw_curves([Curve("a", "taylor", "")], tmp_path / "a.png")
    with pytest.raises(UserError, match="no layers"):
        draw_layers(Curve("a", "taylor", ""), tmp_path / "a.png")
    with pytest.raises(UserError, match="pictures are"):
        draw_curves([example()], tmp_path / "a.gif")
