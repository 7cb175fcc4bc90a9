"""Parameters and multiply-adds of an ONNX file, from its graph (needs the package onnx)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
