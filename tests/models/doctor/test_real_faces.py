"""Planted mistakes on real faces: the teacher's network, and two of the zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facebench.models.doctor.diagnose import Diagnosis, diagnose
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_network
from facebench.similarity import Cosine

pytestmark = pytest.mark.slow
TEACHER: dict[str, Any] = {
    "size": (112, 112),
    "colour": "rgb",
    "normalise": "imagenet",
    "flip": "normalised-add",
}
ZOO: dict[str, Any] = {"size": (112, 96), "colour": "rgb", "normalise": "arcface", "flip": "add"}
LIGHT, MINDS_COLOURS = "student_ensemble_long_int8", "sparse_012"
NO_END = 1e9  # seconds: time decides nothing here


def examined(model: Any, data: Path, options: dict[str, Any]) -> Diagnosis:
    chosen = ModelOptions(**options)
    return diagnose(model, data / "lfw-mini", Cosine().pairs, options=chosen, budget=NO_END)


def causes(found: Diagnosis) -> list[str]:
    return sorted(mistake.cause for mistake in found.mistakes)


def in_graph(source: Path, target: Path) -> Path:
    """The teacher with its normalisation as the first nodes of its graph."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(source))
    first, mean, std = model.graph.input[0].name, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    for name, values in (("own_mean", mean), ("own_std", std)):
        array = np.array(values, np.float32).reshape(1, 3, 1, 1)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for node in model.graph.node:
        node.input[:] = ["own_x" if name == first else name for name in node.input]
    for node in (
        onnx.helper.make_node("Div", ["own_less", "own_std"], ["own_x"]),
        onnx.helper.make_node("Sub", [first, "own_mean"], ["own_less"]),
    ):
        model.graph.node.insert(0, node)
    onnx.save(model, str(target))
    return target


def test_the_teacher_has_nothing_wrong(shared_data: Path) -> None:
    file = shared_data / "teacher" / "mobilefacenet.onnx"
    assert causes(examined(str(file), shared_data, TEACHER)) == []


def test_a_second_normalisation_in_the_teachers_graph(shared_data: Path, tmp_path: Path) -> None:
    file = in_graph(shared_data / "teacher" / "mobilefacenet.onnx", tmp_path / "twice.onnx")
    assert causes(examined(str(file), shared_data, TEACHER)) == ["normalised twice"]


class Planted(nn.Module):
    """A network of the zoo with something wrong after it, or before it."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        net = load_network(MINDS_COLOURS if kind == "colours" else LIGHT).eval()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.kind = kind

    def forward(self, faces: Tensor) -> Tensor:
        if self.kind == "own":
            faces = (faces - 127.5) / 128
        faces = faces.to(memory_format=torch.channels_last)  # a third of the time
        found: Tensor = self.net(faces * 0 if self.kind == "constant" else faces)
        if self.kind == "drop":
            return nn.functional.dropout(found, 0.3, training=True)
        if self.kind == "norm":
            mean = found.mean(0, keepdim=True)
            return found - (mean if len(found) > 1 else 0)
        return found


@pytest.mark.parametrize(
    ("kind", "planted", "expected"),
    [
        ("right", {}, []),
        ("colours", {"colour": "bgr"}, ["red and blue exchanged"]),
        ("own", {}, ["normalised twice"]),
        ("constant", {}, ["ignores its input"]),
        ("drop", {}, ["dropout in training mode"]),
        ("norm", {}, ["batch normalisation in training mode"]),
    ],
)
def test_a_network_of_the_zoo(
    shared_data: Path, kind: str, planted: dict[str, Any], expected: list[str]
) -> None:
    with torch.no_grad():
        assert causes(examined(Planted(kind), shared_data, ZOO | planted)) == expected
