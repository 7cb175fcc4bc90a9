"""Networks as programs for other runtimes: ONNX and torch.export, dense, at any batch size."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from facebench.base.errors import UserError
from facebench.base.storage import temporary_folder
from facebench.faces.synthetic import EVALUATION_IDENTITIES, render_many
from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.cards.card import Architecture, ModelCard, PreprocessingFields, is_name
from facebench.models.embedders.base import Embedder, Preprocessing
from facebench.models.embedders.handed import copied
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import card_for, load_model, load_network, made_by

ExportKind = Literal["onnx", "torch-export"]
KINDS: tuple[ExportKind, ...] = get_args(ExportKind)
ENDINGS: MappingProxyType[str, str] = MappingProxyType({"onnx": ".onnx", "torch-export": ".pt2"})
OPSET = 17
_PROGRAMS = ("onnx", "torchscript", "export")


@dataclass(frozen=True)
class PlainNetwork:
    """A model without facebench around it. module: float32 N×3×H×W, prepared as ``preprocessing``
    says → N×D, in evaluation mode, dropped weights as zeros.
    """

    card: ModelCard
    module: nn.Module
    preprocessing: Preprocessing


def plain_network(spec: str, options: ModelOptions | None = None) -> PlainNetwork:
    """The torch network of a model, to be exported or compiled, its masks made plain zeros.

    UserError: the model cannot be loaded, or is no single torch network that sees the whole face.
    """
    card = card_for(spec)
    if (why := why_not_plain(card)) is not None:
        raise UserError(f"model {card.name}: {why}")
    embedder = load_model(spec, options)  # says in one line what is wrong with card and options
    if card.architecture == "python":
        made, _ = made_by(card)
        if not isinstance(made, nn.Module):
            raise UserError(f"model {card.name}: is Python code, not a torch module")
        net = copied(made)
    else:
        net = load_network(spec)
    return PlainNetwork(card, without_masks(net), embedder.preprocessing)


def why_not_plain(card: ModelCard) -> str | None:
    """Why a model is no single torch network of the whole face, or None: it may be one."""
    if card.architecture in _PROGRAMS:
        return f"is a program of its own already ({card.architecture}), not a network"
    if card.architecture == "ensemble":
        return "is an ensemble of several networks; name its members one by one"
    if card.region is not None:
        return "sees a region that is cut from the face before the network, which no program holds"
    return None


def without_masks(net: nn.Module) -> nn.Module:
    """The same network, in place, with masked weights as plain parameters; evaluation mode."""
    for module in list(net.modules()):
        if parametrize.is_parametrized(module):
            for name in list(cast(nn.ModuleDict, module.parametrizations)):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)
    return net.eval().requires_grad_(False)


def program_bytes(network: PlainNetwork, kind: ExportKind, *, grouped: bool = False) -> bytes:
    """The file of a network as a program, its batch open; UserError where it cannot be written.

    grouped: in ONNX, locally-connected layers as convolutions, which a quantiser knows.
    """
    net, size = network.module, network.preprocessing.size
    try:
        with _silence():
            return _onnx_bytes(net, size, grouped) if kind == "onnx" else _export_bytes(net, size)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"model {network.card.name}: cannot be written as {kind}: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error


def program_card(network: PlainNetwork, kind: ExportKind, file: str, sha256: str) -> ModelCard:
    """The card beside an exported file, named as the file is, so that it is evaluated alone."""
    card, prepared = network.card, network.preprocessing
    architecture: Architecture = "onnx" if kind == "onnx" else "export"
    how = f"ONNX operator set {OPSET}" if kind == "onnx" else "a torch.export program"
    return ModelCard(
        name=file.removesuffix(ENDINGS[kind]),
        title=f"{card.title}, as {how}",
        architecture=architecture,
        parent=card.name if is_name(card.name) else None,
        licence=card.licence,
        weights=file,
        sha256=sha256,
        notes=f"Exported from {card.name} by torch {torch.__version__}: float32 N×3×height×width, "
        "normalised as below, N open. Dropped weights are stored as zeros.",
        preprocessing=PreprocessingFields.of(prepared),
        training=card.training,
    )


def _onnx_bytes(net: nn.Module, size: tuple[int, int], grouped: bool) -> bytes:
    if importlib.util.find_spec("onnx") is None:
        raise UserError("writing ONNX files needs the package onnx: pip install onnx")
    with temporary_folder() as folder:
        path = folder / "network.onnx"
        torch.onnx.export(
            _with_plain_layers(net, _Groups if grouped else _Slices),
            (torch.zeros(2, 3, *size),),
            path,
            dynamo=False,  # the other exporter needs onnxscript
            opset_version=OPSET,
            input_names=["faces"],
            output_names=["embeddings"],
            dynamic_axes={"faces": {0: "batch"}, "embeddings": {0: "batch"}},
        )
        return path.read_bytes()


def _export_bytes(net: nn.Module, size: tuple[int, int]) -> bytes:
    batch = torch.export.Dim("batch", min=1)
    example = (torch.zeros(2, 3, *size),)  # of 1 face, torch would take the batch for a constant
    program = torch.export.export(net, example, dynamic_shapes=({0: batch},))
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


class _Local(nn.Module):
    """A locally-connected layer whose patches are slices.

    The exporter writes ``unfold`` as forty nodes that compute shapes while the program runs; these
    have fixed shapes, which other runtimes can plan for, and the multiply-adds can be counted.
    """

    def __init__(self, layer: LocallyConnected2d) -> None:
        super().__init__()
        self.kernel, self.out_size = layer.kernel, layer.out_size
        self.positions, self.outputs, self.inputs = layer.weight.shape

    def patches(self, x: Tensor) -> Tensor:
        """N × in·k·k × position."""
        height, width = self.out_size
        offsets = [(i, j) for i in range(self.kernel) for j in range(self.kernel)]
        parts = [x[:, :, i : i + height, j : j + width] for i, j in offsets]
        return torch.stack(parts, dim=2).reshape(-1, self.inputs, self.positions)


class _Slices(_Local):
    """One matrix product."""

    def __init__(self, layer: LocallyConnected2d) -> None:
        super().__init__(layer)
        # position × in·k·k × out, and position × 1 × out
        self.weight = nn.Parameter(layer.weight.transpose(1, 2).contiguous(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.unsqueeze(1).contiguous(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.matmul(self.patches(x).permute(2, 0, 1), self.weight) + self.bias
        return out.permute(1, 2, 0).reshape(-1, self.outputs, *self.out_size)


class _Groups(_Local):
    """A convolution of 1×1 with a group for each position: a channel for each position and output,
    so that its weights have a scale for each neuron, as `facebench.models.weights.quantise` says.
    """

    def __init__(self, layer: LocallyConnected2d) -> None:
        super().__init__(layer)
        weight = layer.weight.reshape(-1, self.inputs, 1, 1)
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.reshape(-1).contiguous(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = self.patches(x).transpose(1, 2).reshape(-1, self.positions * self.inputs, 1, 1)
        out = nn.functional.conv2d(channels, self.weight, self.bias, groups=self.positions)
        out = out.reshape(-1, self.positions, self.outputs).transpose(1, 2)
        return out.reshape(-1, self.outputs, *self.out_size)


def _with_plain_layers(net: nn.Module, local: type[_Local]) -> nn.Module:
    """A copy of a network in which locally-connected layers are of a kind that exporters know."""
    net = copied(net)
    for name, module in list(net.named_modules()):
        if isinstance(module, LocallyConnected2d):
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, local(module))
    return net.eval()


@contextmanager
def _silence() -> Iterator[None]:
    """Deprecations and hints of torch's exporters mean nothing to who exports a model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


