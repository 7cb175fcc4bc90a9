"""What removing filters of a compact network saved: parameters by block, beside the whole net's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import safetensors
import torch

from facebench.base.opening import MODEL, plain_file
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard, Shape, is_compact, shape_of
from facebench.models.cards.members import ensemble_facts
from facebench.models.cards.trained import packed_weights
from facebench.models.sparsity.savings import LayerSavings, SparsityReport, sparsity_report


@dataclass(frozen=True)
class Cost:
    """What a model takes; None: not known."""

    parameters: int | None = None
    kept: int | None = None
    ratio: float | None = None
    bytes: int | None = None


def cost_of(card: ModelCard) -> Cost:
    """From the files of a card; parameters of ConvNets of the zoo only, and of ensembles of them.

    The compression ratio is one to the dense network of the same structure; an ensemble has none.
    """
    if card.architecture == "ensemble":
        facts = ensemble_facts(card)
        return Cost(facts.parameters, facts.kept, None, facts.bytes)
    path = card.weights_path
    size = path.stat().st_size if path else None
    if is_compact(card):
        whole = compact_report(card)
        return Cost(whole.total, whole.kept, whole.compression_ratio, size)
    if card.architecture != "convnet" or card.width is None or card.preprocessing.size is None:
        return Cost(bytes=size)
    # Not on the meta device: that imports PyTorch's compiler, for over a second.
    net = ConvNet(card.width, card.preprocessing.size)
    report = sparsity_report(net, packed_weights(card).masks)
    return Cost(report.total, report.kept, report.compression_ratio, size)


def compact_report(card: ModelCard) -> SparsityReport:
    """Parameters of a compact card's network by block, and of the network with all its filters.

    Counted in the header of the weights file; a card whose file is absent or cannot be read counts
    as whole. Blocks are ``features.3`` or ``layer1.0``; running statistics are no parameters.
    """
    whole = _whole(shape_of(card))
    path = card.weights_path
    found = _counted(path, whole) if path is not None else None
    total = _by_block(whole)
    kept = total if found is None else _by_block(found)
    return SparsityReport(
        tuple(LayerSavings(name, kept.get(name, 0), count) for name, count in total.items())
    )


@lru_cache(maxsize=32)
def _whole(shape: Shape) -> dict[str, int]:
    """Entries of every tensor of the whole network that is a parameter."""
    with torch.device("meta"):
        return {name: tensor.numel() for name, tensor in shape.net().named_parameters()}


def _counted(path: Path, names: Iterable[str]) -> dict[str, int] | None:
    """Entries of tensors in a packed file, from its header; None: it is absent or unreadable."""
    try:
        plain_file(path, MODEL).close()
        with safetensors.safe_open(path, "np") as file:
            there = set(file.keys())
            shapes = {name: file.get_slice(name).get_shape() for name in names if name in there}
    except (OSError, safetensors.SafetensorError):
        return None
    return {name: math.prod(shape) for name, shape in shapes.items()}


def _by_block(sizes: Mapping[str, int]) -> dict[str, int]:
    blocks: dict[str, int] = {}
    for name, size in sizes.items():
        first, second = name.split(".")[:2]
        block = f"{first}.{second}" if second.isdigit() else first
        blocks[block] = blocks.get(block, 0) + size
    return blocks
