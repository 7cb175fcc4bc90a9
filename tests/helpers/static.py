"""Small networks for ONNX Runtime's quantiser, and aligned crops of named people."""

from __future__ import annotations

import platform
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SIZE = (16, 16)


def _saturates() -> bool:
    flags = Path("/proc/cpuinfo")
    known = flags.read_text() if flags.exists() else ""
    return platform.machine() in {"x86_64", "AMD64"} and "vnni" not in known


# Sums of two products of 8 bits overflow 16 bits on x86 without VNNI: there ONNX Runtime is right
# with weights of 7 bits alone (`quantise --reduce-range`), and tests of values use them.
SEVEN_BITS = _saturates()
# By hand: convolution 3·4·3·3 + 4, batch normalisation (folded away by the quantiser) 2·4, product
# 4·7·7·5 + 5; multiply-adds 4·27·7·7 + 196·5.
PARAMETERS, FOLDED, PRODUCTS = 108 + 4 + 8 + 980 + 5, 108 + 4 + 980 + 5, 108 * 49 + 980


class Small(nn.Module):
    """Convolution, batch normalisation and a product; its weights are of very different sizes."""

    input_size = SIZE

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Linear(196, 5)
        with torch.no_grad():
            self.first.weight *= torch.tensor([1.0, 10.0, 0.1, 3.0]).view(4, 1, 1, 1)
            self.norm.running_mean += 0.1
            self.norm.running_var *= 2

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(self.norm(self.first(x))).flatten(1)
        embedding: Tensor = self.last(features)
        return embedding


def small() -> Small:
    """A factory."""
    torch.manual_seed(0)
    return Small()


class Stacks(nn.Module):
    """A product of three matrices at once, as exporters write locally-connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 256, 4) - 0.5)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = torch.matmul(x.flatten(2).transpose(0, 1), self.weight)
        return made.transpose(0, 1).flatten(1)


def stacks() -> Stacks:
    """A factory."""
    torch.manual_seed(0)
    return Stacks()


def save_onnx(net: nn.Module, path: Path, operators: int = 17, batch: int | None = None) -> None:
    """A network as an ONNX file, layer by layer; batch: the only one that it takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(batch or 2, 3, *SIZE),),
            path,
            dynamo=False,
            opset_version=operators,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            input_names=["faces"],
            output_names=["embeddings"],
            dynamic_axes=None if batch else {"faces": {0: "batch"}, "embeddings": {0: "batch"}},
        )


def noise(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Inputs, float32 count×3×16×16."""
    return np.random.default_rng(seed).normal(size=(count, 3, *SIZE)).astype(np.float32)


def crops(folder: Path, people: int = 6) -> Path:
    """``Other_A/Other_A_0001.png`` and so on: aligned crops of 112×96."""
    rng = np.random.default_rng(1)
    for number in range(people):
        name = f"Other_{chr(65 + number)}"
        place = folder / name
        place.mkdir(parents=True)
        shades = rng.integers(0, 256, (7, 6, 3), dtype=np.uint8)
        cv2.imwrite(str(place / f"{name}_0001.png"), cv2.resize(shades, (96, 112)))
    return folder
