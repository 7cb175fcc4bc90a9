"""The toy network, with every way in which filters depend on each other."""

from __future__ import annotations

import pytest
import torch
from torch import nn


@pytest.fixture
def toy() -> nn.Module:
    from tests.helpers.filter_toys import Toy, stir

    torch.manual_seed(0)
    net = Toy()
    stir(net)
    return net
