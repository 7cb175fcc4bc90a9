"""Normalisation of pixels inside an ONNX graph, and outputs that are no embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from facebench.base.errors import UserError
from facebench.models.embedders.onnx import own_normalisation
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
FACES = np.random.default_rng(0).integers(0, 255, (3, 16, 12, 3), np.uint8)


def channels(values) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def model(path: Path, steps=(), norm: str = "") -> Path:
    """Steps (kind, constants) on the input, a layer of 4 numbers; norm: ``first`` or ``last`` of
    the outputs, or none.
    """
    nodes, weights, name = [], [], "input"
    for number, (kind, *constants) in enumerate(steps):
        names = [f"c{number}_{place}" for place in range(len(constants))]
        pairs = zip(names, constants, strict=True)
        weights += [numpy_helper.from_array(np.asarray(c, np.float32), n) for n, c in pairs]
        nodes.append(helper.make_node(kind, [name, *names], [f"x{number}"]))
        name = f"x{number}"
    rng = np.random.default_rng(1)
    layer = rng.normal(size=(16 * 12 * 3, 4)).astype(np.float32) / 100
    weights.append(numpy_helper.from_array(layer, "layer"))
    nodes.append(helper.make_node("Flatten", [name], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "layer"], ["feature"]))
    nodes.append(helper.make_node("ReduceL2", ["feature"], ["norm"], axes=[1], keepdims=1))
    feature = helper.make_tensor_value_info("feature", TensorProto.FLOAT, ["N", 4])
    length = helper.make_tensor_value_info("norm", TensorProto.FLOAT, ["N", 1])
    images = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 16, 12])
    outputs = {"": [feature], "first": [length, feature], "last": [feature, length]}[norm]
    graph = helper.make_graph(nodes, "g", [images], outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


SUB_DIV = (("Sub", channels(IMAGENET[0])), ("Div", channels(IMAGENET[1])))


@pytest.mark.parametrize(
    ("steps", "mean", "scale", "unit"),
    [
        (SUB_DIV, *IMAGENET, 1),
        ((("Sub", 127.5), ("Mul", 1 / 128)), (127.5,), (128,), 1),
        ((("Mul", 1 / 255),), (0,), (255,), 1),
        ((("Div", 255), ("Sub", 0.5), ("Div", 0.5)), (127.5,), (127.5,), 1),
        ((("Sub", channels([0.5, 0.4, 0.3])), ("Div", 0.25)), (0.5, 0.4, 0.3), (0.25,) * 3, 255),
        ((("Mul", 2), ("Add", -1)), (0.5,), (0.5,), 255),
        (
            (("BatchNormalization", [1] * 3, [0] * 3, IMAGENET[0], np.square(IMAGENET[1])),),
            *IMAGENET,
            1,
        ),
    ],
)  # fmt: skip
def test_normalisations_of_pixels(tmp_path: Path, steps, mean, scale, unit: int) -> None:
    found = own_normalisation(model(tmp_path / "m.onnx", steps).read_bytes(), "input")
    assert found is not None and found.unit == unit
    assert found.mean == pytest.approx(mean, rel=1e-5)
    assert found.scale == pytest.approx(scale, rel=1e-5)
    assert found.nodes == tuple(kind for kind, *_ in steps)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (("BatchNormalization", [1] * 3, [0] * 3, [0.02, -0.1, 0.05], [0.3] * 3),),
        (("Mul", -1.0),),
        (("Add", 0.01),),
    ],
)
def test_what_is_no_normalisation_of_pixels(tmp_path: Path, steps) -> None:
    assert own_normalisation(model(tmp_path / "m.onnx", steps).read_bytes(), "input") is None
    assert own_normalisation(b"no graph", "input") is None


def test_pixels_are_not_normalised_twice_unless_the_user_says_so(tmp_path: Path) -> None:
    plain = load_model(
        str(model(tmp_path / "plain.onnx")), ModelOptions(normalise="imagenet", colour="rgb")
    )
    assert (plain.guessed, plain.remarks) == ("", ())
    inside = str(model(tmp_path / "inside.onnx", SUB_DIV))
    guessed = load_model(inside, ModelOptions(colour="rgb"))
    np.testing.assert_allclose(guessed.embed(FACES), plain.embed(FACES), rtol=1e-4, atol=1e-5)
    assert guessed.guessed == "mean scale" and len(guessed.remarks) == 1
    assert (
        "Sub, Div" in guessed.remarks[0] and "mean 0 and scale 1 are guessed" in guessed.remarks[0]
    )
    said = load_model(inside, ModelOptions(mean=(0.0,) * 3, scale=(1.0,) * 3, colour="rgb"))
    assert (said.guessed, said.remarks) == ("", ())
    twice = load_model(inside, ModelOptions(normalise="imagenet", colour="rgb"))
    assert twice.preprocessing.mean == IMAGENET[0]
    assert twice.guessed == "" and "with --mean 0 --scale 1 that is done once" in twice.remarks[0]


def test_what_nobody_says_of_a_file_is_guessed_and_said(tmp_path: Path) -> None:
    path = model(tmp_path / "bare.onnx")
    bare = load_model(str(path), ModelOptions())
    assert bare.guessed == "colour mean scale"
    assert "guessed: colour rgb, mean 127.5, scale 128;" in bare.remarks[0]
    half = load_model(str(path), ModelOptions(normalise="half"))
    assert half.guessed == "colour"
    path.with_suffix(".toml").write_text(
        'name = "bare"\ntitle = "t"\narchitecture = "onnx"\nweights = "bare.onnx"\n'
    )
    assert load_model(str(path), ModelOptions()).guessed == ""


def test_a_norm_is_no_embedding(tmp_path: Path) -> None:
    path = str(model(tmp_path / "norm.onnx", norm="first"))
    says = r"its output 'norm' is one number per face .* output= \(feature\)"
    with pytest.raises(UserError, match=says):
        load_model(path, ModelOptions())
    chosen = load_model(path, ModelOptions(output="feature", normalise="half", colour="rgb"))
    assert chosen.embed(FACES).shape == (3, 4) and chosen.remarks == ()
    both = str(model(tmp_path / "both.onnx", norm="last"))
    guessed = load_model(both, ModelOptions(normalise="half", colour="rgb"))
    assert guessed.guessed == "output" and guessed.embed(FACES).shape == (3, 4)
    assert "the first of its outputs, 'feature', is guessed" in guessed.remarks[0]
