"""ONNX graphs that compute in integers: what the quantiser writes, against arithmetic by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.models.counting.graph import graph_counts
from facebench.models.weights import static
from facebench.models.weights.static import METHODS, static_bytes
from tests.helpers.static import (
    FOLDED,
    PRODUCTS,
    SEVEN_BITS,
    SIZE,
    noise,
    save_onnx,
    small,
    stacks,
)

onnx: Any = pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("graph") / "small.onnx"
    save_onnx(small(), path)
    return path.read_bytes()


def batches(count: int = 12) -> list[NDArray[np.float32]]:
    return [noise(4, seed) for seed in range(count // 4)]


def run(data: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"faces": inputs})[0], np.float64)


def constants(data: bytes) -> dict[str, NDArray[Any]]:
    model = onnx.load_from_string(data)
    return {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}


def weights_of(data: bytes) -> list[tuple[NDArray[np.int8], NDArray[np.float32], int]]:
    """Integers, scales and axis of the weights of two axes and more."""
    values, model = constants(data), onnx.load_from_string(data)
    found = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            whole = values[node.input[0]]
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            if whole.ndim > 1:
                found.append((whole, values[node.input[1]], axis % whole.ndim))
                assert not values[node.input[2]].any()  # symmetric
    return found


@pytest.mark.parametrize("method", METHODS)
def test_embeddings_are_near_those_of_the_float_graph(graph: bytes, method: static.Method) -> None:
    made = static_bytes("small", graph, "faces", batches(), method, SEVEN_BITS)
    want, got = run(graph, noise(8)), run(made, noise(8))
    assert 0 < np.abs(want - got).max() < 0.05 * np.abs(want).max()
    assert len(made) < len(graph)


def test_weights_have_a_scale_for_each_channel_and_move_by_half_a_step(graph: bytes) -> None:
    net = small().eval()
    found = weights_of(static_bytes("small", graph, "faces", batches()))
    gain = (net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()).detach().numpy()
    folded = net.first.weight.detach().numpy() * gain.reshape(-1, 1, 1, 1)
    wanted = {4: folded, 5: net.last.weight.detach().numpy()}
    assert [whole.dtype for whole, _, _ in found] == [np.int8, np.int8]
    for whole, scales, axis in found:
        exact = wanted[len(scales)]
        shape = [1] * whole.ndim
        shape[axis] = len(scales)
        read = whole * scales.reshape(shape).astype(np.float64)
        read = read if read.shape == exact.shape else read.T
        axis = 0
        largest = np.abs(exact).reshape(len(scales), -1).max(1)
        np.testing.assert_allclose(scales, largest / 127, rtol=1e-5)
        moved = np.abs(read - exact).reshape(len(scales), -1).max(1)
        assert (moved <= scales / 2 * 1.001).all()


def test_activations_are_uint8_in_the_ranges_that_were_seen(graph: bytes) -> None:
    seen = batches()
    made = static_bytes("small", graph, "faces", seen)
    values, model = constants(made), onnx.load_from_string(made)
    first = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")
    assert first.input[0] == "faces"
    scale, zero = values[first.input[1]], values[first.input[2]]
    low, high = min(map(np.min, seen)), max(map(np.max, seen))
    assert zero.dtype == np.uint8
    assert scale == pytest.approx((high - low) / 255, rel=1e-5)
    assert int(zero) == round(-low / float(scale))


def test_a_reduced_range_leaves_16_bits_room_for_two_products(graph: bytes) -> None:
    whole = [np.abs(q.astype(int)).max() for q, _, _ in weights_of(
        static_bytes("small", graph, "faces", batches())
    )]  # fmt: skip
    less = [np.abs(q.astype(int)).max() for q, _, _ in weights_of(
        static_bytes("small", graph, "faces", batches(), reduce_range=True)
    )]  # fmt: skip
    assert min(whole) >= 127
    assert max(less) <= 64 and 2 * 255 * max(less) <= 32767 < 2 * 255 * max(whole)


def test_it_is_counted_as_what_it_was_made_of(graph: bytes, tmp_path: Path) -> None:
    path = tmp_path / "made.onnx"
    path.write_bytes(static_bytes("small", graph, "faces", batches()))
    counts = graph_counts(path, SIZE)
    assert counts.weights is not None
    assert sum(value.size for value in counts.weights.values()) == FOLDED
    assert counts.multiply_adds == PRODUCTS
    zeros = sum(int((whole == 0).sum()) for whole, _, _ in weights_of(path.read_bytes()))
    kept = sum(int(np.count_nonzero(w)) for w in counts.weights.values() if w.ndim > 1)
    assert kept == FOLDED - 9 - zeros


class Ending(torch.nn.Module):
    """The small network with something at its end."""

    def __init__(self, last: torch.nn.Module) -> None:
        super().__init__()
        self.net, self.last = small(), last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.last(self.net(x))
        return made


@pytest.mark.parametrize(
    ("last", "limit"),
    [(torch.nn.Identity(), None), (torch.nn.ReLU(), None), (torch.nn.Hardtanh(-0.1, 0.2), 0.2)],
)
def test_embeddings_are_not_cut_off_at_what_calibration_faces_have(
    last: torch.nn.Module, limit: float | None, tmp_path: Path
) -> None:
    save_onnx(Ending(last), tmp_path / "net.onnx")
    data = (tmp_path / "net.onnx").read_bytes()
    made = static_bytes("net", data, "faces", batches(), reduce_range=SEVEN_BITS)
    seen = np.concatenate([run(data, one) for one in batches()]).max()
    inputs = noise(64, 77)
    want, got = run(data, inputs), run(made, inputs)
    assert got.min() == pytest.approx(want.min(), abs=0.05 * seen)
    assert want.max() > (seen if limit is None else 0)
    if limit is None:
        assert got.max() > seen * 1.02
    assert np.median(np.abs(want - got)) < 0.02 * seen


def test_products_of_several_matrices_have_one_scale_and_run(tmp_path: Path) -> None:
    save_onnx(stacks(), tmp_path / "stacks.onnx")
    data = (tmp_path / "stacks.onnx").read_bytes()
    made = static_bytes("stacks", data, "faces", batches(), reduce_range=SEVEN_BITS)
    want, got = run(data, noise(4, 9)), run(made, noise(4, 9))
    assert np.abs(want - got).max() < 0.05 * np.abs(want).max()
    values = constants(made)
    assert [v.shape for v in values.values() if v.dtype == np.int8 and v.ndim] == [(3, 256, 4)]


@pytest.mark.parametrize("operators", [9, 11, 13])
def test_older_operator_sets_are_renewed(operators: int, tmp_path: Path) -> None:
    save_onnx(small(), tmp_path / "old.onnx", operators)
    data = (tmp_path / "old.onnx").read_bytes()
    made = static_bytes("old", data, "faces", batches(), reduce_range=SEVEN_BITS)
    want, got = run(data, noise(4)), run(made, noise(4))
    assert np.abs(want - got).max() < 0.05 * np.abs(want).max()
    assert {len(scales) for _, scales, _ in weights_of(made)} == {4, 5}


def test_what_cannot_be_quantised_is_refused_in_one_line(graph: bytes, tmp_path: Path) -> None:
    made = static_bytes("small", graph, "faces", batches())
    with pytest.raises(UserError, match="model small: its graph has integer arithmetic already"):
        static_bytes("small", made, "faces", batches())
    plain = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Flatten", ["faces"], ["embeddings"])],
            "plain",
            [onnx.helper.make_tensor_value_info("faces", 1, ["batch", 3, *SIZE])],
            [onnx.helper.make_tensor_value_info("embeddings", 1, ["batch", 768])],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    with pytest.raises(UserError, match="nothing in its graph that is quantised"):
        static_bytes("plain", plain.SerializeToString(), "faces", batches())
    with pytest.raises(UserError, match="model cut: ONNX Runtime cannot quantise it: ") as error:
        static_bytes("cut", graph[:200], "faces", batches())
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="ONNX Runtime cannot quantise it"):
        static_bytes("small", graph, "no_such_input", batches())


def test_the_quantiser_is_silent(graph: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    static_bytes("small", graph, "faces", batches(), "entropy")
    assert capfd.readouterr() == ("", "")


def test_the_extra_is_named_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"no onnxruntime here.*pip install 'facebench\[onnx\]'"):
        static.require_quantiser("small")
