"""ROC curves: what is drawn where, in SVG and in files."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from facebench.errors import UserError
from facebench.reporting.record import Record
from facebench.reporting.roc_layout import layout_of, spread
from facebench.reporting.roc_plot import plot_format, save_roc_plot
from facebench.reporting.roc_svg import roc_svg
from facebench.reporting.view import views_of

MakeRecord = Callable[..., Record]
STARTS = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def test_the_axis_reaches_beyond_the_finest_far(make_record: MakeRecord) -> None:
    layout = layout_of([make_record()])
    assert layout.resolution == 1 / 3000 and layout.far_low == pytest.approx(1e-4)
    assert layout.decades == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert layout.far_position(1.0) == 1 and layout.far_position(0.0) == 0
    assert layout.tar_position(1.0) == 1 and layout.tar_position(0.0) == 0
    assert 3 <= len(layout.tar_ticks) <= 8 and layout.tar_ticks[-1] == 1


def test_twelve_models_are_told_apart(make_record: MakeRecord) -> None:
    layout = layout_of([make_record(model=f"m{n}", seed=n, draws=0) for n in range(12)])
    assert len({(curve.colour, curve.dash) for curve in layout.curves}) == 12
    heights = sorted(layout.label_positions(0.05))
    assert all(b - a > 0.0499 for a, b in pairwise(heights))


def test_crowded_labels_become_a_key_with_the_best_first(make_record: MakeRecord) -> None:
    few = layout_of([make_record(strength=s, draws=0) for s in (2.6, 3.6)])
    assert few.direct(0.05)
    many = [make_record(model=f"m{n}", strength=3.6 - n / 50, draws=0) for n in range(6)]
    layout = layout_of(many[::-1])
    assert not layout.direct(0.05)
    tars = [curve.tar_at(layout.resolution) for curve in layout.key]
    assert tars == sorted(tars, reverse=True) and layout.key[0].label == "m0"
    for curve in layout.curves:
        steps = zip(curve.far, curve.tar, strict=True)
        assert curve.tar_at(0.01) == [tar for far, tar in steps if far <= 0.01][-1]
    root = ElementTree.fromstring(str(roc_svg(many)))
    assert sum(element.tag == "path" for element in root) == 12


def test_spread_keeps_order_and_distance_within_limits() -> None:
    placed = spread([0.9, 0.91, 0.9, 0.1], 0.1, 0.05, 0.95)
    assert sorted(placed) == pytest.approx([0.1, 0.75, 0.85, 0.95])
    assert placed[1] == max(placed) and placed[3] == min(placed)
    crowded = spread([0.5] * 21, 0.1, 0.0, 1.0)
    assert sorted(crowded) == pytest.approx([n / 20 for n in range(21)])


def test_svg_is_well_formed_steps(make_record: MakeRecord) -> None:
    text = str(roc_svg([make_record(model="<a&b>"), make_record(model="b", seed=1)]))
    root = ElementTree.fromstring(text)
    paths = [element.get("d") or "" for element in root if element.tag == "path"]
    assert len(paths) == 2
    for path in paths:
        assert path.startswith("M") and set(path) <= set("MHV0123456789. ")  # no slanted line
    assert "<a&b>" in [element.text for element in root]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_files_by_their_ending(make_record: MakeRecord, tmp_path: Path, ending: str) -> None:
    views = views_of([make_record(model="$x$"), make_record(kind="synthetic")])
    path = tmp_path / f"roc.{ending}"
    save_roc_plot(views, path)
    first = path.read_bytes()
    assert first.startswith(STARTS[ending.lower()])
    save_roc_plot(views, path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_synthetic_is_written_into_the_figure(make_record: MakeRecord, tmp_path: Path) -> None:
    for kind, expected in (("real", False), ("synthetic", True)):
        path = tmp_path / f"{kind}.svg"
        save_roc_plot(views_of([make_record(kind=kind)]), path)
        assert ("SYNTHETIC FACES" in path.read_text()) == expected


def test_another_ending_is_a_user_error() -> None:
    with pytest.raises(UserError, match=r"must be one of \.png, \.svg, \.pdf"):
        plot_format(Path("roc.gif"))
