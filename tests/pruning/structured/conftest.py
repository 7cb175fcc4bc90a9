"""The toy network, with every way in which filters depend on each other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


@pytest.fixture
def toy() -> nn.Module:
    from filter_toys import Toy, stir

    torch.manual_seed(0)
    net = Toy()
    stir(net)
    return net
