"""Labels of points: none hides anything, and each stands nearest to its point, or a line tells."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from facebench.figures.labels import hides
from facebench.figures.pages.place import place_labels
from facebench.figures.pages.sizes import BYTES, SizePoint, size_svg
from facebench.figures.styles import LineStyle
from tests.helpers.measure import measure

SHARE = st.floats(0.5, 0.999)
NAMES = st.integers(1, 14).map(lambda n: "m" * n)


@settings(max_examples=40, deadline=None, derandomize=True)  # a new example is no change of ours
@example([(1e5, 0.99609375, 0.015625), (187424.0, 0.75, 0.0)])  # its interval passes 100%
@given(
    st.lists(
        st.tuples(st.floats(1e5, 9e7), SHARE, st.floats(0, 0.03)),
        min_size=2,
        max_size=8,
        unique_by=lambda p: round(p[0], -3),
    )
)
def test_no_label_hides_anything_wherever_points_are(
    drawn: list[tuple[float, float, float]],
) -> None:
    points = [
        SizePoint(f"net_{n}", size, value, (value - half, value + half), LineStyle(n % 6, 0))
        for n, (size, value, half) in enumerate(drawn)
    ]
    found = measure(str(size_svg(points, "accuracy %", BYTES, synthetic=False))).faults()
    # A crowd may leave no place for a label; then it has none, and its title tells the name.
    assert [fault for fault in found if "has no label" not in fault] == []


def test_a_bar_stays_within_the_axes_where_its_interval_passes_a_share() -> None:
    points = [SizePoint("a", 1e5, 0.996, (0.98, 1.012)), SizePoint("b", 2e5, 0.75, (0.74, 0.76))]
    drawing = str(size_svg(points, "accuracy %", BYTES, synthetic=False))
    tops = [min(y for _, y in m.places) for m in measure(drawing).marks if m.kind == "bar"]
    assert min(tops) == 24.0  # where the axes begin: the words above it are free
    assert "[98.00, 101.20]" in drawing  # the title tells the whole interval


def test_zoo_like_points_all_have_their_label() -> None:
    points = [
        SizePoint(f"sparse_{n:03}", n * 1e5, value, (value - 0.006, value + 0.006), LineStyle(0, 0))
        for n, value in ((100, 0.969), (96, 0.9665), (76, 0.9648), (74, 0.9667), (43, 0.9668))
    ]
    assert measure(str(size_svg(points, "accuracy %", BYTES, synthetic=True))).faults() == []


def test_a_label_without_room_is_left_out() -> None:
    marks = [(0.0, 0.0, 100.0, 40.0)]
    assert place_labels(marks, [50.0], (0.0, 0.0, 100.0, 40.0)) == [None]
    (label,) = place_labels(marks, [50.0], (0.0, 0.0, 200.0, 40.0))
    assert label is not None and label.leader is None
    box = (label.x, label.y - 10, label.x + 50, label.y + 3)
    assert not hides(box, marks)
