"""Multiply-adds of one pass of one face: counted from what a network computes, not estimated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d


def multiply_adds_of(run: Callable[[], Any]) -> int | None:
    """Multiply-adds of the matrix products and convolutions that torch carries out in ``run()``.

    Additions of biases, activations and poolings are not counted, as is usual. None: there are
    none, so that something else than torch computes.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    total = int(counter.get_total_flops()) // 2  # torch counts a multiply-add as two operations
    return total or None


def network_multiply_adds(net: nn.Module, size: tuple[int, int]) -> int | None:
    """Multiply-adds of a network for one face float32 1×3×height×width; zeros count, too."""
    face = torch.zeros(1, 3, *size)
    return multiply_adds_of(lambda: net(face))


def dropped_multiply_adds(
    net: nn.Module, size: tuple[int, int], masks: Mapping[str, Tensor]
) -> int:
    """Multiply-adds of one face with weights that masks drop.

    masks: module name → bool tensor in the shape of its weight, true: kept. A weight of a
    convolution is used once per output position, one of the other layers once.
    """
    uses: dict[str, int] = {}
    handles = [
        net.get_submodule(name).register_forward_hook(_note_uses(uses, name)) for name in masks
    ]
    try:
        with torch.no_grad():
            net(torch.zeros(1, 3, *size))
    finally:
        for handle in handles:
            handle.remove()
    return sum(uses[name] * int((~mask).sum()) for name, mask in masks.items())


def _note_uses(uses: dict[str, int], name: str) -> Any:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
        local = isinstance(module, (LocallyConnected2d, nn.Linear))
        uses[name] = 1 if local else output[0, 0].numel()

    return hook


_FLOATS = (1, 10, 11, 16)  # TensorProto: float, float16, double, bfloat16
_COUNTED = ("Conv", "Gemm", "MatMul")
# What else may multiply weights: where a graph has one of these, nothing is claimed.
_UNCOUNTED = (
    "Attention", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "FusedConv", "FusedMatMul",
    "GRU", "If", "LSTM", "Loop", "MatMulInteger", "QLinearConv", "QLinearMatMul", "RNN", "Scan",
)  # fmt: skip


@dataclass(frozen=True)
class OnnxCounts:
    """parameters: floating-point weights; multiply_adds: of one face; None: not known."""

    parameters: int | None
    multiply_adds: int | None


def onnx_counts(path: Path, size: tuple[int, int]) -> OnnxCounts:
    """What an ONNX file holds and multiplies, for one face of height × width.

    Both None without the package ``onnx``, or where it cannot read the file; multiply-adds None
    where a layer's shape does not follow from the graph.
    """
    try:
        import onnx
    except ImportError:
        return OnnxCounts(None, None)
    try:
        model = onnx.load(str(path), load_external_data=False)
        weights = {w.name: tuple(w.dims) for w in model.graph.initializer}
        kinds = {w.name: w.data_type for w in model.graph.initializer}
        parameters = sum(math.prod(d) for n, d in weights.items() if kinds[n] in _FLOATS)
        shapes = {**_shapes(onnx, model, set(weights), size), **weights}
        products = _multiply_adds(model.graph.node, shapes)
    except Exception:  # whatever a damaged or exotic file does to the package
        return OnnxCounts(None, None)
    return OnnxCounts(parameters or None, products)


def _shapes(
    onnx: Any, model: Any, weights: set[str], size: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """Shapes of the values between the nodes, at batch 1, where they can be inferred."""
    for given in model.graph.input:
        dims = given.type.tensor_type.shape.dim
        if given.name in weights or len(dims) != 4:
            continue
        last = dims[3].dim_value == 3 and dims[1].dim_value != 3
        wanted = (1, *size, 3) if last else (1, 3, *size)
        for dim, length in zip(dims, wanted, strict=True):
            dim.dim_value = length
    del model.graph.value_info[:]  # of another batch
    for made in model.graph.output:
        made.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            found[value.name] = tuple(d.dim_value for d in dims)
    return found


def _multiply_adds(nodes: Any, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    total = 0
    for node in nodes:
        if node.op_type in _UNCOUNTED:
            return None
        if node.op_type not in _COUNTED:
            continue
        made, first, second = (shapes.get(n) for n in (node.output[0], *node.input[:2]))
        if made is None or first is None or second is None:
            return None
        if node.op_type == "Conv":  # its weight is out × in/groups × kernel
            total += math.prod(second) * math.prod(made[2:])
        else:
            inner = first[-1]
            if node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute):
                inner = first[0]
            total += math.prod(made) * inner
    return total or None
