"""Multiply-adds counted by hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from facebench.base.errors import UserError
from facebench.costs.facts import model_facts
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.names import card_for
from facebench.models.counting.graph import GraphCounts, graph_counts
from facebench.models.counting.products import Products, network_multiply_adds, products_of
from facebench.models.embedders.base import Preprocessing
from facebench.models.embedders.options import ModelOptions
from facebench.models.export import PlainNetwork, plain_network, program_bytes
from facebench.models.zoo import load_network

SIZE = (80, 80)


def by_hand(net: ConvNet) -> int:
    """Output positions × channels out × weights per output, layer by layer of Table 1."""
    height, width = net.input_size
    total = 0
    for layer, module in (("1", "ab"), ("2", "ab"), ("3", "ab"), ("4", "ab")):
        for letter in module:
            total += height * width * net.layer(layer + letter).weight.numel()
        height, width = height // 2, width // 2
    return total + sum(net.layer(name).weight.numel() for name in ("5a", "5b", "f"))


def test_the_convnet_of_the_paper() -> None:
    net = ConvNet(0.125, SIZE).eval()
    assert network_multiply_adds(net, SIZE) == by_hand(net)
    with torch.device("meta"):
        full = ConvNet(1.0).eval()
        face = torch.zeros(1, 3, 112, 96)
    assert by_hand(full) == 1_310_490_624  # 1310.5 M
    assert products_of(full, face).total == by_hand(full)


def test_groups_strides_and_what_torch_does_not_compute() -> None:
    net = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), nn.ReLU(), nn.Flatten())
    assert network_multiply_adds(net, (8, 8)) == 4 * 4 * 6 * (1 * 9)
    assert network_multiply_adds(nn.Flatten(), (8, 8)) is None


def test_zeros_are_counted_once_per_position() -> None:
    net = ConvNet(0.125, SIZE).eval()
    faces, whole = torch.zeros(3, 3, *SIZE), by_hand(net)
    assert products_of(net, faces) == Products(whole, whole)
    for name in ("conv4b", "local5b", "f"):
        net.get_submodule(name).weight.data.view(-1)[:7] = 0  # type: ignore[union-attr,operator]
    assert products_of(net, faces) == Products(whole, whole - 7 * (10 * 10) - 7 - 7)


def test_products_of_two_values_that_follow_from_the_face_have_no_weights() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 16, 4, 4)
            self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            embedded: torch.Tensor = self.block(self.patches(x).flatten(2).transpose(1, 2))
            return embedded.mean(1)

    found = products_of(Attending().eval(), torch.zeros(1, 3, 8, 8))
    tokens = 4
    layers = tokens * (16 * 48 + 16 * 48 + 16 * 16 + 2 * 16 * 32)
    assert found.total == found.kept == layers + 2 * tokens * tokens * 16


def test_weights_that_torch_does_not_show_are_not_claimed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torch.ao.quantization.quantize_dynamic(
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 8)), {nn.Linear}
        )
    assert products_of(net, torch.zeros(1, 3, 8, 8)) == Products(None, None)


def test_facts_of_dense_and_sparse_networks(zoo: Path) -> None:
    dense, sparse = model_facts("dense"), model_facts("sparse")
    net = ConvNet(0.125, SIZE)
    parameters = sum(p.numel() for p in net.parameters())
    dropped = net.f.weight.numel() - -(-net.f.weight.numel() // 4)
    assert (dense.sizes.parameters, dense.sizes.kept) == (parameters, parameters)
    assert (sparse.sizes.parameters, sparse.sizes.kept) == (parameters, parameters - dropped)
    assert dense.sizes.multiply_adds == dense.sizes.kept_multiply_adds == by_hand(net)
    assert sparse.sizes.kept_multiply_adds == by_hand(net) - dropped
    assert (dense.passes, sparse.passes, dense.input) == (1, 2, SIZE)
    file = zoo / "models" / "weights" / "sparse.safetensors"
    assert sparse.sizes.bytes == file.stat().st_size < (dense.sizes.bytes or 0)


def test_a_card_without_weights_is_the_usual_line(zoo: Path) -> None:
    with pytest.raises(UserError, match="'bare' has no trained weights yet") as caught:
        model_facts("bare")
    assert "\n" not in str(caught.value)


def counted_in(counts: GraphCounts) -> tuple[int | None, int | None]:
    """Parameters and multiply-adds."""
    weights = counts.weights
    total = None if weights is None else sum(value.size for value in weights.values())
    return total, counts.multiply_adds


def test_an_onnx_file_is_counted_from_its_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    net = ConvNet(0.125, SIZE).eval()
    for parameter in net.parameters():  # equal ones, such as biases of zero, are stored once
        nn.init.normal_(parameter)
    path = tmp_path / "net.onnx"
    plain = PlainNetwork(card_for("baseline"), net, Preprocessing(SIZE))
    path.write_bytes(program_bytes(plain, "onnx"))
    counts = graph_counts(path, SIZE)
    assert counted_in(counts) == (sum(p.numel() for p in net.parameters()), by_hand(net))
    facts = model_facts(str(path), ModelOptions(size=SIZE))
    assert facts.sizes.multiply_adds == by_hand(net) and facts.sizes.bytes == path.stat().st_size


def test_an_ensemble_with_an_onnx_member_counts_all_of_its_members(zoo: Path) -> None:
    pytest.importorskip("onnx")
    (zoo / "models" / "program.onnx").write_bytes(program_bytes(plain_network("dense"), "onnx"))
    shape = 'size = [80, 80]\ncolour = "rgb"\n'
    (zoo / "models" / "program.toml").write_text(
        'name = "program"\ntitle = "dense"\narchitecture = "onnx"\nweights = "program.onnx"\n'
        f"[preprocessing]\n{shape}mean = [127.5, 127.5, 127.5]\nscale = [128.0, 128.0, 128.0]\n"
    )
    (zoo / "models" / "both.toml").write_text(
        'name = "both"\ntitle = "both"\narchitecture = "ensemble"\n'
        'members = [{ model = "dense", region = "face" }, { model = "program", region = "face" }]\n'
        f"[regions.face]\nbox = [0.0, 0.0, 96.0, 112.0]\ncanvas = [112, 112]\n{shape}"
    )
    one, both = model_facts("dense").sizes, model_facts("both").sizes
    assert one.parameters and one.multiply_adds
    assert (both.parameters, both.kept) == (2 * one.parameters, 2 * one.parameters)
    assert both.multiply_adds == both.kept_multiply_adds == 2 * one.multiply_adds
    # A program's own are not known, so the ensemble's are not: a part would pass for the whole.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(load_network("dense").eval(), torch.zeros(1, 3, 80, 80))
        torch.jit.save(traced, str(zoo / "models" / "traced.pt"))
    text = (zoo / "models" / "program.toml").read_text()
    text = text.replace('"onnx"', '"torchscript"').replace("program.onnx", "traced.pt")
    (zoo / "models" / "traced.toml").write_text(text.replace('"program"', '"traced"'))
    text = (zoo / "models" / "both.toml").read_text().replace('"dense"', '"traced"')
    (zoo / "models" / "both.toml").write_text(text)
    assert model_facts("traced").sizes.multiply_adds == one.multiply_adds
    assert model_facts("both").sizes.multiply_adds is None


def test_a_graph_with_more_than_it_can_tell_claims_nothing(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = helper.make_tensor("w", kind, [192, 5], [0.0] * 960)

    def counted(*nodes: object, side: object = 8) -> tuple[int | None, int | None]:
        graph = helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", kind, ["n", 3, side, 8])],
            [helper.make_tensor_value_info("y", kind, None)],
            [weight],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, str(tmp_path / "m.onnx"))
        return counted_in(graph_counts(tmp_path / "m.onnx", (8, 8)))

    flat = helper.make_node("Flatten", ["x"], ["flat"], axis=1)
    product = helper.make_node("MatMul", ["flat", "w"], ["y"])
    assert counted(flat, product) == counted(flat, product, side="h") == (960, 960)
    gemm = helper.make_node("Gemm", ["w", "w"], ["y"], transA=1)
    assert counted(gemm) == (960, 192 * 5 * 5)
    odd = helper.make_node("Einsum", ["flat", "w"], ["y"], equation="ij,jk->ik")
    assert counted(flat, odd) == (960, None)
    unknown = helper.make_node("Foreign", ["flat"], ["z"], domain="elsewhere")
    assert counted(flat, unknown, helper.make_node("MatMul", ["z", "w"], ["y"])) == (960, None)
    fused = helper.make_node("FusedGemm", ["flat", "w"], ["y"], domain="com.microsoft")
    assert counted(flat, product, fused) == (960, None)
    blocked = helper.make_node("Conv", ["x", "w"], ["z"], domain="com.microsoft.nchwc")
    assert counted(flat, product, blocked) == (960, None)
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    damaged = graph_counts(tmp_path / "m.onnx", (8, 8))
    assert damaged == GraphCounts(remark="its ONNX graph cannot be read by the package onnx")


def test_functions_of_a_graph_are_looked_into(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    conv = helper.make_node("Conv", ["a", "b"], ["c"])
    block = helper.make_function("my", "block", ["a", "b"], ["c"], [conv], versions[:1])
    graph = helper.make_graph(
        [
            helper.make_node("block", ["x", "w"], ["z"], domain="my"),
            helper.make_node("GlobalAveragePool", ["z"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("MatMul", ["flat", "v"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", kind, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, None)],
        [
            helper.make_tensor("w", kind, [4, 3, 1, 1], [1.0] * 12),
            helper.make_tensor("v", kind, [4, 5], [1.0] * 20),
        ],
    )
    model = helper.make_model(graph, functions=[block], opset_imports=versions, ir_version=9)
    onnx.save(model, str(tmp_path / "m.onnx"))
    assert counted_in(graph_counts(tmp_path / "m.onnx", (8, 8))) == (32, 12 * 64 + 20)
    sparse = model.graph.sparse_initializer.add()
    sparse.values.name, sparse.dims[:] = "s", [4, 5]
    onnx.save(model, str(tmp_path / "m.onnx"))
    found = graph_counts(tmp_path / "m.onnx", (8, 8))
    assert found.weights is None and "sparse initializers" in found.remark


def test_quantised_layers_of_each_output_and_biases_of_their_own(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    codes = [7, 7, 7, 9, 9, 9, 1, 2, 3, 4, 5, 6]  # of 2 outputs, whose zeros are 7 and 9
    shared = {"s": (kinds.FLOAT, [], [0.1]), "z": (kinds.UINT8, [], [3])}
    held = shared | {
        "w": (kinds.UINT8, [2, 6], codes),
        "ws": (kinds.FLOAT, [2], [0.1, 0.2]),
        "wz": (kinds.UINT8, [2], [7, 9]),
        "b": (kinds.INT32, [2], [1, 2]),
        "e": (kinds.UINT8, [1, 2], [3, 8]),
    }
    gemm = ["q", "s", "z", "w", "ws", "wz", "b", "s", "z"]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("QuantizeLinear", ["flat", "s", "z"], ["q"]),
            helper.make_node("QGemm", gemm, ["g"], domain="com.microsoft", transB=1),
            helper.make_node(
                "QLinearAdd", ["g", "s", "z", "e", "s", "z", "s", "z"], ["a"],
                domain="com.microsoft",
            ),
            helper.make_node("DequantizeLinear", ["a", "s", "z"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", kinds.FLOAT, [1, 3, 1, 2])],
        [helper.make_tensor_value_info("y", kinds.FLOAT, None)],
        [helper.make_tensor(name, *one) for name, one in held.items()],
    )  # fmt: skip
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=9)
    onnx.save(model, str(tmp_path / "m.onnx"))
    pytest.importorskip("onnxruntime")
    found = graph_counts(tmp_path / "m.onnx", (1, 2))
    weights = found.weights or {}
    assert sorted(weights) == ["b", "e", "w"]
    assert weights["w"].tolist() == [[0, 0, 0, 2, 2, 2], [-8, -7, -6, -5, -4, -3]]
    assert weights["e"].tolist() == [[0, 5]]
    assert (found.multiply_adds, found.kept_multiply_adds) == (12, 9)
