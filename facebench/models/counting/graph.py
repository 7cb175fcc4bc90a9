"""What an ONNX graph holds and multiplies, quantised ones too; needs the package ``onnx``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Where a node has a weight, its zero point and what else it holds that is no parameter (scales,
# zero points, running statistics, constants), by the number of the input.
_QUANTISED = MappingProxyType(
    {
        "DequantizeLinear": (0, 2),
        "ConvInteger": (1, 3),
        "MatMulInteger": (1, 3),
        "QLinearConv": (3, 5),
        "QLinearMatMul": (3, 5),
        "QGemm": (3, 5),
        "MatMulIntegerToFloat": (1, 5),
        "DynamicQuantizeMatMul": (1, 3),
    }
)
_BIASES = MappingProxyType(
    {"QLinearConv": 8, "QGemm": 6, "MatMulIntegerToFloat": 6, "DynamicQuantizeMatMul": 4}
)
# Sides of quantised arithmetic, each followed by its scale and its zero point.
_SIDES = MappingProxyType({"QLinearAdd": (0, 3), "QLinearMul": (0, 3)})
_NO_PARAMETERS = MappingProxyType(
    {
        "BatchNormalization": (3, 4),
        "Clip": (1, 2),
        "DequantizeLinear": (1,),
        "DynamicQuantizeMatMul": (2,),
        "MatMulIntegerToFloat": (2, 3),
        "Pad": (2,),
        "Pow": (1,),
        "QGemm": (1, 4, 7),
        "QLinearAdd": (1, 4, 6),
        "QLinearConv": (1, 4, 6),
        "QLinearMatMul": (1, 4, 6),
        "QLinearMul": (1, 4, 6),
        "QuantizeLinear": (1,),
        "Resize": (1, 2, 3),
        "Upsample": (1,),
    }
)
_FLOATS = (1, 10, 11, 16)  # TensorProto: float, float16, double, bfloat16
# Products, and the two inputs that are multiplied.
_CONVOLUTIONS = MappingProxyType({"Conv": 1, "ConvInteger": 1, "QLinearConv": 3})
_MATRICES = MappingProxyType(
    {
        "Gemm": (0, 1),
        "MatMul": (0, 1),
        "MatMulInteger": (0, 1),
        "MatMulIntegerToFloat": (0, 1),
        "DynamicQuantizeMatMul": (0, 1),
        "QLinearMatMul": (0, 3),
        "QGemm": (0, 3),
    }
)
# What else may multiply weights: where a graph has one of these, or another whose name has one of
# the words, nothing is claimed.
_UNCOUNTED = ("Einsum", "GRU", "If", "LSTM", "Loop", "RNN", "Scan")
_WORDS = ("Attention", "Conv", "Gemm", "MatMul")
_BLOCKED = "com.microsoft.nchwc"  # ONNX Runtime's own layout, in which weights are filled up
_PASSING = ("DequantizeLinear", "QuantizeLinear", "Transpose", "Reshape", "Identity", "Cast",
            "Flatten", "Squeeze", "Unsqueeze")  # fmt: skip


@dataclass(frozen=True)
class GraphCounts:
    """weights: the parameters by name, float32, of quantised ones what they stand for, in some
    operators but for the scale; None: not known. multiply_adds: of one face; kept: without zeros.
    """

    weights: dict[str, NDArray[np.float32]] | None = None
    multiply_adds: int | None = None
    kept_multiply_adds: int | None = None
    remark: str = ""


def graph_counts(path: Path, size: tuple[int, int]) -> GraphCounts:
    """What an ONNX file holds and multiplies, for one face of height × width.

    Nothing without the package ``onnx``, or where it cannot read the file; no multiply-adds where a
    layer's shape follows neither from the graph nor from running it, or where nodes multiply that
    are not known.
    """
    try:
        import onnx
    except ImportError:
        return GraphCounts(remark="counting an ONNX file needs the package onnx")
    try:
        model = onnx.load(str(path))
        if model.functions:
            import onnx.inliner

            model = onnx.inliner.inline_local_functions(model)
        graph = _Graph(onnx, model)
        if any(one.sparse_initializer for one in graph.graphs):
            return GraphCounts(remark="its ONNX graph has sparse initializers, which nobody counts")
        weights = graph.weights()
        shapes = _shapes(onnx, model, set(graph.constants), size)
        total, kept = _multiply_adds(graph, shapes)
        if total is None and not graph.strange():
            total, kept = _multiply_adds(graph, shapes | _run_shapes(onnx, model, graph, size))
    except Exception:  # whatever a damaged or exotic file does to the packages
        return GraphCounts(remark="its ONNX graph cannot be read by the package onnx")
    remark = ""
    if total is None and (odd := graph.strange()):
        remark = f"its multiply-adds are not counted: nothing here counts {', '.join(odd)}"
    return GraphCounts(weights or None, total, kept, remark)


class _Graph:
    """A graph's nodes, those of its branches too, and its constants, as arrays when asked for."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self._array = onnx.numpy_helper.to_array
        self.graphs = [*_graphs(model.graph)]
        self.nodes = [node for graph in self.graphs for node in graph.node]
        self.constants = {one.name: one for graph in self.graphs for one in graph.initializer}
        self.constants |= {
            node.output[0]: node.attribute[0].t
            for node in self.nodes
            if node.op_type == "Constant" and node.attribute[0].name == "value"
        }
        self.made_by = {name: node for node in self.nodes for name in node.output}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the constants."""
        return {name: tuple(one.dims) for name, one in self.constants.items()}

    def strange(self) -> list[str]:
        """Kinds of node that may multiply, and are not counted."""
        return sorted({node.op_type for node in self.nodes if _is_strange(node)})

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The parameters, each once, whatever uses it."""
        found: dict[str, NDArray[np.float32]] = {}
        others = set(self._no_parameters())
        for node in self.nodes:
            if node.op_type in _QUANTISED:
                at, zero = _QUANTISED[node.op_type]
                name, bias = _input(node, at), _input(node, _BIASES.get(node.op_type, -1))
                if name in self.constants:
                    found[name] = self._from(node, name, _input(node, zero))
                if bias in self.constants:
                    found[bias] = self._bias(node, bias)
            for at in _SIDES.get(node.op_type, ()):
                if (name := _input(node, at)) in self.constants:
                    found[name] = self._from(node, name, _input(node, at + 2))
        for name, one in self.constants.items():
            if name not in others and name not in found and one.data_type in _FLOATS and one.dims:
                found[name] = self._array(one).astype(np.float32)
        return found

    def weight_of(self, name: str) -> NDArray[np.float32] | None:
        """The constant that a value is made of by nodes that keep its zeros; None: it is none."""
        for _ in range(len(_PASSING)):
            node = self.made_by.get(name)
            if name in self.constants:
                return np.asarray(self._array(self.constants[name]), np.float32)
            if node is None or node.op_type not in _PASSING:
                return None
            source = _input(node, 0)
            if node.op_type == "DequantizeLinear" and source in self.constants:
                return self._from(node, source, _input(node, 2))
            name = source
        return None

    def operand(self, node: Any, at: int) -> NDArray[np.float32] | None:
        """The weight that a product has as an input; None: that follows from the face."""
        name = _input(node, at)
        if node.op_type in _QUANTISED and name in self.constants:
            return self._from(node, name, _input(node, _QUANTISED[node.op_type][1]))
        return self.weight_of(name)

    def _bias(self, node: Any, name: str) -> NDArray[np.float32]:
        """A bias; one of 32-bit integers has the scale of the input times that of each channel."""
        values = np.asarray(self._array(self.constants[name]), np.float32)
        if node.op_type not in ("QLinearConv", "QGemm"):
            return values
        scales = [_input(node, at) for at in (1, 4)]
        if any(scale not in self.constants for scale in scales):
            return values
        one, other = (self._array(self.constants[scale]).astype(np.float32) for scale in scales)
        return np.asarray(values * one.reshape(()) * other.ravel())

    def _from(self, node: Any, name: str, zero: str) -> NDArray[np.float32]:
        """Quantised values as distances from their zero point, of all or of each channel; in QDQ
        what they stand for: biases of 32 bits are beyond float16 without their scale.
        """
        values = np.asarray(self._array(self.constants[name]), np.float32)
        if zero in self.constants:
            values = values - self._spread(node, values, zero)
        scale = _input(node, 1)
        if node.op_type == "DequantizeLinear" and scale in self.constants:
            values = values * self._spread(node, values, scale)
        return np.asarray(values)

    def _spread(self, node: Any, values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """Zero points or scales in a shape that goes with the values."""
        points = np.asarray(self._array(self.constants[name]), np.float32)
        if points.size == 1:
            return points.reshape(())
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if points.ndim == values.ndim:  # of each block of a channel
            block = -(-values.shape[axis] // points.shape[axis])
            spread = np.repeat(points, block, axis=axis)
            return np.asarray(np.take(spread, range(values.shape[axis]), axis=axis))
        turned = any(a.name == "transB" and a.i for a in node.attribute)
        if node.op_type in ("QLinearConv", "ConvInteger") or turned:
            axis = 0
        elif node.op_type != "DequantizeLinear":
            axis = values.ndim - 1
        shape = [1] * values.ndim
        shape[axis] = points.size
        return points.reshape(shape)

    def _no_parameters(self) -> Iterator[str]:
        for node in self.nodes:
            yield from (_input(node, at) for at in _NO_PARAMETERS.get(node.op_type, ()))
            sides = [self.made_by.get(name) for name in node.input]
            if node.op_type == "Mul" and any(
                side is not None and side.op_type == "DynamicQuantizeLinear" for side in sides
            ):
                yield from node.input  # the scales of weights and of the face


def _is_strange(node: Any) -> bool:
    if node.op_type in _UNCOUNTED or node.domain == _BLOCKED:
        return True
    known = node.op_type in _CONVOLUTIONS or node.op_type in _MATRICES
    return not known and any(word in node.op_type for word in _WORDS)


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)


def _input(node: Any, at: int) -> str:
    return node.input[at] if 0 <= at < len(node.input) else ""


def _set_size(model: Any, weights: set[str], size: tuple[int, int]) -> list[Any]:
    """The inputs that take faces, which get a batch of one of a size."""
    found = []
    for given in model.graph.input:
        dims = given.type.tensor_type.shape.dim
        if given.name in weights or len(dims) != 4:
            continue
        last = dims[3].dim_value == 3 and dims[1].dim_value != 3
        wanted = (1, *size, 3) if last else (1, 3, *size)
        for dim, length in zip(dims, wanted, strict=True):
            dim.dim_value = length
        found.append(given)
    return found


def _shapes(
    onnx: Any, model: Any, weights: set[str], size: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """Shapes of the values between the nodes, at batch 1, where they can be inferred."""
    _set_size(model, weights, size)
    del model.graph.value_info[:]  # of another batch
    for made in model.graph.output:
        made.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # a node of another domain
        return {}
    found = {}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            found[value.name] = tuple(d.dim_value for d in dims)
    return found


def _run_shapes(
    onnx: Any, model: Any, graph: _Graph, size: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """Shapes of what the products take and give, from running one face: inference knows no nodes
    of other domains, such as ONNX Runtime's quantised ones. None: it cannot be run.
    """
    try:
        import onnxruntime

        return _shapes_of_run(onnx, onnxruntime, model, graph, size)
    except Exception:  # as above
        return {}


def _shapes_of_run(
    onnx: Any, onnxruntime: Any, model: Any, graph: _Graph, size: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    inputs = _set_size(model, set(graph.constants), size)
    wanted = {
        name
        for node in graph.nodes
        if node.op_type in _CONVOLUTIONS or node.op_type in _MATRICES
        for name in (*node.input, *node.output)
        if name in graph.made_by and name not in graph.constants
    }
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted))
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    faces = {}
    for given in inputs:
        kind = onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
        faces[given.name] = np.zeros(
            [dim.dim_value for dim in given.type.tensor_type.shape.dim], kind
        )
    names = [one.name for one in session.get_outputs()]
    made = session.run(names, faces)
    shapes = {name: tuple(value.shape) for name, value in zip(names, made, strict=True)}
    return shapes | {name: tuple(value.shape) for name, value in faces.items()}


def _multiply_adds(
    graph: _Graph, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int | None, int | None]:
    """All products, and those of weights that are not zero."""
    shapes = {**shapes, **graph.shapes()}
    if graph.strange():
        return None, None
    total = kept = 0
    for node in graph.nodes:
        if node.op_type in _CONVOLUTIONS:
            sides = (0, _CONVOLUTIONS[node.op_type])
        elif node.op_type in _MATRICES:
            sides = _MATRICES[node.op_type]
        else:
            continue
        made, first, second = (
            shapes.get(name) for name in (node.output[0], *(_input(node, at) for at in sides))
        )
        if made is None or first is None or second is None:
            return None, None
        if node.op_type in _CONVOLUTIONS:  # its weight is out × in/groups × kernel
            products = math.prod(second) * math.prod(made[2:])
        else:
            turned = any(a.name == "transA" and a.i for a in node.attribute)
            products = math.prod(made) * first[0 if turned else -1]
        weights = [one for at in sides if (one := graph.operand(node, at)) is not None]
        total += products
        if len(weights) == 1 and weights[0].size:
            products = products * int(np.count_nonzero(weights[0])) // weights[0].size
        kept += products
    return total or None, kept if total else None
