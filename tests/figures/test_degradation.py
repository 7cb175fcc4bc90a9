"""The figure of models over degradations: what it draws where, and that no label hides another."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import facebench
from facebench.base.errors import UserError
from facebench.comparison.degradation import sweep_of
from facebench.figures.degradation import _panel
from facebench.figures.labels import hides
from tests.helpers.plots import texts_of
from tests.helpers.records import drawn_record

MODELS = ("teacher", "baseline", "sparse_074", "sparse_012", "squeezenet1_1")


def records(*names: str, kind: str = "real") -> list[facebench.Record]:
    strengths = dict(zip(names, (3.5, 3.0, 2.0, 1.0), strict=False))
    return [
        drawn_record(m, kind, n, strengths[p], per_kind=60, protocol=p, weights=f"{n}b" * 32)
        for n, m in enumerate(MODELS)
        for p in names
    ]


ROWS = ("lfw", "lfw+28px", "lfw+14px", "lfw+7px")
MIXED = ("lfw", "lfw+14px", "lfw+jpeg20", "lfw+28px+jpeg20.probe")


def drawn(found: list[facebench.Record]) -> Figure:
    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    _panel(figure.subplots(), sweep_of(found))
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize("names", [ROWS, MIXED])
def test_every_model_is_named_once_and_no_name_hides_another(names: tuple[str, ...]) -> None:
    (axes,) = drawn(records(*names)).axes
    labels = [text for text in axes.texts if text.get_text() in MODELS]
    assert sorted(text.get_text() for text in labels) == sorted(MODELS)
    extents = []
    for text in labels:
        box = Text.get_window_extent(text)  # without the line to it
        extents.append((box.x0, box.y0 + 1, box.x1, box.y1 - 1))
    for number, extent in enumerate(extents):
        assert not hides(extent, extents[:number])


def test_rows_of_pixels_stand_on_a_logarithmic_axis_and_fall_to_the_right() -> None:
    (axes,) = drawn(records(*ROWS)).axes
    assert axes.get_xscale() == "log"
    left, right = axes.get_xlim()
    assert left > 112 > 7 > right
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["7", "14", "28", "112"]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 4]
    assert lines and all(line.get_linestyle() != "None" for line in lines[:1])


def test_other_degradations_are_points_side_by_side() -> None:
    (axes,) = drawn(records(*MIXED)).axes
    assert axes.get_xscale() == "linear"
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    assert names == ["as it is", "14px", "jpeg20", "28px\n+jpeg20\n.probe"]


def test_files_are_made_whole_and_the_same_again(tmp_path: Path) -> None:
    for name in "ab":
        facebench.degradation(records("lfw", "lfw+14px")[:4], tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(UserError, match="ending must be one of"):
        facebench.degradation(records("lfw"), tmp_path / "a.gif")


def test_rendered_faces_are_marked(tmp_path: Path) -> None:
    facebench.degradation(records("lfw", "lfw+14px", kind="synthetic"), tmp_path / "a.svg")
    assert "SYNTHETIC" in texts_of(tmp_path / "a.svg")
