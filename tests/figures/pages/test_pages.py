"""Every drawing of the shipped pages, measured; colours, and the smallest letters."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from facebench.figures.forest import ForestRow, forest_ends
from facebench.figures.pages.bars import bars_svg
from facebench.figures.pages.forest import forest_svg
from facebench.figures.pages.frame import WIDTH
from facebench.figures.styles import COLOURS, DARK_COLOURS, DARK_OTHERS, OTHERS, LineStyle
from facebench.records.find import Finder
from facebench.reports.build import fill_card
from facebench.reports.card import load_report
from facebench.reports.html import drawings_of_cards
from facebench.reports.table import report_table
from facebench.tables.html import TEMPLATES
from tests.helpers.measure import SIZE, measure

CARDS = (
    *("table3", "table4", "table5", "table6", "table7", "table8", "table9"),
    *("section55", "figure1", "taylor", "distillation"),
)
# Machado, Oliveira and Fernandes 2009, in linear light: full protanopia and deuteranopia.
BLIND = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


@pytest.fixture(scope="module")
def finder() -> Finder:
    return Finder.of(cache=False)


@pytest.mark.parametrize("name", CARDS)
def test_no_text_of_a_shipped_page_touches_hides_or_misnames_anything(
    name: str, finder: Finder
) -> None:
    filled = fill_card(load_report(name), finder)
    for card, drawings in zip(filled, drawings_of_cards(filled), strict=True):
        table = report_table(card)
        shown = " ".join(f"{c.text} {c.detail}" for row in table.rows for c in row.cells)
        for drawing in drawings:
            found = measure(str(drawing.svg))
            assert found.faults() == [], drawing.caption
            names = {word.text.split(", ")[0] for word in found.words}
            models = {n for n in names if re.match(r"[a-z][a-z0-9]*(_[a-z0-9]+)+$", n)}
            assert {n for n in models if n not in shown} == set(), drawing.caption


def test_the_measure_finds_what_is_wrong() -> None:
    svg = (
        '<svg class="plot" viewBox="0 0 380 100">{}<circle class="dot c0" cx="50" cy="50" r="5">'
        '<title>a here: 1</title></circle><circle class="dot c1" cx="150" cy="50" r="5">'
        "<title>b here: 2</title></circle></svg>"
    )
    words = '<text class="name" x="{}" y="{}">{}</text>'
    right = words.format(60, 54, "a") + words.format(160, 54, "b")
    assert measure(svg.format(right)).faults() == []
    swapped = words.format(160, 54, "a") + words.format(60, 54, "b")
    assert len(measure(svg.format(swapped)).faults()) == 2
    assert measure(svg.format(words.format(45, 54, "a"))).faults()[0] == "'a' lies on a point a"
    cut = right + words.format(370, 90, "cut off")
    assert "'cut off' is cut off" in measure(svg.format(cut)).faults()
    both = right + words.format(10, 90, "one") + words.format(12, 92, "other")
    assert "'one' touches 'other'" in measure(svg.format(both)).faults()


def test_letters_are_readable_on_a_phone() -> None:
    style = (TEMPLATES / "plots.css").read_text()
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", style)]
    assert min(sizes) == SIZE
    margins = 2 * 0.9 * 16  # of the page, beside the drawing
    assert SIZE * (390 - margins) / WIDTH >= 11


def test_colours_are_told_apart_with_any_vision_and_on_both_grounds() -> None:
    for colours, others, ground in (
        (COLOURS, OTHERS, "#ffffff"),
        (DARK_COLOURS, DARK_OTHERS, "#12161b"),
    ):
        assert all(contrast(colour, ground) >= 3 for colour in (*colours, others))
        for kind in (np.eye(3), *map(np.array, BLIND.values())):
            labs = [lab(kind @ linear(colour)) for colour in colours]
            # Okabe and Ito's own six reach 17.9.
            assert min(np.linalg.norm(a - b) for a, b in combinations(labs, 2)) > 18


def test_texts_have_the_contrast_of_small_letters() -> None:
    style = (TEMPLATES / "style.css").read_text()
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part))
        for part in style.split("endmacro")[:2]
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        for name in ("text", "quiet", "warn-text"):
            assert contrast(scheme[name], scheme["ground"]) >= 4.5, name


def test_bars_have_a_line_where_all_would_be_equal() -> None:
    found = measure(str(bars_svg([0.2, 0.3, 0.5], "x", ("rank", "share"))))
    texts = {word.text for word in found.words}
    assert {"uniform", "rank", "share", "1", "3"} <= texts and found.faults() == []
    (even,) = [mark for mark in found.marks if mark.kind == "even"]
    height = {round(y, 3) for _, y in even.places}
    (zero,) = [w.box[3] - 4 for w in found.words if w.text == "0"]
    # The floor is at 0, the top of the axes at 1.03 of the highest: a third lies between.
    assert len(height) == 1
    assert (zero - height.pop()) / (zero - 24) == pytest.approx(1 / 3 / (1.03 * 0.5), abs=0.01)


def test_a_forest_shows_every_interval_and_marks_what_goes_on() -> None:
    style = LineStyle(0, 0)
    rows = [
        ForestRow("a", -0.5, (-1.0, 0.0), "≈", style, "base"),
        ForestRow("b", 0.5, (0.0, 1.0), "≈", style, "base"),
        ForestRow("c", 0.2, (-30.0, 40.0), "", style, "other", told=False),
    ]
    low, high = forest_ends(rows)
    assert -1.2 < low < -1 and 1 < high < 1.2  # the wide one does not squeeze the others
    svg = str(forest_svg(rows, synthetic=False))
    found = measure(svg)
    assert found.faults() == []
    texts = [word.text for word in found.words]
    assert "−0.50 [−1.00, +0.00] ≈" in texts and "+0.20 [−30.00, +40.00]" in texts
    assert [text for text in texts if text.startswith("against")] == [
        "against base",
        "against other",
    ]
    assert svg.count('class="bar c0" d=') == 2 and svg.count("hollow") == 1


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG's."""
    light = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """CIELAB of linear light, D65."""
    xyz = XYZ @ np.clip(light, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
