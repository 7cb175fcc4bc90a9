"""Differences as files: widths for papers, letters inside the figure, nothing touching."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import facebench
from facebench.base.errors import UserError
from facebench.figures import files
from facebench.figures.curves.plot import save_roc_plot
from facebench.figures.files import plot_width
from facebench.figures.forest import save_comparison_plot
from facebench.figures.history import save_history_plot
from facebench.records.files import save_record
from facebench.records.record import Record
from tests.helpers.plots import texts_of

MakeRecord = Callable[..., Record]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, instead of files."""
    found: list[Figure] = []

    def keep(figure: Figure, path: Path, dpi: int = 100) -> None:
        figure.draw_without_rendering()
        found.append(figure)

    for module in ("forest", "history", "curves.plot"):
        monkeypatch.setattr(f"facebench.figures.{module}.save_figure", keep)
    return found


def faults_of(figure: Figure) -> list[str]:
    """Texts that touch each other or reach over the figure's edge."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    unseen = {
        id(label)
        for axes in figure.axes
        for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim()))
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(ends) <= tick.get_loc() <= max(ends)
    }
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    texts = [text for text in found if id(text) not in unseen]
    boxes = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in texts
        if text.get_visible() and text.get_text().strip()
    ]
    edge = figure.bbox
    faults = [
        f"{text!r} is cut off"
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > edge.x1 + 1 or box.y1 > edge.y1 + 1
    ]
    for (one, a), (other, b) in combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 2 and high > 2:
            faults.append(f"{one!r} touches {other!r}")
    return faults


@pytest.mark.parametrize("width", [3.25, 6.75, None])
def test_nothing_touches_at_the_widths_of_papers(
    make_record: MakeRecord, drawn: list[Figure], tmp_path: Path, width: float | None
) -> None:
    records = [
        make_record(f"net_{n}", seed=n, strength=3.5 - n / 9, per_kind=40, draws=40)
        for n in range(5)
    ]
    save_comparison_plot(facebench.compare(records[0], records[1:]), Path("x.png"), width)
    save_comparison_plot(facebench.compare(records[0], records[1]), Path("x.png"), width)
    save_roc_plot([records], Path("x.png"), width)
    assert [faults_of(figure) for figure in drawn] == [[], [], []]
    assert all(figure.get_figwidth() == width for figure in drawn if width)


def test_files_are_as_wide_as_was_asked_and_bring_their_letters(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    base, other = (make_record(f"m{n}", seed=n, per_kind=40, draws=40) for n in range(2))
    compared = facebench.compare(base, other)
    save_comparison_plot(compared, tmp_path / "a.png", plot_width("column"))
    assert Image.open(tmp_path / "a.png").width == round(3.25 * 200)
    save_comparison_plot(compared, tmp_path / "a.svg", plot_width("page"))
    svg = (tmp_path / "a.svg").read_text()
    assert "<text" not in svg and "font-family" not in svg  # letters are shapes
    assert ">accuracy<" in texts_of(tmp_path / "a.svg") and f'width="{6.75 * 72:g}pt"' in svg
    save_comparison_plot(compared, tmp_path / "a.pdf", 4.0)
    assert b"/FontFile2" in (tmp_path / "a.pdf").read_bytes()  # TrueType, embedded


def test_a_history_has_room_for_its_names(
    make_record: MakeRecord, drawn: list[Figure], tmp_path: Path
) -> None:
    for n in range(4):
        record = make_record(f"sparse_{n}", seed=n, per_kind=40, draws=40)
        model = record.model.model_copy(update={"kept_parameters": 10**6 // (n + 1)})
        save_record(record.model_copy(update={"model": model}), tmp_path)
    save_history_plot(facebench.history(tmp_path), Path("x.png"), width=3.25)
    (figure,) = drawn
    assert faults_of(figure) == []
    assert len([t for t in figure.axes[0].texts if t.get_gid() == "name"]) == 4


def test_widths_are_names_or_inches() -> None:
    assert plot_width(None) is None
    assert plot_width("column") == 3.25 and plot_width("page") == 6.75 and plot_width("5") == 5
    for wrong in ("wide", "nan", "0.5", "90"):
        with pytest.raises(UserError, match=r": column \(3.25 inches\), page"):
            plot_width(wrong)
    assert files.PLOT_WIDTHS == {"column": 3.25, "page": 6.75}
