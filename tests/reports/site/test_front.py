"""The drawing of accuracy against size: what is drawn where, and that no name hides anything."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.reports.site.front import FrontPoint, front_svg
from facebench.reports.site.ranks import on_front

LETTER, HEIGHT = 9.1, 13  # of a bold name of 13 px


def points_of(drawn: list[tuple[float, float]]) -> list[FrontPoint]:
    fronts = on_front(drawn)
    return [
        FrontPoint(f"model_{n}", cost, value, (value - 0.01, value + 0.01), front)
        for n, ((cost, value), front) in enumerate(zip(drawn, fronts, strict=True))
    ]


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    found = re.findall(r'<text class="name" x="([\d.-]+)" y="([\d.-]+)">([^<]*)<', svg)
    return [
        (float(x), float(y) - HEIGHT, float(x) + LETTER * len(name), float(y))
        for x, y, name in found
    ]


DRAWN = st.lists(
    st.tuples(st.floats(1e5, 1e8), st.floats(0.5, 0.99)), min_size=3, max_size=40, unique=True
)


@given(DRAWN)
@settings(max_examples=50, deadline=None)
def test_names_hide_neither_each_other_nor_points(drawn: list[tuple[float, float]]) -> None:
    svg = str(front_svg(points_of(drawn), "bytes", "accuracy"))
    marks = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', svg)]
    assert len(marks) == len(drawn)
    assert all(52 <= x <= 606 and 30 <= y <= 346 for x, y in marks)
    for one, other in combinations(boxes(svg), 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart
    for left, top, right, floor in boxes(svg):
        assert not any(left < x < right and top < y < floor for x, y in marks)
        assert left >= 0 and right <= 620 and top >= 0


@given(DRAWN)
@settings(max_examples=30, deadline=None)
def test_the_front_rises_from_point_to_point(drawn: list[tuple[float, float]]) -> None:
    points = points_of(drawn)
    svg = str(front_svg(points, "multiply-adds", "accuracy"))
    assert svg.count('class="of-front"') == sum(point.front for point in points)
    heights = [float(y) for y in re.findall(r"V([\d.]+)", svg.partition('class="steps"')[2])]
    assert heights == sorted(heights, reverse=True)  # y falls as accuracy rises


def test_what_is_drawn_is_said() -> None:
    svg = str(front_svg(points_of([(1e6, 0.9), (2e6, 0.95), (3e6, 0.93)]), "bytes", "accuracy"))
    assert (
        "accuracy against bytes of 3 models. On the front: model_0 90.00%, model_1 95.00%." in svg
    )
    assert "<title>model_2: 93.00%, 3.0 MB</title>" in svg and "1 MB" in svg


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_equal_models_are_drawn(value: float) -> None:
    svg = str(front_svg(points_of([(1e6, value)] * 3), "bytes", "accuracy"))
    assert svg.count("<circle") == 3 and "nan" not in svg
