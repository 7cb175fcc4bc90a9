"""Networks that people bring, packed: what is written is the network that was brought."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from facebench.base.errors import UserError
from facebench.models.cards.brought import pack_model
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model
from tests.helpers.brought import SIZE, Tied

OPTIONS = ModelOptions(size=SIZE)


class Turned(nn.Module):
    """A layer, and another of the same weight transposed, as of an auto-encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 16)
        self.one, self.two = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)
        self.two.weight = nn.Parameter(self.one.weight.t())

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.two(torch.relu(self.one(self.first(x).flatten(1))))
        return made


def turned() -> Turned:
    """A factory."""
    torch.manual_seed(0)
    return Turned()


def half_masked() -> Tied:
    """A factory: one of two layers that share a weight is masked."""
    torch.manual_seed(0)
    net = Tied()
    prune.random_unstructured(net.two, "weight", amount=0.5)  # type: ignore[no-untyped-call]
    net.add_module("again", net.two)
    return net


def test_a_weight_and_the_same_transposed_are_two(tmp_path: Path) -> None:
    spec = f"{__name__}:turned"
    faces = np.random.default_rng(0).integers(0, 256, (4, *SIZE, 3), np.uint8)
    before = load_model(spec, OPTIONS).embed(faces)
    for values, apart in (("float16", 0.002), ("int8", 0.05)):
        made = pack_model(spec, tmp_path / f"{values}.safetensors", values, OPTIONS)  # type: ignore[arg-type]
        after = load_model(str(made.card.path)).embed(faces)
        assert np.abs(after - before).max() < apart * np.abs(before).max()


def test_what_would_be_another_network_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be packed: .* make the masks permanent first"):
        pack_model(f"{__name__}:half_masked", tmp_path / "m.safetensors", options=OPTIONS)
    assert not list(tmp_path.iterdir())
