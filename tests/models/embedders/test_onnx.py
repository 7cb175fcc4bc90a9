"""ONNX files: layouts, batches, outputs, mistakes; and the teacher."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.evaluation.candidate import candidate_of
from facebench.models.embedders.options import ModelOptions, parse_options
from facebench.models.weights.external import onnx_size
from facebench.models.zoo import load_model

onnx = pytest.importorskip("onnx", reason="needs the onnx package to make small models")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")


def save(
    path: Path,
    shape: list[Any],
    *,
    outputs: tuple[str, ...] = ("embedding",),
    kind: int = onnx.TensorProto.FLOAT,
    inputs: int = 1,
) -> Path:
    """A model that flattens its input, times 1, 2, … for each output."""
    from onnx import TensorProto, helper

    nodes, constants = [helper.make_node("Flatten", ["x0"], ["flat"], axis=1)], []
    for factor, name in enumerate(outputs, 1):
        constants.append(helper.make_tensor(f"c{factor}", kind, [], [factor]))
        nodes.append(helper.make_node("Mul", ["flat", f"c{factor}"], [name]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        constants,
    )
    assert TensorProto.FLOAT == 1
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def faces(n: int, size: tuple[int, int] = (9, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *size, 3), dtype=np.uint8)


OPEN = ModelOptions(mean=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))
RAW = {"mean": (0.0, 0.0, 0.0), "scale": (1.0, 1.0, 1.0)}


@pytest.mark.parametrize(
    ("shape", "nhwc"),
    [
        ([None, 3, 9, 8], False),
        (["n", 3, 9, 8], False),
        ([1, 3, 9, 8], False),
        ([2, 3, 9, 8], False),
        (["n", 9, 8, 3], True),
        ([1, 9, 8, 3], True),
    ],
)
def test_layouts_and_batches(tmp_path: Path, shape: list[Any], nhwc: bool) -> None:
    path, x = save(tmp_path / "m.onnx", shape), faces(5)
    model = load_model(str(path), ModelOptions(**RAW))
    assert model.preprocessing.size == (9, 8) and model.id == "m"
    want = x if nhwc else x.transpose(0, 3, 1, 2)
    out = model.embed(x)
    np.testing.assert_array_equal(out, want.reshape(5, -1).astype(np.float32))
    np.testing.assert_array_equal(model.embed(x[3:4]), out[3:4])
    assert out.dtype == np.float32 and model.embed(x[:0]).shape == (0, 216)


def test_preprocessing(tmp_path: Path) -> None:
    path, x = save(tmp_path / "m.onnx", ["n", 3, 9, 8]), faces(2)
    options = ModelOptions(colour="bgr", mean=(1, 2, 3), scale=(2, 4, 8))
    want = ((x[..., ::-1] - np.array([1.0, 2, 3])) / (2, 4, 8)).transpose(0, 3, 1, 2)
    out = load_model(str(path), options).embed(x)
    np.testing.assert_allclose(out, want.reshape(2, -1), rtol=1e-6)


def test_open_size_must_be_given(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", ["n", 3, "h", "w"])
    with pytest.raises(UserError, match="not known; give options=ModelOptions"):
        load_model(str(path))
    assert load_model(str(path), ModelOptions(size=(9, 8))).embed(faces(2)).shape == (2, 216)


def test_outputs_first_or_named(tmp_path: Path) -> None:
    path, x = save(tmp_path / "m.onnx", ["n", 3, 9, 8], outputs=("one", "two")), faces(2)
    one = load_model(str(path), ModelOptions(**RAW)).embed(x)
    two = load_model(str(path), ModelOptions(output="two", **RAW)).embed(x)
    np.testing.assert_array_equal(two, 2 * one)
    with pytest.raises(UserError, match=r"no output 'tow'; did you mean 'two'.*one, two"):
        load_model(str(path), ModelOptions(output="tow"))


def test_what_was_chosen_is_told(tmp_path: Path) -> None:
    open_shape = save(tmp_path / "open.onnx", ["n", None, None, None], outputs=("one", "two"))
    fixed = save(tmp_path / "fixed.onnx", ["n", 9, 8, 3])

    def variant(path: Path, **options: Any) -> str:
        return load_model(str(path), ModelOptions(size=(9, 8), **options)).variant

    assert variant(open_shape) == variant(open_shape, output="one", layout="nchw") == ""
    assert variant(open_shape, output="two", layout="nhwc") == "output=two layout=nhwc"
    assert variant(fixed, layout="nhwc") == ""  # the file says so itself
    model = load_model(str(open_shape), ModelOptions(size=(9, 8), output="two"))
    assert model.signature.endswith(" float32 output=two")
    assert model.runtime == f"onnxruntime {onnxruntime.__version__}"


def test_float16_models(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", ["n", 3, 9, 8], kind=onnx.TensorProto.FLOAT16)
    out = load_model(str(path), ModelOptions(**RAW)).embed(faces(2))
    assert out.dtype == np.float32 and out.max() > 100


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (["n", 3, 9, 8], {"size": (9, 9)}, "takes 9x8, not the size 9x9"),
        (["n", 1, 9, 8], {}, "1 channels"),
        (["n", 216], {}, "of 2 axes"),
        (["n", 9, 8, 3], {"layout": "nchw"}, "9 channels in nchw"),
        (["n", 3, 9, 8], {"precision": "bfloat16"}, "fixes its precision"),
        (["n", 3, 9, 8], {"device": "tpu"}, "not cpu, cuda"),
        (["n", 3, 9, 8], {"device": "cuda"}, "no CUDAExecutionProvider"),
        (["n", 3, 9, 8], {"device": "cudax"}, "not cpu, cuda"),
    ],
)
def test_mistakes(tmp_path: Path, shape: list[Any], options: Any, message: str) -> None:
    path = save(tmp_path / "m.onnx", shape)
    with pytest.raises(UserError, match=message) as caught:
        load_model(str(path), ModelOptions(**options))
    assert "\n" not in str(caught.value)


def test_two_inputs_integers_and_files_that_are_not_onnx(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 2 inputs"):
        load_model(str(save(tmp_path / "two.onnx", ["n", 3, 9, 8], inputs=2)))
    kind = onnx.TensorProto.INT32
    with pytest.raises(UserError, match="its input is tensor\\(int32\\)"):
        load_model(str(save(tmp_path / "int.onnx", ["n", 3, 9, 8], kind=kind)))
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(
        UserError, match=r"bad\.onnx: not a model that ONNX Runtime can load.*bring it again"
    ):
        load_model(str(tmp_path / "bad.onnx"))
    with pytest.raises(UserError, match="no such model file"):
        load_model(str(tmp_path / "absent.onnx"))


def with_weights_beside(path: Path, location: str = "w/m.onnx.data") -> Path:
    """A model whose factors lie in another file, as torch.onnx.export writes them."""
    save(path, ["n", 3, 9, 8])
    model = onnx.load(str(path))
    model.graph.node[1].input[1] = "w"
    weight = onnx.numpy_helper.from_array(np.full(216, 2, np.float32), "w")
    model.graph.initializer.append(weight)
    (path.parent / location).parent.mkdir(exist_ok=True)
    onnx.save(model, str(path), save_as_external_data=True, location=location, size_threshold=0)
    return path


def test_weights_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_weights_beside(tmp_path / "m.onnx")
    inside = onnx.load(str(path))
    onnx.save(inside, str(tmp_path / "one.onnx"))
    monkeypatch.chdir(tmp_path.parent)
    found, expected = load_model(str(path), OPEN), load_model(str(tmp_path / "one.onnx"), OPEN)
    np.testing.assert_array_equal(found.embed(faces(2)), expected.embed(faces(2)))
    assert found.embed(faces(2)).max() > 255
    # The hash is over both files, wherever they lie, and the bytes are those of both.
    beside = tmp_path / "w" / "m.onnx.data"
    assert candidate_of(str(path)).facts.bytes == path.stat().st_size + beside.stat().st_size
    assert onnx_size(path) == path.stat().st_size + beside.stat().st_size
    (tmp_path / "copy").mkdir()
    with_weights_beside(tmp_path / "copy" / "m.onnx")
    assert load_model(str(tmp_path / "copy" / "m.onnx"), OPEN).weights_hash == found.weights_hash
    beside.write_bytes(np.full(216, 3, np.float32).tobytes())
    changed = load_model(str(path), OPEN)
    assert changed.weights_hash != found.weights_hash
    np.testing.assert_array_equal(2 * changed.embed(faces(2)), 3 * found.embed(faces(2)))


def test_weights_that_are_not_beside_the_file(tmp_path: Path) -> None:
    path = with_weights_beside(tmp_path / "m.onnx", "m.onnx.data")
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "m.onnx"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UserError) as caught:
        load_model(str(copy), OPEN)
    assert str(caught.value) == (
        f"{copy}: its weights are in m.onnx.data, which is not beside it; copy that file there "
        "too, or save the model as one file (torch.onnx.export(..., external_data=False))"
    )
    (tmp_path / "m.onnx.data").write_bytes((tmp_path / "m.onnx.data").read_bytes()[:-8])
    with pytest.raises(UserError, match=r"m\.onnx\.data does not hold all of its weights"):
        load_model(str(path), OPEN)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", ""])
def test_weights_are_read_in_the_model_s_folder_only(tmp_path: Path, location: str) -> None:
    path = with_weights_beside(tmp_path / "m.onnx", "m.onnx.data")
    (tmp_path.parent / "secret").write_bytes(bytes(864))
    model = onnx.load(str(path), load_external_data=False)
    weight = next(one for one in model.graph.initializer if one.name == "w")
    next(one for one in weight.external_data if one.key == "location").value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="outside its folder"):
        load_model(str(path), OPEN)


def test_an_input_of_bytes(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    path = tmp_path / "bytes.onnx"
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["embedding"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 9, 8, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    found = load_model(str(path), ModelOptions(flip="none"))
    given = faces(2)
    np.testing.assert_array_equal(found.embed(given), given.reshape(2, -1).astype(np.float32))
    assert "mean" not in found.guessed and "colour rgb" in found.remarks[0]
    assert found.preprocessing.mean == (0, 0, 0) and found.preprocessing.scale == (1, 1, 1)
    turned = load_model(str(path), ModelOptions(flip="none", colour="bgr")).embed(given)
    np.testing.assert_array_equal(turned, given[..., ::-1].reshape(2, -1).astype(np.float32))
    load_model(str(path), ModelOptions(**RAW))
    with pytest.raises(UserError, match=r"its input is of bytes .*; leave mean and scale out"):
        load_model(str(path), parse_options(normalise="imagenet"))


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "m.onnx", ["n", 3, 9, 8])
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"pip install 'facebench\[onnx\]'"):
        load_model(str(path))


def test_a_card_beside_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", ["n", 3, 9, 8])
    card = tmp_path / "m.toml"
    text = (
        'name = "nice"\ntitle = "t"\narchitecture = "onnx"\nweights = "m.onnx"\n'
        '[preprocessing]\nmean = [1, 1, 1]\nscale = [2, 2, 2]\nflip = "concat"\n'
    )
    card.write_text(text)
    for spec in (path, card):
        model = load_model(str(spec))
        assert model.id == "nice" and model.preprocessing.flip == "concat"
        assert model.preprocessing.mean == (1, 1, 1) and model.preprocessing.size == (9, 8)
        assert model.embed(faces(2)).shape == (2, 432)
    assert load_model(str(path), ModelOptions(flip="add")).preprocessing.flip == "add"
    card.write_text(text.replace("[pre", f'sha256 = "{"0" * 64}"\n[pre'))
    with pytest.raises(UserError, match="SHA-256"):
        load_model(str(path))
    card.write_text(text.replace("m.onnx", "other.onnx"))
    with pytest.raises(UserError, match=r"lies beside m\.onnx but its 'weights' names"):
        load_model(str(path))
    with pytest.raises(UserError, match="are not there"):
        load_model(str(card))


def test_nan(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", ["n", 3, 9, 8], kind=onnx.TensorProto.FLOAT16, outputs=("a", "b")
    )
    options = ModelOptions(output="b", mean=(-65000.0,) * 3, scale=(1.0,) * 3)
    with pytest.raises(UserError, match="model m gave infinite values for 2 of 2 faces"):
        load_model(str(path), options).embed(faces(2))


def test_the_teacher(shared_data: Path) -> None:
    path = shared_data / "teacher" / "mobilefacenet.onnx"
    options = parse_options(size="112x112", normalise="imagenet", flip="normalised-add")
    model = load_model(str(path), options)
    x = faces(6, (112, 112))
    out = model.embed(x)
    assert out.shape == (6, 128) and model.id == "mobilefacenet"
    norms = np.linalg.norm(out, axis=1)
    assert ((norms > 0) & (norms <= 2 + 1e-5)).all()  # the sum of two unit vectors
    alone = np.concatenate([model.embed(x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(out, alone, atol=1e-5)
    assert model.signature == (
        "weights:0c9ad2a83969fc82 rgb 112x112 mean=123.675,116.28,103.53 "
        "scale=58.395,57.12,57.375 flip=normalised-add float32"
    )


def test_a_failing_graph_is_told_by_its_cause_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime's own lines do not stand beside ours."""
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "s"], ["y"])],
        "g",
        [info("x", TensorProto.FLOAT, ["N", 3, 9, 8])],
        [info("y", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor("s", TensorProto.INT64, [2], [1, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    loaded = load_model(str(tmp_path / "m.onnx"))
    with pytest.raises(UserError, match=r"requested shape:\{1,4\}; check size=") as caught:
        loaded.embed(np.zeros((2, 9, 8, 3), np.uint8))
    assert "onnxruntime" not in str(caught.value).lower()
    assert capfd.readouterr().err == ""
