"""A small zoo in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import module_name
from facebench.models.cards.card import ModelCard
from facebench.models.cards.publish import publish_weights, write_card

SIZE = (80, 80)  # the smallest input that the ConvNet takes
SPARSITY = {"f": "1/4", "5b": "1/16", "4b": "1/2"}


def random_masks(net: ConvNet, sparsity: dict[str, float], seed: int = 0) -> dict[str, Tensor]:
    """Masks that keep exactly round(S·|W|) random weights of each layer."""
    generator = torch.Generator().manual_seed(seed)
    masks = {}
    for layer, share in sparsity.items():
        weight = net.layer(layer).weight
        mask = torch.zeros(weight.numel(), dtype=torch.bool)
        order = torch.randperm(weight.numel(), generator=generator)
        mask[order[: round(weight.numel() * share)]] = True
        masks[module_name(layer)] = mask.reshape(weight.shape)
    return masks


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small networks are quickest on one thread, above all beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny() -> tuple[ConvNet, dict[str, Tensor]]:
    """A ConvNet of width 1/8 on 80×80 faces, evaluating, and masks for three layers."""
    torch.manual_seed(0)
    net = ConvNet(0.125, SIZE).eval()
    return net, random_masks(net, {"f": 1 / 4, "5b": 1 / 16, "4b": 1 / 2})


@pytest.fixture
def small_zoo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: tuple[ConvNet, dict[str, Tensor]]
) -> Path:
    """Working directory with models/: ``small`` (trained, sparse), ``bare`` (no weights)."""
    net, masks = tiny
    folder = tmp_path / "models"
    for name in ("small", "bare"):
        write_card(convnet_card(name), folder / f"{name}.toml")
    publish_weights("small", net.state_dict(), masks, {"data": "none", "images": 0}, folder)
    monkeypatch.chdir(tmp_path)
    return folder


def convnet_card(name: str, **fields: Any) -> ModelCard:
    """A card of a ConvNet of width 1/8."""
    values = {
        "name": name,
        "title": f"{name} ConvNet",
        "architecture": "convnet",
        "width": 0.125,
        "sparsity": SPARSITY,
        "preprocessing": {"size": SIZE, "flip": "add"},
    }
    return ModelCard.model_validate(values | fields)


@pytest.fixture
def make_card() -> Callable[..., ModelCard]:
    return convnet_card


@pytest.fixture
def make_masks() -> Callable[..., dict[str, Tensor]]:
    return random_masks
