"""How many parameters models keep: as published (Tables 3 and 4), and as their networks have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.models import sizes
from facebench.models.architectures.convnet import ConvNet, parameter_counts
from facebench.models.architectures.registry import ARCHITECTURES, build
from facebench.models.architectures.shapes import TABLE_1_PARAMETERS, compact_blocks
from facebench.models.cards.card import ModelCard, list_models
from facebench.models.sizes import compact_report, convnet_report, planned_report
from tests.helpers.packed import save_packed

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


def test_a_masked_network_is_counted_like_its_plan(
    tiny: tuple[ConvNet, dict[str, Tensor]], tmp_path: Path
) -> None:
    net, masks = tiny
    degrees = {"f": Fraction(1, 4), "5b": Fraction(1, 16), "4b": Fraction(1, 2)}
    plan = planned_report(0.125, net.input_size, degrees)
    path = tmp_path / "weights.safetensors"
    sha256 = save_packed(path, net.state_dict(), masks)
    assert convnet_report(0.125, net.input_size, path, sha256) == plan
    by_name = {layer.name: layer for layer in plan.layers}
    assert list(by_name) == ["1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b", "5a", "5b", "f"]
    assert by_name["f"].kept == masks["f"].sum() + net.f.bias.numel()
    assert by_name["f"].share == by_name["f"].kept / by_name["f"].total
    whole = planned_report(0.125, net.input_size, {})
    counts = parameter_counts(net)
    assert [(layer.name, layer.kept, layer.total) for layer in whole.layers] == [
        (name, count, count) for name, count in counts.items()
    ]


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(UserError, match="cannot be read"):
        convnet_report(0.125, (112, 96), path, None)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="truncated or not safetensors"):
        convnet_report(0.125, (112, 96), path, None)
    with pytest.raises(UserError, match="its SHA-256 is"):
        convnet_report(0.125, (112, 96), path, "0" * 64)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("embedding", "size", "width"),
    [(128, (112, 96), 1.0), (64, (96, 128), 0.25), (7, (129, 115), 1.7)],
)
def test_blocks_are_those_of_the_network(
    architecture: str, embedding: int, size: tuple[int, int], width: float
) -> None:
    """Of a network that `shapes` does not know, None: then the network itself is counted."""
    blocks = compact_blocks(architecture, embedding, size, width)
    with torch.device("meta"):
        net = build(architecture, embedding, size, width)
    counted: dict[str, int] = {}
    for name, parameter in net.named_parameters():
        first, second = name.split(".")[:2]
        block = f"{first}.{second}" if second.isdigit() else first
        counted[block] = counted.get(block, 0) + parameter.numel()
    assert blocks is None or list(blocks.items()) == list(counted.items())


def test_a_network_without_numbers_is_built_to_be_counted(
    cards: dict[str, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = cards["mobilefacenet"]
    known = compact_report(card)
    monkeypatch.setattr(sizes, "compact_blocks", lambda *_: None)
    sizes._whole.cache_clear()
    assert compact_report(card) == known
    sizes._whole.cache_clear()
