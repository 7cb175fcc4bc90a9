"""A network small enough for brute force, with faces and a softmax over four people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from facebench.base.errors import on_command_line
from facebench.lab.connections.task import LayerTask
from facebench.models.architectures.convnet import ConvNet

WIDTH = 0.03125
MakeTask = Callable[..., LayerTask]


@pytest.fixture(autouse=True)
def _by_the_command_line() -> Iterator[None]:
    """The lab is reached by commands alone, and its errors name their options."""
    with on_command_line():
        yield


@pytest.fixture(scope="session")
def tiny() -> tuple[ConvNet, np.ndarray, nn.Linear]:
    """Network, uint8 12×80×80×3 faces, and the layer of the softmax."""
    torch.manual_seed(3)
    net = ConvNet(WIDTH, (80, 80)).eval()
    faces = np.random.default_rng(0).integers(0, 256, (12, 80, 80, 3), dtype=np.uint8)
    return net, faces, nn.Linear(net.features, 4)


@pytest.fixture
def make_task(tiny) -> MakeTask:
    """make_task("f", "1/4", seed=…, **fields) -> LayerTask."""
    net, faces, head = tiny

    def make(layer: str, keep: str, seed: int = 0, **fields: object) -> LayerTask:
        given = {"faces": lambda: iter([faces[:7], faces[7:]]), "logits": head, **fields}
        return LayerTask(net, layer, Fraction(keep), np.random.default_rng(seed), **given)

    return make
