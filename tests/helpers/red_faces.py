"""Faces whose red says who they are, and networks that see it: what a mistake costs is large."""

from __future__ import annotations

from pathlib import Path
from time import sleep
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

SIZE = (112, 112)


def red_faces(folder: Path, people: int = 40) -> Path:
    """People of two images in LFW's layout, 250×250; folds of 10 + 10 pairs. Green and blue differ
    from image to image; so does what is outside the face.
    """
    rng = np.random.default_rng(0)
    names = [f"Person_{number:02d}" for number in range(people)]
    for name in names:
        (folder / "lfw" / name).mkdir(parents=True)
        own = rng.normal(128, 45, (9, 9))
        for number in (1, 2):
            image = cv2.resize(rng.normal(128, 45, (20, 20, 3)), (250, 250))
            image[62:188, 62:188, 2] = cv2.resize(own + rng.normal(0, 30, own.shape), (126, 126))
            path = folder / "lfw" / name / f"{name}_{number:04d}.png"
            cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8))
    lines = [f"{people // 10}\t10"]
    for fold in range(0, people, 10):
        own_names = names[fold : fold + 10]
        lines += [f"{name}\t1\t2" for name in own_names]
        lines += [
            f"{a}\t1\t{b}\t2" for a, b in zip(own_names, own_names[1:] + own_names[:1], strict=True)
        ]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


class RedNet(nn.Module):
    """Embeds the red of a face by regions, pixels as (x - 127.5) / 128; out of range it saturates.

    channel: where red is; twice: it normalises once more; drop, norm: dropout, or batch
    normalisation, in training mode; constant: it sees nothing.
    """

    input_size = SIZE

    def __init__(
        self,
        channel: int = 0,
        *,
        own: bool = False,
        drop: bool = False,
        norm: bool = False,
        constant: bool = False,
        batch: int | None = None,
        probabilities: bool = False,
        negated: bool = False,
        shares: bool = False,
    ) -> None:
        super().__init__()
        self.channel, self.drop, self.norm, self.own = channel, drop, norm, own
        self.constant, self.batch, self.shares = constant, batch, shares
        self.probabilities, self.negated = probabilities, negated
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(64, 49, generator=generator) / 7)

    def forward(self, faces: Tensor) -> Tensor:
        if self.own:
            faces = (faces - 127.5) / 128.0
        if self.shares:
            faces = (faces - 0.5) / (128 / 255)
        red = nn.functional.avg_pool2d(faces[:, self.channel : self.channel + 1], 16).flatten(1)
        if self.batch is not None:
            red = red.reshape(self.batch, 49)
        if self.norm:
            red = nn.functional.batch_norm(red, None, None, training=True)
        if self.constant:
            red = red * 0 + 1
        found = torch.tanh(2 * red.clamp(-0.95, 0.95)) @ self.weight.T
        if self.drop:
            found = nn.functional.dropout(found, 0.2, training=True)
        if self.probabilities:
            return found.softmax(1)
        return -found.relu() if self.negated else found


def write_onnx(net: nn.Module, path: Path, batch: int = 2, *, fixed: bool = False) -> Path:
    """An ONNX file of a network; its outputs are called a, b and so on."""
    example = torch.zeros(batch, 3, *SIZE)
    made = net(example)
    names = ["a", "b"][: len(made) if isinstance(made, tuple) else 1]
    free: Any = None if fixed else {name: {0: "n"} for name in ("input", *names)}
    torch.onnx.export(
        net, (example,), str(path), dynamo=False, input_names=["input"], output_names=names,
        dynamic_axes=free,
    )  # fmt: skip
    return path


def right_net() -> RedNet:
    return RedNet()


def swapped_net() -> RedNet:
    """One whose card would have to say bgr."""
    return RedNet(2)


class _Slow(RedNet):
    def forward(self, faces: Tensor) -> Tensor:
        sleep(0.1)
        return super().forward(faces)


def slow_net() -> RedNet:
    """One that takes a tenth of a second for every batch."""
    return _Slow()