# Other runtimes add the same products in another order; float32 keeps 7 digits of each sum.
TOLERANCE = 1e-4
LEAST_COSINE = 1 - 1e-5


@dataclass(frozen=True)
class EmbeddingCheck:
    """Two models on the same faces. largest: of the absolute differences; magnitude: the largest
    number of the first model's embeddings; cosine: the lowest of the same face in both.
    """

    faces: int
    largest: float
    magnitude: float
    cosine: float

    @property
    def equal(self) -> bool:
        """Differences within `TOLERANCE` of the magnitude, cosines at least `LEAST_COSINE`."""
        return self.largest <= TOLERANCE * self.magnitude and self.cosine >= LEAST_COSINE

    @property
    def text(self) -> str:
        """The numbers and the tolerance in one line."""
        return (
            f"embeddings of {self.faces} rendered faces: "
            f"{'the same' if self.equal else 'NOT THE SAME'}; largest difference "
            f"{self.largest:.2g} at magnitude {self.magnitude:.3g} (allowed "
            f"{TOLERANCE * self.magnitude:.2g}), lowest cosine {self.cosine:.7f} (at least "
            f"{LEAST_COSINE:.5f})"
        )


def compare_embeddings(one: Embedder, other: Embedder, faces: NDArray[np.uint8]) -> EmbeddingCheck:
    """Embeddings under each model's flip rule, compared: uint8 N×H×W×3 RGB faces.

    Also checked is that a face has the same embedding alone and in a batch.
    """
    want = one.embed(faces).astype(np.float64)
    got = other.embed(faces).astype(np.float64)
    if want.shape != got.shape:
        return EmbeddingCheck(len(faces), float("inf"), float(np.abs(want).max()), 0.0)
    alone = other.embed(faces[:1]).astype(np.float64)
    largest = max(np.abs(got - want).max(), np.abs(alone - want[:1]).max())
    lengths = np.linalg.norm(want, axis=1) * np.linalg.norm(got, axis=1)
    cosines = (want * got).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    cosines[(want == got).all(axis=1)] = 1  # rows of zeros, too
    return EmbeddingCheck(
        len(faces), float(largest), float(np.abs(want).max()), float(cosines.min())
    )


def twin_faces(size: tuple[int, int], count: int = 32) -> NDArray[np.uint8]:
    """The first faces of the first people of the synthetic twin, uint8 count×height×width×3.

    Scaled to the size without regard to its shape: for arithmetic, not for accuracy.
    """
    keys = [(EVALUATION_IDENTITIES.start + person, 1) for person in range(count)]
    drawn = render_many(0, keys, workers=1)
    height, width = size
    return np.stack([cv2.resize(face, (width, height)) for face in drawn])
