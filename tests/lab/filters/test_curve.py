"""The curve's files: complete, read back, and readable elsewhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.lab.filters.curve import Point, read_curve, write_curve
from tests.helpers.filter_toys import example


def test_points_are_in_the_order_of_steps_and_written_once() -> None:
    curve = example()
    assert [point.step for point in curve.points] == [0, 2, 5]
    again = curve.with_point(Point("net_taylor_20", 2, 18, 88, 700, 30_000), {"c": 0.1})
    assert len(again.points) == 3 and again.points[1].parameters == 700
    assert again.removed["net_taylor_20"] == {"c": 0.1}
    assert curve.points[2].removed == 0.5


def test_read_back(tmp_path: Path) -> None:
    curve = example()
    path = write_curve(curve, tmp_path)
    assert path == tmp_path / "diagnostics" / "filters" / "net_taylor.json"
    read = read_curve(path)
    assert write_curve(read, tmp_path / "again").read_bytes() == path.read_bytes()
    assert "NaN" not in path.read_text() and json.loads(path.read_text())["schema_version"] == 1
    assert read.points[1].latency != read.points[1].latency  # not measured
    assert read.points[2].intervals == {"lfw": (0.94, 0.96)}
    assert read.points[2].latency == curve.points[2].latency


def test_csv_of_points_and_layers(tmp_path: Path) -> None:
    path = write_curve(example(), tmp_path)
    rows = list(csv.DictReader(path.with_suffix(".csv").open()))
    assert [row["model"] for row in rows] == ["net", "net_taylor_20", "net_taylor_50"]
    assert rows[2]["share_removed"] == "0.500000" and rows[2]["accuracy_lfw"] == "0.95"
    assert rows[1]["latency_ms"] == "" and rows[1]["accuracy_lfw"] == ""
    assert [rows[2]["accuracy_lfw_low"], rows[2]["accuracy_lfw_high"]] == ["0.94", "0.96"]
    assert rows[0]["accuracy_lfw"] and rows[0]["accuracy_lfw_low"] == ""
    layers = list(csv.DictReader(path.with_suffix(".layers.csv").open()))
    assert [row["layer"] for row in layers] == ["a", "b", "c"]
    assert layers[1]["filters"] == "16" and layers[1]["net_taylor_50"] == "0.500000"


ONE = {"model": "net", "step": 0, "filters": 0, "of": 88, "parameters": 1, "multiply_adds": 1}
WHOLE = {"schema_version": 1, "model": "m", "criterion": "taylor", "source": "", "points": [ONE]}


def test_the_least_that_is_a_curve(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(WHOLE))
    assert read_curve(path).points[0].removed == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "5",
        "[" * 100_000,
        json.dumps(WHOLE | {"points": [{}]}),
        json.dumps(WHOLE | {"points": 5}),
        json.dumps(WHOLE | {"layers": {"a": "many"}}),
        json.dumps(WHOLE | {"removed": {"net": [1]}}),
        *(
            json.dumps(WHOLE | {"points": [ONE | wrong]})
            for wrong in (
                {"step": "first"},
                {"of": 0},
                {"filters": None},
                {"accuracy": [0.9]},
                {"accuracy": {"lfw": "good"}},
                {"intervals": {"lfw": [0.9]}},
                {"latency": {}},
            )
        ),
    ],
)
def test_another_file_is_a_user_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"x\.json: not a curve") as caught:
        read_curve(path)
    assert "\n" not in str(caught.value)
