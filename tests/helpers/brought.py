"""One small network as people bring theirs: dense, pruned in every way, as every kind of file.

Weights are far from zero, so that no rounding makes more zeros than pruning did. Counted by hand
for a face of 16×16: the convolution has 3·4·8·8 = 768 weights and 4 biases and gives 2×2 positions,
the layer behind it 16·8 = 128 weights and 8 biases; pruning takes away 64 of the latter.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from facebench.models.cards.names import card_for
from facebench.models.embedders.base import Preprocessing
from facebench.models.export import PlainNetwork, program_bytes

SIZE = (16, 16)
PARAMETERS, KEPT = 768 + 4 + 128 + 8, 768 + 4 + 64 + 8
PRODUCTS, KEPT_PRODUCTS = 4 * 768 + 128, 4 * 768 + 64
TIED_PARAMETERS, TIED_PRODUCTS = PARAMETERS + 16 * 16 + 2 * 16, PRODUCTS + 2 * 16 * 16


def dense() -> nn.Sequential:
    """A factory."""
    net = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(16, 8))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            sign = torch.randint(0, 2, parameter.shape, generator=generator) * 2 - 1
            parameter.copy_(sign * (0.5 + torch.rand(parameter.shape, generator=generator) / 2))
    return net


def masked() -> nn.Sequential:
    """Half of the last layer masked in place."""
    net = dense()
    mask = torch.ones(8, 16)
    mask[:, ::2] = 0
    prune.custom_from_mask(net[3], "weight", mask)  # type: ignore[no-untyped-call]
    return net


def removed() -> nn.Sequential:
    """The same with the mask made permanent."""
    net = masked()
    prune.remove(net[3], "weight")  # type: ignore[no-untyped-call]
    return net


class Tied(nn.Module):
    """Two layers of one weight between the convolution and the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, _, _, self.last = dense()
        self.one, self.two = nn.Linear(16, 16), nn.Linear(16, 16)
        nn.init.uniform_(self.one.weight, 0.5, 1.0)
        self.two.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(self.first(x)).flatten(1)
        embedding: Tensor = self.last(self.two(self.one(features)))
        return embedding


def tied() -> Tied:
    """A factory."""
    torch.manual_seed(0)
    return Tied()


def save_checkpoint(net: nn.Module, path: Path, start: str = "module.") -> None:
    """A training program's file: a state dict among other things, names as of a wrapper."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {f"{start}{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "best": torch.tensor(0.9)}, path)


def save_torchscript(net: nn.Module, path: Path) -> None:
    """A traced program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(net.eval(), torch.zeros(2, 3, *SIZE)), str(path))


def save_program(net: nn.Module, path: Path) -> None:
    """As torch.export (.pt2) or ONNX, by the ending."""
    plain = PlainNetwork(card_for("baseline"), net.eval(), Preprocessing(SIZE))
    kind: Any = "onnx" if path.suffix == ".onnx" else "torch-export"
    path.write_bytes(program_bytes(plain, kind))


def save_quantised(source: Path, folder: Path) -> None:
    """``qdq.onnx``, ``qoperator.onnx`` and ``dynamic.onnx`` of an ONNX file."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Faces(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            noise = np.random.default_rng(0).normal(size=(4, 1, 3, *SIZE)).astype(np.float32)
            self.left: Iterator[dict[str, Any]] = iter([{"faces": one} for one in noise])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    for name, kind in (("qdq", QuantFormat.QDQ), ("qoperator", QuantFormat.QOperator)):
        quantize_static(
            str(source),
            str(folder / f"{name}.onnx"),
            Faces(),
            quant_format=kind,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=kind is QuantFormat.QDQ,
        )
    quantize_dynamic(str(source), str(folder / "dynamic.onnx"), weight_type=QuantType.QUInt8)
