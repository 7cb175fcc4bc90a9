"""What modules hold, whatever tool has been at them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from facebench.base.errors import UserError
from facebench.costs.facts import model_facts
from facebench.models.counting.graph import graph_counts
from facebench.models.counting.state import kept_in, parameters_of, plain_state, uncounted_in
from facebench.models.embedders.options import ModelOptions
from facebench.models.sparsity.masks import apply_masks
from facebench.models.weights.brought import brought_bytes
from tests.helpers.brought import KEPT, PARAMETERS, SIZE, dense, masked, removed, save_torchscript

NAMES = ["0.bias", "0.weight", "3.bias", "3.weight"]


def counted(net: nn.Module) -> tuple[int, int]:
    values = parameters_of(net).values()
    return sum(value.numel() for value in values), kept_in(values)


def test_masks_as_parametrizations_are_applied() -> None:
    net = dense()
    mask = torch.ones(8, 16, dtype=torch.bool)
    mask[:, ::2] = False
    apply_masks(net, {"3": mask})
    assert counted(net) == (PARAMETERS, KEPT)
    assert sorted(plain_state(net)) == sorted(plain_state(masked())) == NAMES
    assert torch.equal(plain_state(net)["3.weight"], plain_state(masked())["3.weight"])


def test_weights_that_are_made_of_two_tensors_are_counted_as_they_are_stored() -> None:
    net = dense()
    parametrizations.weight_norm(net[3])
    assert counted(net)[0] == PARAMETERS + 8  # a magnitude of each row
    assert "3.parametrizations.weight.original0" in plain_state(net)
    net = dense()
    parametrizations.spectral_norm(net[3])
    assert counted(net) == (PARAMETERS, PARAMETERS)


def test_one_memory_under_two_parameters_counts_once() -> None:
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    net[1].weight = nn.Parameter(net[0].weight.data)  # two parameters of one memory
    assert counted(net)[0] == 16
    assert len(brought_bytes(plain_state(net))) < len(
        brought_bytes({"0.weight": torch.ones(4, 4), "1.weight": torch.ones(4, 4)})
    ) + len('{"1.weight": "0.weight"}')


def test_a_zero_counts_where_all_that_share_the_weight_have_it() -> None:
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    net[1].weight = net[0].weight
    mask = torch.ones(4, 4)
    mask[0] = 0
    prune.custom_from_mask(net[0], "weight", mask)  # type: ignore[no-untyped-call]
    assert counted(net) == (16, 16)  # the second layer has it whole
    prune.custom_from_mask(net[1], "weight", mask)  # type: ignore[no-untyped-call]
    assert counted(net) == (16, 12)


def test_what_torch_hides_is_said(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        eager = torch.ao.quantization.quantize_dynamic(dense(), {nn.Linear})
        save_torchscript(eager, tmp_path / "quantised.pt")
        traced = torch.jit.trace(dense().eval(), torch.zeros(1, 3, *SIZE))
        torch.jit.save(torch.jit.freeze(traced), str(tmp_path / "frozen.pt"))
        script = torch.jit.load(str(tmp_path / "quantised.pt"))
    assert "quantised layers" in (uncounted_in(eager) or "")
    assert "quantised layers" in (uncounted_in(script) or "")
    assert uncounted_in(dense()) is uncounted_in(masked()) is None
    sizes = model_facts(str(tmp_path / "frozen.pt"), ModelOptions(size=SIZE)).sizes
    assert sizes.parameters is sizes.packed_bytes is None and sizes.multiply_adds
    assert sizes.remarks == (
        "model frozen: its parameters are not counted: a frozen TorchScript program has constants "
        "in place of parameters",
    )


def test_zeros_are_left_out_where_that_is_smaller() -> None:
    whole, half = brought_bytes(dense().state_dict()), brought_bytes(plain_state(removed()))
    assert len(half) < len(whole)
    assert half == brought_bytes(plain_state(masked()))
    few = dense()
    few[3].weight.data[0, 0] = 0  # type: ignore[operator,index]
    assert len(brought_bytes(plain_state(few))) == len(whole)
    with pytest.raises(UserError, match=r"3\.weight holds NaN"):
        few[3].weight.data[0, 0] = float("nan")  # type: ignore[operator,index]
        brought_bytes(plain_state(few))


def test_running_statistics_and_constants_of_a_graph_are_no_parameters(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    held = {"w": [4, 3, 1, 1], "g": [4], "b": [4], "m": [4], "v": [4], "low": [], "scale": [4]}
    tensors = [
        helper.make_tensor(name, kind, dims, [1.0] * max(1, torch.Size(dims).numel()))
        for name, dims in held.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
        helper.make_node("Clip", ["n", "low"], ["k"]),
        helper.make_node("Resize", ["k", "", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, None)],
        tensors,
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        str(tmp_path / "g.onnx"),
    )
    found = graph_counts(tmp_path / "g.onnx", (8, 8))
    assert sorted(found.weights or ()) == ["b", "g", "w"]
    assert found.multiply_adds == 12 * 64
