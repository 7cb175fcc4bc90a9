"""Compression ratios as published (Tables 3 and 4)."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from facebench.models.architectures.convnet import TABLE_1_PARAMETERS, ConvNet
from facebench.models.cards.card import ModelCard, list_models
from facebench.models.sparsity.masks import apply_masks
from facebench.models.sparsity.savings import planned_report, sparsity_report

PUBLISHED = {
    "baseline": 1.0,
    "sparse_096": 0.96,
    "sparse_076": 0.76,
    "sparse_074": 0.74,
    "sparse_043": 0.43,
    "sparse_026": 0.26,
    "sparse_018": 0.18,
    "sparse_014": 0.14,
    "sparse_012": 0.12,
}


@pytest.fixture(scope="module")
def cards() -> dict[str, ModelCard]:
    return {card.name: card for card in list_models()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_width_ratios_are_the_published_ones(name: str, cards: dict[str, ModelCard]) -> None:
    card = cards[name]
    report = planned_report(1.0, (112, 96), card.degrees)
    assert report.total == TABLE_1_PARAMETERS
    assert round(report.compression_ratio, 2) == PUBLISHED[name]
    assert card.source is not None and card.source.compression_ratio == PUBLISHED[name]
    half = planned_report(0.5, (112, 96), card.degrees)
    assert half.compression_ratio == pytest.approx(PUBLISHED[name], abs=0.006)


def test_a_masked_network_is_counted_like_its_plan(tiny: tuple[ConvNet, dict[str, Tensor]]) -> None:
    net, masks = tiny
    degrees = {"f": Fraction(1, 4), "5b": Fraction(1, 16), "4b": Fraction(1, 2)}
    plan = planned_report(0.125, net.input_size, degrees)
    assert sparsity_report(net, masks) == plan
    assert sparsity_report(net).compression_ratio == 1
    apply_masks(net, masks)
    report = sparsity_report(net)
    assert report == plan
    by_name = {layer.name: layer for layer in report.layers}
    assert list(by_name) == ["1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b", "5a", "5b", "f"]
    assert by_name["f"].kept == masks["f"].sum() + net.f.bias.numel()
    assert by_name["f"].share == by_name["f"].kept / by_name["f"].total


def test_other_networks_are_counted_too() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    apply_masks(net, {"2": torch.eye(2, 4)})
    report = sparsity_report(net)
    assert [(layer.name, layer.kept, layer.total) for layer in report.layers] == [
        ("0", 112, 112),
        ("1", 8, 8),
        ("2", 4, 10),
    ]
