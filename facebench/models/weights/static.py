"""ONNX graphs that compute in integers: ONNX Runtime's static quantiser (extra ``onnx``).

The graph gets QuantizeLinear and DequantizeLinear around what is multiplied (QDQ), which ONNX
Runtime computes in 8 bits: weights int8, symmetric, a scale for each output channel; activations
uint8 with a zero point, a scale for each tensor, from the ranges that calibration faces show
(Krishnamoorthi 2018, Sections 2 and 3.1).
"""

from __future__ import annotations

import importlib.util
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.storage import temporary_folder
from facebench.models.embedders.base import shortened

Method = Literal["minmax", "entropy", "percentile"]
METHODS: tuple[Method, ...] = get_args(Method)
_OF_RUNTIME = MappingProxyType(
    {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
)
_PER_CHANNEL = 13  # the first operator set in which DequantizeLinear takes a scale for each channel
_NEWER = 17
_INTEGERS = ("QuantizeLinear", "DequantizeLinear", "QLinear", "Integer", "DynamicQuantize")


def require_quantiser(model: str) -> None:
    """UserError where the packages of the extra ``onnx`` are absent."""
    for package in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"model {model}: static int8 needs ONNX Runtime's quantiser (no {package} here): "
                "pip install 'facebench[onnx]'"
            )


def static_bytes(
    model: str,
    data: bytes,
    name: str,
    batches: Sequence[NDArray[Any]],
    method: Method = "minmax",
    reduce_range: bool = False,
    step: Callable[[], None] | None = None,
) -> bytes:
    """An ONNX file's graph quantised by the ranges that batches of its input ``name`` show.

    model: for errors. method: the range is the least and greatest value, or one that cuts tails off
    by entropy or at the 99.999th percentile of magnitudes. reduce_range: weights in 7 bits, whose
    products of two cannot leave 16 bits (processors without VNNI add them up there). step: called
    before each batch. UserError: the graph is quantised already, or ONNX Runtime refuses it.
    """
    import onnx

    try:
        graph = onnx.load_from_string(data)
        if any(kind in node.op_type for node in graph.graph.node for kind in _INTEGERS):
            raise UserError(f"model {model}: its graph has integer arithmetic already")
        with _silence():
            found = _quantised(onnx, graph, _Batches(name, batches, step), method, reduce_range)
    except UserError:
        raise
    except Exception as error:  # whatever an exotic graph does to the quantiser
        why = shortened(f"{type(error).__name__}: {error}")
        raise UserError(f"model {model}: ONNX Runtime cannot quantise it: {why}") from error
    if not any(node.op_type == "DequantizeLinear" for node in found.graph.node):
        raise UserError(f"model {model}: there is nothing in its graph that is quantised")
    return bytes(found.SerializeToString())


def _quantised(onnx: Any, model: Any, batches: _Batches, method: Method, reduce_range: bool) -> Any:
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    operators = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if operators < _PER_CHANNEL:
        model = onnx.version_converter.convert_version(model, _NEWER)
    with temporary_folder() as folder:
        plain, ready, made = (str(folder / f"{n}.onnx") for n in ("plain", "ready", "made"))
        onnx.save(model, plain)
        # Folds constants and batch normalisation, whose scales would be quantised apart.
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            made,
            batches,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[_OF_RUNTIME[method]],
            extra_options={
                "CalibStridedMinMax": 1,  # a batch at a time: all at once fill the memory
                "TensorQuantOverrides": _of_all_channels(onnx.load(ready), QuantType.QInt8),
            },
        )
        return _with_float_outputs(onnx, onnx.load(Path(made)), onnx.load(ready).graph)


def _with_float_outputs(onnx: Any, model: Any, plain: Any) -> Any:
    """The graph, in place, without rounding of what it gives: that would cut embeddings off at the
    greatest number that a calibration face has, and saves nothing. plain: the float32 graph.
    """
    graph = model.graph
    last_of = {name: node.op_type for node in plain.node for name in node.output}
    made_by = {name: node for node in graph.node for name in node.output}
    for output in graph.output:
        back = made_by[output.name]
        rounded = made_by.get(back.input[0]) if back.op_type == "DequantizeLinear" else None
        source = None if rounded is None else made_by.get(rounded.input[0])
        if rounded is None or source is None or rounded.op_type != "QuantizeLinear":
            continue
        users = [node for node in graph.node if set(node.input) & {*source.output, *rounded.output}]
        # The quantiser leaves out what rounding to the range that was seen does as well.
        left_out = last_of[output.name] if last_of[output.name] != source.op_type else ""
        if len(users) > 2 or len(source.output) > 1 or left_out not in ("", "Relu"):
            continue
        graph.node.remove(back)
        graph.node.remove(rounded)
        if left_out:
            last = onnx.helper.make_node("Relu", list(source.output), [output.name])
            graph.node.append(last)
        else:
            source.output[0] = output.name
    used = {name for node in graph.node for name in node.input}
    for one in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(one)
    return model


def _of_all_channels(model: Any, kind: Any) -> dict[str, list[dict[str, Any]]]:
    """Weights of products of several matrices, for which ONNX Runtime runs but one scale."""
    stacks = {one.name for one in model.graph.initializer if len(one.dims) > 2}
    products = (node for node in model.graph.node if node.op_type == "MatMul")
    names = {name for node in products for name in node.input if name in stacks}
    return {name: [{"quant_type": kind, "symmetric": True}] for name in sorted(names)}


class _Batches:
    """Batches as ONNX Runtime's calibrators read them (its CalibrationDataReader)."""

    def __init__(
        self, name: str, batches: Sequence[NDArray[Any]], step: Callable[[], None] | None
    ) -> None:
        self._name, self._batches, self._step = name, batches, step
        self.set_range(0, len(batches))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """The batches that come next."""
        self._next = iter(range(start_index, end_index))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The input of a batch, or None: there are no more."""
        row = next(self._next, None)
        if row is not None and self._step is not None:
            self._step()
        return None if row is None else {self._name: np.asarray(self._batches[row])}


@contextmanager
def _silence() -> Iterator[None]:
    """The quantiser prints, and gives its advice through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
