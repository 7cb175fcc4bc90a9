"""Does an ONNX graph normalise its pixels itself? Told from its first nodes (package onnx)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PASSING = ("Identity", "Cast", "Transpose", "Dropout")
_MOST = 8  # nodes that are looked at
# A mean of pixels of 0 to 255 is far above 2, one of pixels of 0 to 1 between these; what a batch
# normalisation has learned of an input that is normalised already is near 0.
_OF_BYTES, _OF_SHARES = 2.0, (0.2, 0.8)


@dataclass(frozen=True)
class OwnNormalisation:
    """(x - mean) / scale, as a graph applies it to its input first; nodes: its kinds of node.

    unit: what its input must be divided by for that, of pixels of 0 to 255: 1 or 255.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    nodes: tuple[str, ...]
    unit: int

    @property
    def words(self) -> str:
        """For a sentence: ``Sub, Div: mean 127.5, scale 128``."""
        mean, scale = (_numbers(values) for values in (self.mean, self.scale))
        return f"{', '.join(self.nodes)}: mean {mean}, scale {scale}"


def own_normalisation(data: bytes, name: str) -> OwnNormalisation | None:
    """What the graph in a file's bytes does to its input ``name`` before its first layer, or None:
    no normalisation of pixels, or the package onnx is absent or cannot read it.
    """
    try:
        import onnx
        from onnx import numpy_helper

        graph = onnx.load_from_string(data).graph
        constants = {given.name: given for given in graph.initializer}
        constants |= {
            node.output[0]: node.attribute[0].t
            for node in graph.node
            if node.op_type == "Constant" and node.attribute[0].name == "value"
        }
        return _first_nodes(graph, name, constants, numpy_helper.to_array)
    except Exception:  # the package is absent, or whatever an exotic file does to it
        return None


def _first_nodes(graph: Any, name: str, constants: Any, array: Any) -> OwnNormalisation | None:
    """x becomes factor·x + shift, node by node."""
    factor, shift = np.ones(1), np.zeros(1)
    kinds: list[str] = []
    for _ in range(_MOST):
        users = [node for node in graph.node if name in node.input]
        if len(users) != 1:
            break
        node, name = users[0], users[0].output[0]
        if node.op_type in _PASSING:
            continue
        values = [
            _channels(array(constants[given])) if given in constants else None
            for given in node.input
        ]
        changed = _changed(node, values, factor, shift)
        if changed is None:
            break
        factor, shift = changed
        kinds.append(node.op_type)
    if not kinds or not np.all(np.isfinite(factor)) or np.any(factor <= 0):
        return None
    mean, scale = -shift / factor, 1 / factor
    low, high = float(mean.min()), float(mean.max())
    if high > _OF_BYTES or (high == low == 0 and scale.min() > _OF_BYTES):
        unit = 1
    elif _OF_SHARES[0] <= low and high <= _OF_SHARES[1] and scale.max() <= 1:
        unit = 255
    else:
        return None
    return OwnNormalisation(tuple(mean.tolist()), tuple(scale.tolist()), tuple(kinds), unit)


def _changed(
    node: Any, values: list[Any], factor: NDArray[Any], shift: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Factor and shift after a node; None where it is no arithmetic with constants."""
    known = [value for value in values if value is not None]
    if node.op_type == "BatchNormalization" and len(known) == 4:
        gain, bias, mean, variance = known
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        gain = gain / np.sqrt(variance + epsilon)
        return factor * gain, (shift - mean) * gain + bias
    if len(values) != 2 or len(known) != 1:
        return None
    constant, first = known[0], values[0] is None  # whether the pixels come first
    if node.op_type == "Add":
        return factor + 0 * constant, shift + constant
    if node.op_type == "Mul":
        return factor * constant, shift * constant
    if node.op_type == "Sub" and first:
        return factor + 0 * constant, shift - constant
    if node.op_type == "Div" and first:
        return factor / constant, shift / constant
    return None


def _channels(values: NDArray[Any]) -> NDArray[np.float64]:
    """One number, or one of each channel; the mean of whole images of numbers."""
    flat = np.asarray(values, np.float64).ravel()
    return flat if flat.size in (1, 3) else flat.mean(keepdims=True)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in dict.fromkeys(values))
