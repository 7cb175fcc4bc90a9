"""Embedding faces with an ONNX file, through ONNX Runtime (the extra ``onnx``)."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.models.embedders.base import CheckedEmbedder, Preprocessing, cause, variant_of
from facebench.models.embedders.options import LAYOUTS, Layout, Precision, device_parts
from facebench.models.weights.external import whole_onnx

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


class OnnxFile:
    """An ONNX file with what it says of its input: layout, size and batch where they are fixed.

    says_layout: whether one of its axes is the colours'; names: of its outputs.
    pixels: it takes bytes, and prepares them itself; bytes: of the file and of those beside it.

    variant: the layout and output that were asked for, where they are not the file's own; runtime:
    the library that runs it. UserError where the file or the extra is missing, or the model has not
    one image input.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str = "cpu",
        layout: Layout | None = None,
        output: str | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        whole = whole_onnx(path)
        data, self.path, self.sha256, self.bytes = whole.data, path, whole.sha256, whole.size
        self.session, self.runtime = _session(path, data, device)
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            listed = ", ".join(entry.name for entry in inputs)
            raise UserError(
                f"{path}: has {len(inputs)} inputs ({listed}); one image input is needed"
            )
        self.input, shape = inputs[0].name, list(inputs[0].shape)
        if inputs[0].type not in _TYPES or len(shape) != 4:
            raise UserError(
                f"{path}: its input is {inputs[0].type} of {len(shape)} axes; images of 4 axes, "
                "of floats or bytes (uint8), are needed"
            )
        self.dtype: Any = _TYPES[inputs[0].type]
        self.pixels = self.dtype is np.uint8
        own: Layout = "nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw"
        self.layout = layout or own
        self.says_layout = any(shape[axis] == 3 for axis in (1, 3))
        if self.layout not in LAYOUTS:
            raise UserError(f"{path}: layout {self.layout!r} is not {' or '.join(LAYOUTS)}")
        self.size = self._fixed_size(shape, size)
        self.batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        outputs = self.session.get_outputs()
        names = [entry.name for entry in outputs]
        self.names, self.output = names, self._output_name(output, names)
        self._refuse_number(outputs[names.index(self.output)].shape)
        self.normalisation = own_normalisation(data, self.input)
        self.variant = variant_of(
            output=None if self.output == names[0] else self.output,
            layout=None if self.layout == own else self.layout,
        )

    def _fixed_size(
        self, shape: list[int | str | None], asked: tuple[int, int] | None
    ) -> tuple[int, int] | None:
        axes = (2, 3) if self.layout == "nchw" else (1, 2)
        channels = shape[1] if self.layout == "nchw" else shape[3]
        if isinstance(channels, int) and channels > 0 and channels != 3:
            raise UserError(
                f"{self.path}: its input has {channels} channels in {self.layout}, not 3"
            )
        fixed = tuple(n if isinstance(n := shape[axis], int) and n > 0 else None for axis in axes)
        if asked and any(n not in (None, a) for n, a in zip(fixed, asked, strict=True)):
            says = "x".join(str(n or "any") for n in fixed)
            raise UserError(f"{self.path}: takes {says}, not the size {asked[0]}x{asked[1]} asked")
        height, width = fixed
        return asked or ((height, width) if height and width else None)

    def _refuse_number(self, shape: Any) -> None:
        """UserError where the chosen output is one number per face, such as a norm."""
        if len(shape) == 1 or (len(shape) > 1 and all(length == 1 for length in shape[1:])):
            others = ", ".join(name for name in self.names if name != self.output) or "none"
            raise UserError(
                f"{self.path}: its output {self.output!r} is one number per face and no embedding; "
                f"choose another with --output-name ({others})"
            )

    def _output_name(self, name: str | None, names: list[str]) -> str:
        if name is not None and name not in names:
            hint = nearest(name, names)
            raise UserError(f"{self.path}: no output {name!r}{hint} (it has {', '.join(names)})")
        return name or names[0]


class OnnxEmbedder(CheckedEmbedder):
    """An ONNX model as an embedder; a fixed batch is filled up, the axes are put in its order."""

    def __init__(
        self, id: str, file: OnnxFile, preprocessing: Preprocessing, device: str = "cpu"
    ) -> None:
        self.id, self.weights_hash = id, file.sha256
        self.device, self.precision = device, "float32"
        self.batch, self.variant, self.runtime = file.batch, file.variant, file.runtime
        self.file, self.pixels, self.bytes = file, file.pixels, file.bytes
        self._prepare(preprocessing)

    def _prepare(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing
        self._mean = np.array(preprocessing.mean, dtype=np.float32)
        self._scale = np.array(preprocessing.scale, dtype=np.float32)

    def prepared_as(self, preprocessing: Preprocessing) -> OnnxEmbedder:
        """See `Embedder.prepared_as`; the session is shared."""
        other = copy(self)
        other._prepare(preprocessing)
        return other

    def prepared(self, faces: NDArray[Any]) -> NDArray[Any]:
        """The graph's input for faces, uint8 N×H×W×3 RGB."""
        pixels = faces[..., ::-1] if self.preprocessing.colour == "bgr" else faces
        x = pixels if self.pixels else (pixels.astype(np.float32) - self._mean) / self._scale
        if self.file.layout == "nchw":
            x = x.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(x, dtype=self.file.dtype)

    def _run(self, faces: NDArray[Any]) -> NDArray[Any]:
        x = self.prepared(faces)
        made = np.asarray(self.file.session.run([self.file.output], {self.file.input: x})[0])
        self.file._refuse_number(made.shape)
        return made


def check_precision(path: Path, precision: Precision) -> None:
    """UserError where an ONNX model is asked for another precision than the file's own."""
    if precision != "float32":
        raise UserError(f"{path}: an ONNX file fixes its precision; leave out --precision")


def _session(path: Path, data: bytes, device: str) -> tuple[Any, str]:
    """The session, and the library with its version."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"{path}: ONNX models need ONNX Runtime: pip install 'facebench[onnx]'"
        ) from None
    kind, index = device_parts(device)
    provider = "CUDAExecutionProvider" if kind == "cuda" else "CPUExecutionProvider"
    chosen = {"device_id": index} if kind == "cuda" else {}
    if provider not in onnxruntime.get_available_providers():
        raise UserError(f"--device {device}: this ONNX Runtime has no {provider}; use cpu")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # what it logs below that, it raises as well
    settings.intra_op_num_threads = torch.get_num_threads()  # one choice for both libraries
    # From memory, so that the hash is of the very bytes that run; weights in further files, which
    # it would not cover, are sought where there are none instead of in the working directory.
    nowhere = str(path.resolve() / "nowhere")
    settings.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", nowhere
    )
    try:
        session = onnxruntime.InferenceSession(data, settings, providers=[(provider, chosen)])
    except Exception as error:
        hint = ""
        if "external data" in str(error).lower():  # `whole_onnx` could not read the graph
            hint = (
                "; its weights are in another file, which the package onnx reads: pip install onnx"
            )
        elif "protobuf parsing failed" in str(error):
            hint = "; the file is cut short, or no ONNX file: export or bring it again"
        raise UserError(
            f"{path}: not a model that ONNX Runtime can load: {cause(error).rstrip('.')}{hint}"
        ) from None
    return session, f"onnxruntime {onnxruntime.__version__}"


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
